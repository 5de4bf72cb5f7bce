import { Avatar, Badge, Checkbox, Text, VisuallyHidden } from "@mantine/core";
import { IconPinFilled, IconUsersGroup } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import type { Chat } from "@/api/types";
import { useWriters } from "@/realtime/useWriters";
import type { Company } from "@/session/company";
import { useDayOrTime } from "@/shell/time";
import classes from "./ChatList.module.css";
import { useDraft } from "./drafts";
import { iconOf } from "./kinds/icons";
import { useInOneLine } from "./kinds/useKind";
import { inShort, waited } from "./list/waiting";
import { useChatName } from "./names";
import { Ticks } from "./Ticks";

type Props = {
  chat: Chat;
  active: boolean;
  company: Company;
  me: string;
  now: number;
  chosen: boolean;
  choosing: boolean;
  choose: (id: string, range: boolean) => void;
};

const TAGS = 4;

/** One chat of the list: who, what was said last, and who waits for whom. */
export const ChatRow = memo(function ChatRow({ chat, active, company, me, now, chosen, choosing, choose }: Props) {
  const { t, i18n } = useTranslation();
  const when = useDayOrTime();
  const name = useChatName()(chat);
  const draft = useDraft(me, chat.id);
  const busy = useWriters(chat.id).find((writer) => writer.who !== me);
  const unread = chat.unread > 0 || chat.marked_unread;
  const wait = waited(chat.waiting_since, now);
  const assignee = chat.assignee_id ? company.user.get(chat.assignee_id) : undefined;
  const device = company.devices.length > 1 ? company.device.get(chat.device_id)?.name : undefined;
  const tags = chat.tags.map((id) => company.tag.get(id)).filter((tag) => tag !== undefined);
  return (
    <>
      <Link
        to="/inbox/$chatId"
        params={{ chatId: chat.id }}
        className={classes.chat}
        data-active={active || undefined}
        aria-current={active ? "true" : undefined}
        preload={false}
      >
        <Avatar className={classes.face ?? ""} name={name} color="initials" radius="xl" size={42}>
          {chat.group ? <IconUsersGroup size={20} aria-hidden /> : undefined}
        </Avatar>
        <div className={classes.lines}>
          <div className={classes.line}>
            <div className={classes.name}>
              <Text fw={unread ? 700 : 550} truncate dir="auto" title={name}>
                {name}
              </Text>
              {tags.slice(0, TAGS).map((tag) => (
                <span
                  key={tag.id}
                  className={classes.dot}
                  style={{ background: tag.color, flex: "none" }}
                  title={tag.name}
                >
                  <VisuallyHidden>{tag.name}</VisuallyHidden>
                </span>
              ))}
            </div>
            <div className={classes.ends}>
              {chat.pinned && <IconPinFilled size={13} aria-label={t("filter.pinned")} />}
              <Text size="xs" c={unread ? "light-dark(#0b6e63, #6fd3c6)" : "dimmed"}>
                {chat.last_message_at ? when(chat.last_message_at) : ""}
              </Text>
            </div>
          </div>
          <div className={classes.line}>
            <div className={classes.preview}>
              {busy ? (
                <Text size="sm" truncate className={classes.writes}>
                  {busy.who !== "customer"
                    ? t("around.writes", { name: company.user.get(busy.who)?.name ?? t("around.somebody") })
                    : t(busy.state === "recording" ? "around.customerRecords" : "around.customerWrites")}
                </Text>
              ) : draft && !active ? (
                <Text size="sm" truncate dir="auto" c="dimmed">
                  <span className={classes.draft}>{t("inbox.draft")}</span> {draft.slice(0, 100)}
                </Text>
              ) : (
                <Preview chat={chat} />
              )}
            </div>
            <div className={classes.ends}>
              {wait && wait.minutes > 0 && chat.status === "open" && (
                <span
                  className={classes.wait}
                  data-level={wait.level}
                  title={t("inbox.waits")}
                  role="img"
                  aria-label={`${t("inbox.waits")}: ${inShort(wait.minutes, i18n.language)}`}
                >
                  {inShort(wait.minutes, i18n.language)}
                </span>
              )}
              {chat.unread > 0 && (
                <Badge
                  circle={chat.unread < 10}
                  size="md"
                  flex="none"
                  aria-label={t("inbox.unreadCount", { count: chat.unread })}
                >
                  {chat.unread > 99 ? "99+" : chat.unread}
                </Badge>
              )}
              {!chat.unread && chat.marked_unread && (
                <Badge circle size="md" flex="none" role="img" aria-label={t("inbox.markedUnread")} />
              )}
            </div>
          </div>
          {(device || assignee || chat.status !== "open") && (
            <div className={classes.line} style={{ minHeight: 16 }}>
              <Text size="xs" c="dimmed" truncate title={device ? t("inbox.via", { device }) : undefined}>
                {[chat.status !== "open" && t(`inbox.status.${chat.status}`), device].filter(Boolean).join(" · ")}
              </Text>
              {assignee && (
                <Avatar
                  name={assignee.name}
                  color="initials"
                  size={18}
                  radius="xl"
                  title={t("act.assignedTo", { name: assignee.name })}
                />
              )}
            </div>
          )}
        </div>
      </Link>
      <Checkbox
        className={classes.choose ?? ""}
        checked={chosen}
        onChange={() => {}}
        onClick={(event) => choose(chat.id, event.shiftKey)}
        aria-label={t("bulk.choose", { name })}
        tabIndex={choosing ? 0 : -1}
      />
    </>
  );
});

function Preview({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const inOneLine = useInOneLine();
  const last = chat.last_message;
  if (!last) return null;
  const Icon = last.kind === "text" || last.deleted_at ? undefined : iconOf(last.kind);
  const who = chat.group && !last.from_me && last.sender_name ? `${last.sender_name}: ` : "";
  return (
    <>
      {last.from_me && !last.deleted_at && <Ticks status={last.status} />}
      {Icon && <Icon size={15} stroke={1.7} aria-hidden style={{ flex: "none", opacity: 0.75 }} />}
      <Text size="sm" c="dimmed" truncate dir="auto">
        {who}
        {inOneLine(last) || t("inbox.empty")}
      </Text>
    </>
  );
}
