import { ActionIcon, Box, Button, Indicator, Loader, Skeleton, Stack, Text, VisuallyHidden } from "@mantine/core";
import { IconArrowDown } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Chat, Happening, Message } from "@/api/types";
import { dates } from "@/formats";
import type { Company } from "@/session/company";
import { useDay, useTime } from "@/shell/time";
import { Bubble, type MessageActs } from "./Bubble";
import classes from "./Conversation.module.css";
import { useInOneLine } from "./kinds/useKind";
import { estimated, laidOut, oldestUnread } from "./timeline";

/** Near enough to the end to follow it. */
const END = 90;
/** What stands above the first message. */
const START = 44;

export type ListHandle = { show: (id: string) => boolean; toEnd: () => void; atEnd: () => boolean };

type Props = {
  chat: Chat;
  /** From the oldest to the newest. */
  messages: Message[];
  happened: Happening[];
  unread: number;
  older: { has: boolean; loading: boolean; more: () => void };
  company: Company;
  me: string | undefined;
  name: string;
  acts: MessageActs;
  handle: RefObject<ListHandle | null>;
};

/** The messages of a chat, however many: only those near the eye are in the page, and what is read stays where it is. */
export function MessageList({ chat, messages, happened, unread, older, company, me, name, acts, handle }: Props) {
  const { t } = useTranslation();
  const dayOf = useDay();
  const inOneLine = useInOneLine();
  const [firstNew, setFirstNew] = useState(() => oldestUnread(messages, unread));
  const [marked, setMarked] = useState<string>();
  const [seen, setSeen] = useState(messages.at(-1)?.id);
  const [atEnd, setAtEnd] = useState(true);
  const lines = useMemo(() => laidOut(messages, happened, firstNew), [messages, happened, firstNew]);
  const people = useMemo(() => company.users.map((user) => user.name), [company.users]);

  // The end at first, or the first of what nobody has seen: drawn there at once, not at the top and then there.
  const [opensAt] = useState(() => {
    const at = lines.findIndex((line) => line.kind === "new");
    return at > 0 && lines.length - at > 8 ? at : undefined;
  });
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => estimated(lines[index]),
    getItemKey: (index) => lines[index]?.key ?? index,
    overscan: 8,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: END,
    paddingStart: START,
    paddingEnd: 14,
    initialRect: { width: 0, height: window.innerHeight },
    initialOffset: () => lines.slice(0, opensAt).reduce((height, line) => height + estimated(line), START),
  });

  const stay = useRef(opensAt === undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the conversation opens
  useLayoutEffect(() => {
    if (opensAt === undefined) rows.scrollToEnd();
    else rows.scrollToIndex(opensAt, { align: "start" });
  }, []);

  // Whoever writes wants to see what he wrote, and knows what was above.
  const newest = messages.at(-1);
  const mine = newest?.from_me ? newest.id : undefined;
  const last = useRef(newest?.id);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the effect is about the newest message
  useEffect(() => {
    if (last.current === newest?.id) return;
    last.current = newest?.id;
    if (mine?.startsWith("pending-")) {
      stay.current = true;
      rows.scrollToEnd();
      setFirstNew(undefined);
    } else if (newest && !newest.from_me && document.visibilityState === "hidden") {
      setFirstNew((known) => known ?? newest.id);
    }
  }, [newest?.id]);

  // Whoever is at the end stays there, whatever grows: a picture, the box below, a message that has got its place.
  const total = rows.getTotalSize();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what grows is the reason
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && stay.current) element.scrollTop = element.scrollHeight;
  }, [total, lines]);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const watcher = new ResizeObserver(() => {
      if (stay.current) element.scrollTop = element.scrollHeight;
    });
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);

  const { has, loading, more } = older;
  const first = rows.getVirtualItems()[0]?.index ?? 0;
  useEffect(() => {
    if (has && !loading && lines.length && first < 12) more();
  }, [has, loading, more, first, lines.length]);

  const watch = () => {
    const element = scroller.current;
    if (!element) return;
    const end = element.scrollHeight - element.scrollTop - element.clientHeight < END;
    stay.current = end;
    setAtEnd(end);
    if (end) setSeen(messages.at(-1)?.id);
  };
  const unseen = useMemo(() => {
    if (atEnd) return 0;
    const from = messages.findIndex((message) => message.id === seen);
    // What was the last one may have another id by now, because it was ours and has been sent.
    return from < 0 ? 0 : messages.slice(from + 1).filter((message) => !message.from_me).length;
  }, [atEnd, messages, seen]);
  useEffect(() => {
    if (atEnd) setSeen(messages.at(-1)?.id);
  }, [atEnd, messages]);

  useImperativeHandle(
    handle,
    () => ({
      show: (id) => {
        const index = lines.findIndex((line) => line.key === id);
        if (index < 0) return false;
        stay.current = false;
        rows.scrollToIndex(index, { align: "center" });
        setMarked(id);
        return true;
      },
      toEnd: () => rows.scrollToEnd(),
      atEnd: () => stay.current,
    }),
    [lines, rows],
  );
  useEffect(() => {
    if (!marked) return;
    const timer = setTimeout(() => setMarked(undefined), 2_500);
    return () => clearTimeout(timer);
  }, [marked]);

  const whoWrote = (message: Message): string | undefined => {
    if (!message.from_me) return chat.group ? (message.sender_name ?? t("inbox.customer")) : undefined;
    if (message.kind === "note") return company.user.get(message.author_id ?? "")?.name ?? t("inbox.somebody");
    if (message.author_id === me && message.origin !== "schedule") return undefined;
    if (message.origin === "bot") return t("inbox.bot");
    if (message.origin === "automation") return t("inbox.automation");
    if (message.origin === "phone") return t("inbox.fromPhone");
    if (message.origin === "key") return t("inbox.program");
    return company.user.get(message.author_id ?? "")?.name;
  };

  const heard = newest && !newest.from_me ? newest : undefined;
  return (
    <Box className={classes.body}>
      <VisuallyHidden role="status" aria-live="polite">
        {heard && heard.id !== seen ? `${heard.sender_name ?? name}: ${inOneLine(heard)}` : ""}
      </VisuallyHidden>
      <div
        ref={scroller}
        className={classes.scroller}
        onScroll={watch}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={t("inbox.messages")}
      >
        <div className={classes.beginning}>
          {older.has ? (
            older.loading ? (
              <Loader size="xs" aria-label={t("common.loading")} />
            ) : (
              <Button variant="subtle" size="compact-xs" onClick={more}>
                {t("inbox.older")}
              </Button>
            )
          ) : (
            <Text size="xs" c="dimmed">
              {t("inbox.beginning")}
            </Text>
          )}
        </div>
        <div className={classes.lines} style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((row) => {
            const line = lines[row.index];
            if (!line) return null;
            return (
              <div
                key={row.key}
                data-index={row.index}
                ref={rows.measureElement}
                className={classes.messageLine}
                style={{ transform: `translateY(${row.start}px)` }}
              >
                {line.kind === "day" ? (
                  <div className={classes.day}>
                    <span>{dayOf(line.at)}</span>
                  </div>
                ) : line.kind === "new" ? (
                  <div className={classes.new}>
                    <span>{t("inbox.newMessages")}</span>
                  </div>
                ) : line.kind === "happened" ? (
                  <Happened
                    happened={line.happened}
                    company={company}
                    first={lines[row.index - 1]?.kind !== "happened"}
                  />
                ) : (
                  <Bubble
                    message={line.message}
                    follows={line.follows}
                    marked={line.message.id === marked}
                    who={whoWrote(line.message)}
                    people={people}
                    acts={acts}
                  />
                )}
              </div>
            );
          })}
        </div>
      </div>
      {!atEnd && (
        <Indicator
          className={classes.below}
          label={unseen > 99 ? "99+" : unseen}
          disabled={!unseen}
          size={18}
          offset={4}
        >
          <ActionIcon
            variant="default"
            radius="xl"
            size={40}
            aria-label={unseen ? t("inbox.toNew", { count: unseen }) : t("inbox.toEnd")}
            onClick={() => rows.scrollToEnd({ behavior: "auto" })}
          >
            <IconArrowDown size={20} />
          </ActionIcon>
        </Indicator>
      )}
    </Box>
  );
}

/** What happened to the chat, said between its messages. */
function Happened({ happened, company, first }: { happened: Happening; company: Company; first: boolean }) {
  const { t, i18n } = useTranslation();
  const time = useTime();
  const { kind, actor_id: actor, way } = happened;
  const nameOf = (id: string | null | undefined) => company.user.get(id ?? "")?.name ?? t("inbox.somebody");
  const taken = kind === "assigned" && happened.assignee_id === actor;
  const said = kind !== "assigned" ? kind : taken ? "taken" : happened.previous_id ? "passed" : kind;
  const words = t(`happened.${said}` as "happened.passed", {
    who: kind === "team" ? (company.team.get(happened.team_id ?? "")?.name ?? "") : nameOf(happened.assignee_id),
    from: nameOf(happened.previous_id),
    tags: happened.tags?.map((id) => company.tag.get(id)?.name ?? "…").join(", "),
    until: happened.until
      ? dates(i18n.language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(happened.until))
      : "",
  });
  const name = actor?.startsWith("key_") ? t("inbox.program") : nameOf(actor);
  const by = way && way !== "manual" ? t(`happened.by.${way}`) : actor && !taken && t("happened.by.somebody", { name });
  return (
    <div className={classes.happened} data-first={first || undefined} data-testid="happened">
      <span>
        {words}
        {by ? ` (${by})` : ""} · {time(happened.at)}
      </span>
    </div>
  );
}

/** What a conversation looks like before it is here. */
export function MessagesToCome() {
  const { t } = useTranslation();
  return (
    <Box className={classes.body}>
      <Stack
        p="md"
        gap="sm"
        justify="flex-end"
        h="100%"
        maw={860}
        mx="auto"
        role="status"
        aria-busy
        aria-label={t("common.loading")}
      >
        {[46, 62, 30, 54, 38].map((width, index) => (
          <Skeleton key={width} h={index % 3 ? 44 : 64} w={`${width}%`} radius={10} ml={index % 2 ? "auto" : 0} />
        ))}
      </Stack>
    </Box>
  );
}
