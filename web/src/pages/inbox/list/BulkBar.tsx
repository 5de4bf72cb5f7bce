import { ActionIcon, CloseButton, Group, Paper, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconBellZ, IconCheck, IconMail, IconMailOpened, IconRotate, IconTag, IconUserPlus } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Chat } from "@/api/types";
import type { Company } from "@/session/company";
import { useChatActions } from "../actions";
import { ChatDialogs, type Dialog } from "../ChatDialogs";
import { toEach } from "../each";

/** What is done to several chats at once. */
export function BulkBar({ chats, company, clear }: { chats: Chat[]; company: Company; clear: () => void }) {
  const { t } = useTranslation();
  const actions = useChatActions();
  const [dialog, setDialog] = useState<Dialog>(null);
  const each = async (act: (chat: Chat) => Promise<boolean>) => {
    clear();
    const done = await toEach(chats, act);
    notifications.show({
      color: done === chats.length ? "teal" : "orange",
      message: t("bulk.done", { done, count: chats.length }),
    });
  };
  const closed = chats.every((chat) => chat.status === "closed");
  const buttons = [
    { label: t("act.assign"), Icon: IconUserPlus, run: () => setDialog("assign") },
    { label: t("act.snooze"), Icon: IconBellZ, run: () => setDialog("snooze") },
    { label: t("act.tags"), Icon: IconTag, run: () => setDialog("tags") },
    { label: t("bulk.read"), Icon: IconMailOpened, run: () => void each(actions.read) },
    { label: t("bulk.unread"), Icon: IconMail, run: () => void each(actions.unread) },
    closed
      ? { label: t("act.reopen"), Icon: IconRotate, run: () => void each((chat) => actions.stand(chat, "open")) }
      : { label: t("act.close"), Icon: IconCheck, run: () => void each((chat) => actions.stand(chat, "closed")) },
  ];
  return (
    <Paper withBorder mx={8} mb={6} px={8} py={4} role="toolbar" aria-label={t("bulk.bar")}>
      <Group gap={2} wrap="nowrap">
        <Text size="sm" fw={600} flex={1} truncate role="status">
          {t("bulk.chosen", { count: chats.length })}
        </Text>
        {buttons.map(({ label, Icon, run }) => (
          <Tooltip key={label} label={label}>
            <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={run}>
              <Icon size={18} />
            </ActionIcon>
          </Tooltip>
        ))}
        <CloseButton aria-label={t("bulk.clear")} onClick={clear} />
      </Group>
      <ChatDialogs chats={chats} dialog={dialog} company={company} onClose={() => setDialog(null)} />
    </Paper>
  );
}
