import { ActionIcon, Badge, Button, Group, Menu, Tooltip } from "@mantine/core";
import {
  IconBellZ,
  IconCheck,
  IconDotsVertical,
  IconHandGrab,
  IconMail,
  IconPin,
  IconPinnedOff,
  IconRotate,
  IconTag,
  IconUserPlus,
} from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Chat } from "@/api/types";
import type { Company } from "@/session/company";
import { useSession } from "@/session/session";
import { useShortcuts } from "@/shell/shortcuts";
import { useChatActions } from "./actions";
import { ChatDialogs, type Dialog } from "./ChatDialogs";

/** Where the chat stands, and everything that moves it: by mouse, by finger, by one key. */
export function ChatBar({ chat, company, compact }: { chat: Chat; company: Company; compact: boolean }) {
  const { t } = useTranslation();
  const actions = useChatActions();
  const me = useSession()?.user.id;
  const [dialog, setDialog] = useState<Dialog>(null);
  const closed = chat.status === "closed";
  const mine = chat.assignee_id === me;
  const assignee = company.user.get(chat.assignee_id ?? "")?.name ?? company.team.get(chat.team_id ?? "")?.name;

  const turn = () => void actions.stand(chat, closed ? "open" : "closed");
  const pin = () => void actions.pin(chat, !chat.pinned);
  const take = () => {
    if (!chat.assignee_id) void actions.take(chat);
    else if (!mine && me) void actions.give(chat, { assignee: me });
  };
  const unread = () => void actions.unread(chat);
  const wake = () => void actions.stand(chat, "open");
  useShortcuts([
    {
      id: "chat.assign",
      keys: "a",
      label: "inboxKeys.assign",
      group: "inboxKeys.inbox",
      run: () => setDialog("assign"),
    },
    { id: "chat.take", keys: "t", label: "inboxKeys.take", group: "inboxKeys.inbox", run: take },
    {
      id: "chat.snooze",
      keys: "h",
      label: "inboxKeys.snooze",
      group: "inboxKeys.inbox",
      run: () => setDialog("snooze"),
    },
    { id: "chat.close", keys: "e", label: "inboxKeys.close", group: "inboxKeys.inbox", run: turn },
    { id: "chat.tags", keys: "l", label: "inboxKeys.tags", group: "inboxKeys.inbox", run: () => setDialog("tags") },
    { id: "chat.pin", keys: "p", label: "inboxKeys.pin", group: "inboxKeys.inbox", run: pin },
    {
      id: "chat.unread",
      keys: "shift+u",
      label: "inboxKeys.markUnread",
      group: "inboxKeys.inbox",
      run: unread,
    },
    {
      id: "chat.unassign",
      keys: "shift+a",
      label: "inboxKeys.unassign",
      group: "inboxKeys.inbox",
      run: () => void actions.give(chat, { assignee: null }),
    },
  ]);

  return (
    <Group gap={4} wrap="nowrap" style={{ flex: "none" }}>
      {chat.status !== "open" && !compact && (
        <Badge variant="light" color={closed ? "gray" : "orange"} data-testid="chat-status">
          {t(`inbox.status.${chat.status}`)}
        </Badge>
      )}
      {!compact && !chat.assignee_id && !closed && (
        <Button
          size="xs"
          variant="light"
          leftSection={<IconHandGrab size={15} />}
          title={`${t("act.take")} (T)`}
          onClick={take}
        >
          {t("act.take")}
        </Button>
      )}
      {!compact && (
        <>
          <Tooltip label={`${assignee ? t("act.assignedTo", { name: assignee }) : t("act.assign")} (A)`}>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={t("act.assign")}
              onClick={() => setDialog("assign")}
            >
              <IconUserPlus size={20} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={`${t("act.snooze")} (H)`}>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={t("act.snooze")}
              onClick={() => setDialog("snooze")}
            >
              <IconBellZ size={20} />
            </ActionIcon>
          </Tooltip>
        </>
      )}
      <Tooltip label={`${t(closed ? "act.reopen" : "act.close")} (E)`}>
        <ActionIcon
          variant={closed ? "light" : "subtle"}
          color={closed ? undefined : "teal"}
          size="lg"
          aria-label={t(closed ? "act.reopen" : "act.close")}
          onClick={turn}
        >
          {closed ? <IconRotate size={20} /> : <IconCheck size={20} />}
        </ActionIcon>
      </Tooltip>
      <Menu position="bottom-end" shadow="md">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("act.more")}>
            <IconDotsVertical size={20} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {!mine && (
            <Menu.Item leftSection={<IconHandGrab size={16} />} rightSection="T" onClick={take}>
              {t("act.take")}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconUserPlus size={16} />} rightSection="A" onClick={() => setDialog("assign")}>
            {t("act.assign")}
          </Menu.Item>
          {chat.status === "snoozed" ? (
            <Menu.Item leftSection={<IconBellZ size={16} />} onClick={wake}>
              {t("act.wake")}
            </Menu.Item>
          ) : (
            <Menu.Item leftSection={<IconBellZ size={16} />} rightSection="H" onClick={() => setDialog("snooze")}>
              {t("act.snooze")}
            </Menu.Item>
          )}
          {chat.status !== "pending" && !closed && (
            <Menu.Item leftSection={<IconBellZ size={16} />} onClick={() => void actions.stand(chat, "pending")}>
              {t("act.pending")}
            </Menu.Item>
          )}
          {chat.status === "pending" && (
            <Menu.Item leftSection={<IconRotate size={16} />} onClick={wake}>
              {t("act.reopen")}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconTag size={16} />} rightSection="L" onClick={() => setDialog("tags")}>
            {t("act.tags")}
          </Menu.Item>
          <Menu.Item
            leftSection={chat.pinned ? <IconPinnedOff size={16} /> : <IconPin size={16} />}
            rightSection="P"
            onClick={pin}
          >
            {t(chat.pinned ? "act.unpin" : "act.pin")}
          </Menu.Item>
          <Menu.Item leftSection={<IconMail size={16} />} rightSection="⇧U" onClick={unread}>
            {t("act.unread")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <ChatDialogs chats={[chat]} dialog={dialog} onClose={() => setDialog(null)} company={company} />
    </Group>
  );
}
