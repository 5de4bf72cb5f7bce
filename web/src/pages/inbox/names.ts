import { useTranslation } from "react-i18next";
import type { Chat } from "@/api/types";
import { phoneText } from "@/shell/phone";

/** What to call a chat: its name, else the contact's phone, which may be unknown. */
export function useChatName() {
  const { t } = useTranslation();
  return (chat: Chat | undefined) =>
    chat?.name || chat?.contact?.name || (chat?.contact?.phone ? phoneText(chat.contact.phone) : t("inbox.unknown"));
}
