import { Avatar, Badge, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Chat, Message } from "@/api/types";
import classes from "./ChatList.module.css";
import { useChatName } from "./names";
import { Ticks } from "./Ticks";
import { useDayOrTime } from "./time";

export function ChatRow({ chat, active, device }: { chat: Chat; active: boolean; device: string | undefined }) {
  const { t } = useTranslation();
  const when = useDayOrTime();
  const name = useChatName()(chat);
  return (
    <Link
      to="/inbox/$chatId"
      params={{ chatId: chat.id }}
      className={classes.chat}
      data-active={active || undefined}
      aria-current={active ? "true" : undefined}
      preload={false}
    >
      <Avatar name={name} color="initials" radius="xl" size={44} />
      <div className={classes.lines}>
        <div className={classes.line}>
          <Text fw={chat.unread ? 700 : 550} truncate dir="auto">
            {name}
          </Text>
          <Text size="xs" c={chat.unread ? "clarin" : "dimmed"} style={{ flex: "none" }}>
            {chat.last_message_at ? when(chat.last_message_at) : ""}
          </Text>
        </div>
        <div className={classes.line}>
          <div className={classes.preview}>
            {chat.last_message?.from_me && <Ticks status={chat.last_message.status} />}
            <Text size="sm" c="dimmed" truncate dir="auto">
              {chat.last_message ? <Preview message={chat.last_message} /> : ""}
            </Text>
          </div>
          {chat.unread > 0 ? (
            <Badge circle size="md" flex="none" aria-label={t("inbox.unreadCount", { count: chat.unread })}>
              {chat.unread > 99 ? "99+" : chat.unread}
            </Badge>
          ) : (
            device && (
              <Text size="xs" c="dimmed" truncate maw={90} title={t("inbox.via", { device })}>
                {device}
              </Text>
            )
          )}
        </div>
      </div>
    </Link>
  );
}

function Preview({ message }: { message: Message }) {
  const { t } = useTranslation();
  if (message.kind === "text") return message.text ?? "";
  const kind = t(`message.kind.${message.kind}` as "message.kind.image");
  return message.text ? `${kind}: ${message.text}` : kind;
}
