import { ActionIcon, Avatar, Button, Group, Modal, Text, Title, Tooltip } from "@mantine/core";
import { IconArrowLeft, IconInfoCircle } from "@tabler/icons-react";
import { type InfiniteData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import * as inbox from "@/api/inbox";
import type { Chat, Message, Page } from "@/api/types";
import { ChatLead } from "@/pages/board/ChatLead";
import { Around } from "@/realtime/Around";
import { KEYS, knownChat, type Pages, shortened, showChat, withMessage } from "@/realtime/apply";
import type { Company } from "@/session/company";
import { useSession } from "@/session/session";
import { Failure } from "@/shell/Failure";
import { useLaterOrAtKey } from "@/shell/later";
import { phoneText } from "@/shell/phone";
import { useShowProblem } from "@/shell/problems";
import { useShortcuts } from "@/shell/shortcuts";
import type { MessageActs } from "./Bubble";
import { ChatBar } from "./ChatBar";
import { Composer, type ComposerHandle } from "./Composer";
import classes from "./Conversation.module.css";
import { asMessage, outbox, usePending, withPending } from "./compose/outbox";
import { type ListHandle, MessageList, MessagesToCome } from "./MessageList";
import { NewChat } from "./NewChat";
import { useChatName } from "./names";

const Viewer = lazy(() => import("./kinds/Viewer"));

/** Messages of one chat after which the oldest are let go. */
const MUCH = 300;

/** Pages that are looked through for a message that is answered, or was found. */
const FAR = 60;

type Props = {
  chatId: string;
  company: Company;
  phone: boolean;
  /** A message to be shown, such as one that was found. */
  at: string | undefined;
  details: { shown: boolean; toggle: () => void };
};

/** One chat: its messages as they come, where it stands, and the box to answer. */
export function Conversation({ chatId, company, phone, at, details }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const nameOf = useChatName();
  const me = useSession()?.user.id;
  const chat = useQuery({ queryKey: KEYS.chat(chatId), queryFn: () => api.chat(chatId) });
  const messages = useInfiniteQuery({
    queryKey: KEYS.messages(chatId),
    queryFn: ({ pageParam }) => api.messages(chatId, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  const device = company.device.get(chat.data?.device_id ?? "");
  const pending = usePending(chatId);
  const items = useMemo(() => {
    const told = (messages.data?.pages.flatMap((page) => page.items) ?? []).toReversed();
    return withPending(
      told,
      pending.map((one) => asMessage(one, device?.id ?? "", me)),
    );
  }, [messages.data, pending, device?.id, me]);
  const happened = useMemo(() => messages.data?.pages.flatMap((page) => page.happened ?? []) ?? [], [messages.data]);
  const name = nameOf(chat.data);

  // Whoever opens a chat sees at once that it is another one; what was said and what can be done follow a moment later.
  const later = useLaterOrAtKey();
  const list = useRef<ListHandle>(null);
  const composer = useRef<ComposerHandle>(null);
  const [viewed, setViewed] = useState<string>();
  const [leaving, setLeaving] = useState<Message>();
  const [writeTo, setWriteTo] = useState<string>();
  const [dragged, setDragged] = useState(false);

  // Read once, before the chat is said to be read: where the new begins.
  const [unread, setUnread] = useState<number>();
  const known = knownChat(client, chatId);
  const ready = !!messages.data && !!(chat.data ?? known);
  useEffect(() => {
    if (ready) setUnread((before) => before ?? Math.max(known?.unread ?? 0, chat.data?.unread ?? 0));
  }, [ready, known?.unread, chat.data?.unread]);

  // Whoever looks at the newest message has read the chat: here, in the list and on the customer's phone.
  const lastInbound = items.findLast((item) => !item.from_me)?.id;
  // A message may stand here before it counts: whichever comes last is when it is read.
  const counted = chat.data?.unread ?? 0;
  useEffect(() => {
    if (unread === undefined) return;
    const read = () => {
      if (document.visibilityState !== "visible") return;
      const now = knownChat(client, chatId);
      if (!counted && (now ? !now.unread && !now.marked_unread : !lastInbound)) return;
      void api.markRead(chatId).then(
        () => {
          const then = knownChat(client, chatId);
          if (then) showChat(client, { ...then, unread: 0, marked_unread: false }, me);
        },
        () => {},
      );
    };
    read();
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, [lastInbound, counted, unread, chatId, client, me]);

  const { hasNextPage, isFetchingNextPage, fetchNextPage } = messages;
  // A chat that is open all day does not hold all of the day: what is older comes back when somebody scrolls to it.
  const much = isFetchingNextPage ? 0 : Math.floor(items.length / MUCH);
  useEffect(() => {
    if (!much || !list.current?.atEnd()) return;
    const shorten = (first: Page<Message>) => {
      if (list.current?.atEnd())
        client.setQueryData<Pages<Message>>(KEYS.messages(chatId), (pages) => shortened(pages, first));
    };
    void api.messages(chatId, null).then(shorten, () => {});
  }, [much, chatId, client]);
  const jump = async (id: string) => {
    if (list.current?.show(id)) return;
    for (let page = 0; page < FAR; page++) {
      const { data, hasNextPage: more } = await fetchNextPage({ cancelRefetch: false });
      const here = (data as InfiniteData<Page<Message>> | undefined)?.pages
        .at(-1)
        ?.items.some((item) => item.id === id);
      if (here || !more) break;
    }
    requestAnimationFrame(() => requestAnimationFrame(() => list.current?.show(id)));
  };
  const jumping = useRef(jump);
  jumping.current = jump;
  const loaded = unread !== undefined;
  useEffect(() => {
    if (at && loaded) void jumping.current(at);
  }, [at, loaded]);

  const acts = useMemo<MessageActs>(() => {
    const put = (message: Message) =>
      client.setQueryData<Pages<Message>>(KEYS.messages(chatId), (pages) => withMessage(pages, message));
    const say = async (message: Message, shown: Message | undefined, call: () => Promise<unknown>) => {
      if (shown) put(shown);
      try {
        await call();
      } catch (error) {
        if (shown) put(message);
        showProblem(error);
      }
    };
    return {
      reply: (message) => composer.current?.reply(message),
      edit: (message) => composer.current?.edit(message),
      takeBack: setLeaving,
      react: (message, emoji) => {
        const others = (message.reactions ?? []).filter((one) => !one.from_me);
        const mine = { emoji, from_me: true, at: new Date().toISOString(), sender_name: null };
        void say(message, { ...message, reactions: emoji ? [...others, mine] : others }, () =>
          inbox.react(message.id, emoji),
        );
      },
      resend: (message) => void say(message, undefined, async () => put(await inbox.resend(message.id))),
      settle: (message, outcome) =>
        void say(message, undefined, async () => put({ ...message, ...(await inbox.settle(message.id, outcome)) })),
      again: (message) => outbox.again(message.id.slice("pending-".length)),
      discard: (message) => outbox.discard(message.id.slice("pending-".length)),
      view: (message) => setViewed(message.id),
      jump: (id) => void jumping.current(id),
      write: setWriteTo,
    };
  }, [client, chatId, showProblem]);

  useShortcuts([
    {
      id: "inbox.reply",
      keys: "r",
      label: "inboxKeys.reply",
      group: "inboxKeys.inbox",
      run: () => composer.current?.focus(false),
    },
    {
      id: "inbox.note",
      keys: "n",
      label: "inboxKeys.note",
      group: "inboxKeys.inbox",
      run: () => composer.current?.focus(true),
    },
    { id: "inbox.details", keys: "i", label: "inboxKeys.details", group: "inboxKeys.inbox", run: details.toggle },
    {
      id: "inbox.end",
      keys: "shift+g",
      label: "inboxKeys.end",
      group: "inboxKeys.inbox",
      run: () => list.current?.toEnd(),
    },
  ]);

  if (chat.isError && !chat.data) return <Failure error={chat.error} reset={() => void chat.refetch()} />;
  const shown: Chat | undefined = chat.data ?? known;
  const pictures = items.filter(
    (item) => (item.kind === "image" || item.kind === "video") && item.media?.state === "ready" && !item.deleted_at,
  );
  return (
    <section
      className={classes.page}
      aria-label={t("inbox.conversation", { name })}
      style={{ position: "relative" }}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setDragged(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDragged(false);
      }}
      onDrop={(event) => {
        if (!event.dataTransfer.files.length) return;
        event.preventDefault();
        setDragged(false);
        composer.current?.take([...event.dataTransfer.files]);
      }}
    >
      <header className={classes.head}>
        {phone && (
          <ActionIcon
            component={Link}
            to="/inbox"
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={t("common.back")}
          >
            <IconArrowLeft size={20} />
          </ActionIcon>
        )}
        {shown && (
          <>
            <Avatar name={name} color="initials" radius="xl" className={classes.face} />
            <div className={classes.who}>
              <Title order={2} size="md" lineClamp={1} dir="auto" title={name}>
                {name}
              </Title>
              <Text size="xs" c="dimmed" truncate>
                {[
                  shown.group ? t("inbox.group") : shown.contact?.phone && phoneText(shown.contact.phone),
                  device && t("inbox.via", { device: device.name }),
                ]
                  .filter(Boolean)
                  .join(" · ")}
              </Text>
              <Around chatId={chatId} />
            </div>
            {!phone && !details.shown && <ChatLead chatId={chatId} name={name} />}
            {later && <ChatBar chat={shown} company={company} compact={phone} />}
            <Tooltip label={`${t("details.toggle")} (I)`}>
              <ActionIcon
                variant={details.shown ? "light" : "subtle"}
                color={details.shown ? undefined : "gray"}
                size="lg"
                aria-label={t("details.toggle")}
                aria-pressed={details.shown}
                onClick={details.toggle}
              >
                <IconInfoCircle size={20} />
              </ActionIcon>
            </Tooltip>
          </>
        )}
      </header>
      {messages.isError && !messages.data ? (
        <Failure error={messages.error} reset={() => void messages.refetch()} />
      ) : !later ? (
        <div className={classes.body} />
      ) : !shown || unread === undefined ? (
        <MessagesToCome />
      ) : (
        <MessageList
          chat={shown}
          messages={items}
          happened={happened}
          unread={unread}
          older={{ has: hasNextPage, loading: isFetchingNextPage, more: () => void fetchNextPage() }}
          company={company}
          me={me}
          name={name}
          acts={acts}
          handle={list}
        />
      )}
      {shown && !later && <div className={classes.boxToCome} />}
      {shown && later && (
        <Composer
          key={chatId}
          chat={shown}
          device={device}
          company={company}
          me={me ?? ""}
          handle={composer}
          items={items}
        />
      )}
      {dragged && <div className={classes.drop}>{t("compose.drop")}</div>}
      {viewed && (
        <Suspense fallback={null}>
          <Viewer items={pictures} at={viewed} onClose={() => setViewed(undefined)} />
        </Suspense>
      )}
      {later && (
        <Modal opened={!!leaving} onClose={() => setLeaving(undefined)} title={t("inbox.takeBack")} centered>
          <Text size="sm" mb="md">
            {t("inbox.takeBackHint")}
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setLeaving(undefined)}>
              {t("common.cancel")}
            </Button>
            <Button
              color="red"
              data-autofocus
              onClick={() => {
                const message = leaving;
                setLeaving(undefined);
                if (message) inbox.takeBack(message.id).catch(showProblem);
              }}
            >
              {t("inbox.takeBack")}
            </Button>
          </Group>
        </Modal>
      )}
      {writeTo && <NewChat opened onClose={() => setWriteTo(undefined)} devices={company.devices} to={writeTo} />}
    </section>
  );
}
