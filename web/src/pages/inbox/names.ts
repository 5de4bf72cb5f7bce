import { useTranslation } from "react-i18next";
import type { Contact } from "@/api/types";
import { phoneText } from "@/shell/phone";

/** What to call a contact: the name, else the phone, which may be unknown. */
export function useContactName() {
  const { t } = useTranslation();
  return (contact: Contact | null | undefined) =>
    contact?.name || (contact?.phone ? phoneText(contact.phone) : t("inbox.unknown"));
}
