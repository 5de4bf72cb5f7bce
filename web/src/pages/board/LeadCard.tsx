import { Draggable } from "@hello-pangea/dnd";
import { Avatar, Badge, Group, Text, Tooltip, VisuallyHidden } from "@mantine/core";
import { IconAlarm, IconCalendar, IconCheckbox, IconClockExclamation } from "@tabler/icons-react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import type { Card, Stage } from "@/api/board";
import { dates } from "@/formats";
import { phoneText } from "@/shell/phone";
import { overdue, stuck } from "./apply";
import classes from "./BoardPage.module.css";
import { useMoney } from "./money";

type Props = { card: Card; index: number; stage: Stage; owner: string | undefined; onOpen: (id: string) => void };

/** A lead on the board: drag it by mouse, by a long touch, or with space and the arrows; enter or a click opens it. */
export const LeadCard = memo(function LeadCard({ card, index, stage, owner, onOpen }: Props) {
  const { t, i18n } = useTranslation();
  const money = useMoney();
  const late = stuck(card, stage, Date.now());
  const who = card.contact?.name ?? (card.contact?.phone ? phoneText(card.contact.phone) : null);
  const last = card.chat?.last_message;
  const unread = card.chat?.unread ?? 0;
  return (
    <Draggable draggableId={card.id} index={index}>
      {(drag, snapshot) => (
        // biome-ignore lint/a11y/useSemanticElements: a button cannot be dragged in Firefox; the library gives role and keys
        <div
          ref={drag.innerRef}
          {...drag.draggableProps}
          {...drag.dragHandleProps}
          role="button"
          tabIndex={0}
          className={classes.card}
          data-dragging={snapshot.isDragging || undefined}
          data-stuck={late || undefined}
          data-testid="lead"
          onClick={() => onOpen(card.id)}
          onKeyDown={(event) => event.key === "Enter" && onOpen(card.id)}
        >
          <div className={classes.line}>
            <Text fw={600} size="sm" truncate dir="auto">
              {card.title}
            </Text>
            {unread > 0 && (
              <Badge circle size="sm" flex="none" aria-label={t("inbox.unreadCount", { count: unread })}>
                {unread > 99 ? "99+" : unread}
              </Badge>
            )}
          </div>
          {who && who !== card.title && (
            <Text size="xs" c="dimmed" truncate dir="auto">
              {who}
            </Text>
          )}
          {last && (
            <Text size="xs" c="dimmed" truncate dir="auto" mt={2}>
              {last.from_me ? `${t("inbox.you")}: ` : ""}
              {last.text ??
                (last.kind === "text"
                  ? ""
                  : t(`message.kind.${last.kind}`, { defaultValue: t("message.kind.unsupported") }))}
            </Text>
          )}
          <div className={classes.line} style={{ marginTop: 6 }}>
            <Text size="sm" fw={600} c={card.value ? undefined : "dimmed"}>
              {money(card.value, card.currency)}
            </Text>
            <Group gap={6} wrap="nowrap">
              {late && (
                <Tooltip label={t("board.stuck")}>
                  <IconAlarm size={16} color="var(--mantine-color-orange-6)" aria-label={t("board.stuck")} />
                </Tooltip>
              )}
              {card.expected_close && (
                <Tooltip label={t("board.expected")}>
                  <Group gap={2} wrap="nowrap">
                    <IconCalendar size={14} aria-hidden />
                    <Text size="xs" c="dimmed">
                      {dates(i18n.language, { day: "numeric", month: "short" }).format(
                        new Date(`${card.expected_close}T12:00:00`),
                      )}
                    </Text>
                  </Group>
                </Tooltip>
              )}
              <Open count={card.open_tasks ?? 0} late={overdue(card.next_task_at, Date.now())} />
              {owner && (
                <Tooltip label={owner}>
                  <Avatar name={owner} color="initials" size={22} radius="xl" />
                </Tooltip>
              )}
            </Group>
          </div>
        </div>
      )}
    </Draggable>
  );
});

/** How many tasks are to be done; that one of them is overdue, its sign says. */
function Open({ count, late }: { count: number; late: boolean }) {
  const { t } = useTranslation();
  if (!count) return null;
  const Icon = late ? IconClockExclamation : IconCheckbox;
  const said = t(late ? "board.overdueTasks" : "board.openTasks", { count });
  return (
    <Tooltip label={said}>
      <Group
        gap={2}
        wrap="nowrap"
        pos="relative"
        c={late ? "var(--mantine-color-error)" : undefined}
        data-overdue={late || undefined}
      >
        <Icon size={14} aria-hidden />
        <Text size="xs" c={late ? undefined : "dimmed"} fw={late ? 600 : undefined} aria-hidden>
          {count}
        </Text>
        <VisuallyHidden>{said}</VisuallyHidden>
      </Group>
    </Tooltip>
  );
}
