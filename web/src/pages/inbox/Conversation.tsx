import { ActionIcon, Avatar, Box, Button, Center, Group, Loader, Text, Title } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconArrowDown, IconArrowLeft } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import type { Chat } from "@/api/types";
import { ChatLead } from "@/pages/board/ChatLead";
import { Around } from "@/realtime/Around";
import { findChat, KEYS, type Pages, withChat } from "@/realtime/apply";
import { Failure } from "@/shell/Failure";
import { phoneText } from "@/shell/phone";
import { Bubble } from "./Bubble";
import { Composer } from "./Composer";
import classes from "./Conversation.module.css";
import { useChatName } from "./names";
import { sameDay, useDay } from "./time";

/** One chat: its messages as they come, and the box to answer. */
export function Conversation({ chatId }: { chatId: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const dayOf = useDay();
  const nameOf = useChatName();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const chat = useQuery({ queryKey: KEYS.chat(chatId), queryFn: () => api.chat(chatId) });
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: api.devices });
  const messages = useInfiniteQuery({
    queryKey: KEYS.messages(chatId),
    queryFn: ({ pageParam }) => api.messages(chatId, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  const items = (messages.data?.pages.flatMap((page) => page.items) ?? []).toReversed();
  const newest = items.at(-1);
  const device = devices.data?.items.find((item) => item.id === chat.data?.device_id);
  const name = nameOf(chat.data);

  // Whoever looks at the newest message has read the chat: here, in the list and on the customer's phone.
  const lastInbound = items.findLast((item) => !item.from_me)?.id;
  useEffect(() => {
    if (!lastInbound) return;
    const read = () => {
      if (document.visibilityState !== "visible") return;
      const listed = client
        .getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats })
        .map(([, pages]) => findChat(pages, chatId));
      if (listed.some(Boolean) && !listed.some((item) => item?.unread)) return;
      void api.markRead(chatId).then(
        () => {
          for (const [key, pages] of client.getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats })) {
            const item = findChat(pages, chatId);
            if (item) client.setQueryData(key, withChat(pages, { ...item, unread: 0 }));
          }
        },
        () => {},
      );
    };
    read();
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, [lastInbound, chatId, client]);

  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const height = useRef(0);
  const [below, setBelow] = useState(false);
  const toEnd = () => {
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
    setBelow(false);
  };
  // New messages keep the end in sight for whoever is there; older ones, put on top, do not move what is being read.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the effect is about these two
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    if (atEnd.current || newest?.from_me) toEnd();
    else setBelow(true);
  }, [newest?.id]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when older messages came
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && !atEnd.current && height.current) element.scrollTop += element.scrollHeight - height.current;
    height.current = element?.scrollHeight ?? 0;
  }, [messages.data?.pages.length]);

  const scrolled = () => {
    const element = scroller.current;
    if (!element) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
    height.current = element.scrollHeight;
    if (atEnd.current) setBelow(false);
    if (element.scrollTop < 200 && messages.hasNextPage && !messages.isFetchingNextPage) void messages.fetchNextPage();
  };

  if (chat.isError) return <Failure error={chat.error} reset={() => void chat.refetch()} />;
  return (
    <section className={classes.page} aria-label={t("inbox.conversation", { name })}>
      <Group className={classes.head} wrap="nowrap" component="header">
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
        {chat.data && (
          <>
            <Avatar name={name} color="initials" radius="xl" />
            <div style={{ minWidth: 0 }}>
              <Title order={2} size="md" lineClamp={1} dir="auto">
                {name}
              </Title>
              <Text size="xs" c="dimmed" truncate>
                {[
                  chat.data.contact?.phone && phoneText(chat.data.contact.phone),
                  device && t("inbox.via", { device: device.name }),
                ]
                  .filter(Boolean)
                  .join(" · ")}
              </Text>
              <Around chatId={chatId} />
            </div>
            <div style={{ marginLeft: "auto" }}>
              <ChatLead chatId={chatId} name={name} />
            </div>
          </>
        )}
      </Group>
      <Box className={classes.body}>
        <div ref={scroller} className={classes.scroller} onScroll={scrolled}>
          {messages.isError ? (
            <Failure error={messages.error} reset={() => void messages.refetch()} />
          ) : messages.isPending ? (
            <Center h="100%">
              <Loader size="sm" aria-label={t("common.loading")} />
            </Center>
          ) : (
            <div className={classes.messages} role="log" aria-live="polite" aria-relevant="additions">
              <Text ta="center" size="xs" c="dimmed" py="xs">
                {messages.hasNextPage ? (
                  <Button
                    variant="subtle"
                    size="compact-xs"
                    loading={messages.isFetchingNextPage}
                    onClick={() => void messages.fetchNextPage()}
                  >
                    {t("inbox.older")}
                  </Button>
                ) : (
                  t("inbox.beginning")
                )}
              </Text>
              {items.map((message, index) => {
                const before = items[index - 1];
                const newDay = !before || !sameDay(before.at, message.at);
                return (
                  <div key={message.id}>
                    {newDay && (
                      <div className={classes.day}>
                        <span>{dayOf(message.at)}</span>
                      </div>
                    )}
                    <Bubble message={message} follows={!newDay && before?.from_me === message.from_me} />
                  </div>
                );
              })}
            </div>
          )}
        </div>
        {below && (
          <Button
            className={classes.below}
            size="xs"
            radius="xl"
            leftSection={<IconArrowDown size={14} />}
            onClick={toEnd}
          >
            {t("inbox.newMessages")}
          </Button>
        )}
      </Box>
      <Composer chatId={chatId} device={device} />
    </section>
  );
}
