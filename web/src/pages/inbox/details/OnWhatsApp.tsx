import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Contact } from "@/api/contacts";
import type { Company } from "@/session/company";

type Block = NonNullable<Contact["blocks"]>[number];

/** What each number does about a blocked contact on WhatsApp itself, in one line; nothing where nothing is to be said. */
export function OnWhatsApp({ contact, company }: { contact: Contact; company: Company }) {
  const { t } = useTranslation();
  if (!contact.blocks?.length) return null;
  const said = (one: Block) => {
    if (one.state === "failed")
      return t(`onWhatsApp.failed.${one.reason ?? "no-answer"}`, t("onWhatsApp.failed.no-answer"));
    const deed = one.blocked ? "block" : "unblock";
    if (one.state === "done") return t(one.by_phone ? `onWhatsApp.${deed}.phone` : `onWhatsApp.${deed}.done`);
    return t(one.reason === "not-connected" ? `onWhatsApp.${deed}.away` : `onWhatsApp.${deed}.pending`);
  };
  const numbers = contact.blocks.map((one) => {
    const name = company.device.get(one.device_id)?.name ?? t("inbox.unknown");
    return t("onWhatsApp.number", { name, said: said(one) });
  });
  const line = t("onWhatsApp.line", { numbers: numbers.join(" · ") });
  const failed = contact.blocks.some((one) => one.state === "failed");
  return (
    <Text size="xs" c={failed ? "red" : "dimmed"} ta="center" dir="auto" style={{ overflowWrap: "anywhere" }}>
      {line}
    </Text>
  );
}
