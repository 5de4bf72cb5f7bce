import { useTranslation } from "react-i18next";
import type { Message } from "@/api/types";

/** Says a message in one line: its kind where that is more than text, and its words. */
export function useInOneLine() {
  const { t } = useTranslation();
  return (message: Pick<Message, "kind" | "text" | "deleted_at" | "media">) => {
    if (message.deleted_at) return t("message.deleted");
    if (message.kind === "text" || message.kind === "note") return message.text ?? "";
    const kind = t(`message.kind.${message.kind}`, { defaultValue: t("message.kind.unsupported") });
    const words = message.text?.split("\n")[0] ?? (message.kind === "document" ? message.media?.file_name : undefined);
    return words ? `${kind}: ${words}` : kind;
  };
}
