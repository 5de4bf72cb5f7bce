import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Chat, Device, Message, MessageStatus, Page } from "@/api/types";

/** Where what the server told is kept. Everything here is safe in any order and on repeats. */
export const KEYS = {
  devices: ["devices"] as const,
  chats: ["chats"] as const,
  chat: (id: string) => ["chat", id] as const,
  messages: (id: string) => ["messages", id] as const,
};

export type Pages<T> = InfiniteData<Page<T>, string | null>;

const RANK: Record<MessageStatus, number> = {
  queued: 0,
  sending: 1,
  unknown: 2,
  failed: 3,
  sent: 4,
  received: 5,
  delivered: 5,
  read: 6,
  played: 7,
};

/** Newer beats older; a status never goes back. */
export const merge = (old: Message, next: Partial<Message> & { status: MessageStatus }): Message =>
  RANK[next.status] < RANK[old.status]
    ? { ...old, ...next, status: old.status, reason: old.reason }
    : { ...old, ...next };

const newestFirst = (a: Message, b: Message) => (a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1);

/** Puts a message where it belongs, once; the pages keep their bounds. */
export function withMessage(
  pages: Pages<Message> | undefined,
  message: Message,
  replaces?: string,
): Pages<Message> | undefined {
  if (!pages?.pages.length) return pages;
  let found = false;
  // The socket may tell of our own message before the request that made it has its answer.
  const twin = (item: Message) => message.from_me && item.id.startsWith("pending-") && item.text === message.text;
  const known =
    message.id.startsWith("pending-") || pages.pages.some((page) => page.items.some((item) => item.id === message.id));
  const stale = known ? replaces : (replaces ?? pages.pages.flatMap((page) => page.items).findLast(twin)?.id);
  const next = pages.pages.map((page) => ({
    ...page,
    items: page.items
      .filter((item) => item.id !== stale)
      .map((item) => {
        if (item.id !== message.id) return item;
        found = true;
        return merge(item, message);
      }),
  }));
  if (!found) {
    const home = next.findIndex((page) => {
      const last = page.items.at(-1);
      return !last || newestFirst(message, last) <= 0;
    });
    const target = next[home === -1 ? next.length - 1 : home];
    if (target) target.items = [...target.items, message].sort(newestFirst);
  }
  return { ...pages, pages: next };
}

export function withStatus(
  pages: Pages<Message> | undefined,
  change: { id: string; status: MessageStatus; reason?: string | null },
) {
  return (
    pages && {
      ...pages,
      pages: pages.pages.map((page) => ({
        ...page,
        items: page.items.map((item) =>
          item.id === change.id ? merge(item, { status: change.status, reason: change.reason }) : item,
        ),
      })),
    }
  );
}

/** Moves a chat to where its newest message puts it. */
export function withChat(pages: Pages<Chat> | undefined, chat: Chat): Pages<Chat> | undefined {
  if (!pages?.pages.length) return pages;
  const rest = pages.pages.map((page) => ({ ...page, items: page.items.filter((item) => item.id !== chat.id) }));
  const home = rest.findIndex((page) =>
    page.items.some((item) => (item.last_message_at ?? "") <= (chat.last_message_at ?? "")),
  );
  const target = rest[home === -1 ? rest.length - 1 : home];
  if (target) {
    target.items = [...target.items, chat].sort((a, b) =>
      (a.last_message_at ?? "") < (b.last_message_at ?? "") ? 1 : -1,
    );
  }
  return { ...pages, pages: rest };
}

/** Where a chat stands, as `chat_changed` and `chat_created` tell it. */
export type Standing = Pick<
  Chat,
  | "id"
  | "assignee_id"
  | "name"
  | "pinned"
  | "revision"
  | "snoozed_until"
  | "status"
  | "tags"
  | "team_id"
  | "waiting_since"
>;

/** Takes over where a chat stands; of a lower revision it is old news. What is unread the messages say, and `chat_read`. */
export function withStanding(chat: Chat, told: Standing): Chat {
  if (told.id !== chat.id || told.revision < chat.revision) return chat;
  const { assignee_id, pinned, revision, snoozed_until, status, tags, team_id, waiting_since } = told;
  const name = told.name ?? chat.name;
  return { ...chat, assignee_id, name, pinned, revision, snoozed_until, status, tags, team_id, waiting_since };
}

/** Whether a chat may be in other lists by now than before: lists are filtered by these. */
export const standsElsewhere = (chat: Chat, told: Standing) =>
  told.revision >= chat.revision &&
  (chat.assignee_id !== told.assignee_id ||
    chat.pinned !== told.pinned ||
    chat.status !== told.status ||
    chat.team_id !== told.team_id ||
    chat.tags.join() !== told.tags.join());

/** Takes a chat out of a list. */
export const without = (pages: Pages<Chat> | undefined, id: string): Pages<Chat> | undefined =>
  pages && {
    ...pages,
    pages: pages.pages.map((page) => ({ ...page, items: page.items.filter((item) => item.id !== id) })),
  };

export const findChat = (pages: Pages<Chat> | undefined, id: string) =>
  pages?.pages.flatMap((page) => page.items).find((item) => item.id === id);

/** Tells a device's news from old news by its revision. */
export const withDevice = (page: Page<Device> | undefined, device: Device): Page<Device> | undefined => {
  if (!page) return page;
  const known = page.items.some((item) => item.id === device.id);
  return {
    ...page,
    items: known
      ? page.items.map((item) =>
          item.id === device.id && (device.revision ?? 0) >= (item.revision ?? 0) ? { ...item, ...device } : item,
        )
      : [...page.items, device],
  };
};

/** Applies a message to every list of chats; true where one of them shows the chat already. */
export function touchChats(client: QueryClient, message: Message, options: { unread: boolean }): boolean {
  let known = false;
  for (const [key, pages] of client.getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats })) {
    const chat = findChat(pages, message.chat_id);
    if (!chat) continue;
    known = true;
    const newer = !chat.last_message || newestFirst(message, chat.last_message) <= 0;
    const same = chat.last_message?.id === message.id;
    client.setQueryData(
      key,
      withChat(pages, {
        ...chat,
        unread: options.unread && !same ? chat.unread + 1 : chat.unread,
        last_message: newer ? message : chat.last_message,
        last_message_at: newer ? message.at : chat.last_message_at,
      }),
    );
  }
  return known;
}
