import { Drawer } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Company } from "@/session/company";
import { Details } from "./Details";

/** Whom the chat is with, over the conversation where there is no room beside it. */
export function DetailsDrawer({
  chatId,
  company,
  opened,
  onClose,
  phone,
}: {
  chatId: string;
  company: Company;
  opened: boolean;
  onClose: () => void;
  phone: boolean;
}) {
  const { t } = useTranslation();
  return (
    <Drawer
      opened={opened}
      onClose={onClose}
      position="right"
      size={phone ? "100%" : 360}
      title={t("inbox.details")}
      padding="md"
      styles={{ body: { padding: 0 } }}
    >
      <Details chatId={chatId} company={company} />
    </Drawer>
  );
}
