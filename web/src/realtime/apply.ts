import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { ChatFilter } from "@/api/calls";
import type { Chat, Device, Happening, Message, MessageStatus, Page } from "@/api/types";

/** Where what the server told is kept. Everything here is safe in any order and on repeats. */
export const KEYS = {
  devices: ["devices"] as const,
  chats: ["chats"] as const,
  chat: (id: string) => ["chat", id] as const,
  messages: (id: string) => ["messages", id] as const,
  counts: ["chat-counts"] as const,
  scheduled: (chat: string) => ["scheduled", chat] as const,
  tags: ["tags"] as const,
  contact: (id: string) => ["contact", id] as const,
  contactNotes: (id: string) => ["contact-notes", id] as const,
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

type Progress = { status: MessageStatus; reason?: string | null };

/** Tells whether the customer's phone has it and could not read it: the one way back from `sent`. */
export const unreadable = (message: Progress) => message.status === "unknown" && message.reason === "not-readable";

const rank = (message: Progress) => (unreadable(message) ? RANK.sent : RANK[message.status]);

/** Newer beats older; a status never goes back. Of what could not be read, somebody says what became of it. */
export const merge = (old: Message, next: Partial<Message> & { status: MessageStatus }): Message =>
  rank(next) < (unreadable(old) ? RANK.failed : rank(old))
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

/** Of a conversation that has become long what *first*, its newest page, bounds stays: each message as it stands here. */
export function shortened(pages: Pages<Message> | undefined, first: Page<Message>): Pages<Message> | undefined {
  const all = pages?.pages.flatMap((page) => page.items) ?? [];
  const end = all.findIndex((item) => item.id === first.items.at(-1)?.id);
  const oldest = all[end];
  if (!pages || !oldest) return pages;
  const since = pages.pages
    .flatMap((page) => page.happened ?? [])
    .filter((one) => Date.parse(one.at) >= Date.parse(oldest.at));
  return { pages: [{ ...first, items: all.slice(0, end + 1), happened: since }], pageParams: [null] };
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

/** As the server sorts them: of two of the same moment neither changes places because it was read. */
const lastFirst = (a: Chat, b: Chat) => {
  const [x, y] = [a.last_message_at ?? "", b.last_message_at ?? ""];
  return x === y ? (a.id < b.id ? 1 : -1) : x < y ? 1 : -1;
};

/** Moves a chat to where its newest message puts it. */
export function withChat(pages: Pages<Chat> | undefined, chat: Chat): Pages<Chat> | undefined {
  if (!pages?.pages.length) return pages;
  const rest = pages.pages.map((page) => ({ ...page, items: page.items.filter((item) => item.id !== chat.id) }));
  const home = rest.findIndex((page) => page.items.some((item) => lastFirst(chat, item) < 0));
  const target = rest[home === -1 ? rest.length - 1 : home];
  if (target) {
    target.items = [...target.items, chat].sort(lastFirst);
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

/** Whether a list with this filter shows a chat; undefined where only the server knows. */
export function fits(chat: Chat, filter: ChatFilter, me: string | undefined): boolean | undefined {
  if (filter.status && chat.status !== filter.status) return false;
  if (filter.device_id && chat.device_id !== filter.device_id) return false;
  if (filter.contact_id && chat.contact?.id !== filter.contact_id) return false;
  if (filter.team_id && chat.team_id !== filter.team_id) return false;
  if (filter.tag_id && !chat.tags.includes(filter.tag_id)) return false;
  if (filter.unread !== undefined && (chat.unread > 0 || chat.marked_unread) !== filter.unread) return false;
  if (filter.pinned && !chat.pinned) return false;
  if (filter.assignee === "none" && chat.assignee_id) return false;
  if (filter.assignee && filter.assignee !== "none") {
    if (chat.assignee_id !== (filter.assignee === "me" ? me : filter.assignee)) return false;
  }
  return filter.q ? undefined : true;
}

/** Puts a chat where it belongs in a list, or takes it out; older than all that was fetched it comes with its page. */
export function placed(
  pages: Pages<Chat> | undefined,
  chat: Chat,
  filter: ChatFilter,
  me: string | undefined,
): Pages<Chat> | undefined {
  if (!pages?.pages.length) return pages;
  const here = findChat(pages, chat.id);
  // What somebody is just reading stays in the list of the unread until that is fetched anew.
  const { unread: _, ...rest } = filter;
  const belongs = fits(chat, here ? rest : filter, me);
  if (belongs === false) return here ? without(pages, chat.id) : pages;
  if (here) return withChat(pages, chat);
  if (belongs === undefined) return pages;
  const whole = pages.pages.at(-1)?.next_cursor === null;
  const reached = pages.pages.some((page) => page.items.some((item) => lastFirst(chat, item) < 0));
  return whole || reached ? withChat(pages, chat) : pages;
}

/** Finds a chat in whatever has been fetched. */
export function knownChat(client: QueryClient, id: string): Chat | undefined {
  let found = client.getQueryData<Chat>(KEYS.chat(id));
  for (const [, pages] of client.getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats })) {
    const item = findChat(pages, id);
    if (item && (!found || item.revision >= found.revision)) found = item;
  }
  return found;
}

/** Shows a chat as it is now, in every list and where it is open. */
export function showChat(client: QueryClient, chat: Chat, me: string | undefined) {
  for (const [key, pages] of client.getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats })) {
    const next = placed(pages, chat, (key[1] as ChatFilter | undefined) ?? {}, me);
    if (next !== pages) client.setQueryData(key, next);
  }
  client.setQueryData<Chat>(KEYS.chat(chat.id), (old) => old && chat);
}

/** Applies a message to every list of chats; false where nothing that was fetched knows the chat. */
export function touchChats(
  client: QueryClient,
  message: Message,
  options: { unread: boolean; me?: string | undefined },
): boolean {
  const chat = knownChat(client, message.chat_id);
  if (!chat) return false;
  const newer = !chat.last_message || newestFirst(message, chat.last_message) <= 0;
  const same = chat.last_message?.id === message.id;
  showChat(
    client,
    {
      ...chat,
      unread: options.unread && !same ? chat.unread + 1 : chat.unread,
      last_message: newer ? message : chat.last_message,
      last_message_at: newer ? message.at : chat.last_message_at,
    },
    options.me,
  );
  return true;
}

/** Takes over how a message stands that may be a chat's last one; nothing moves in the lists. */
export function touchLast(client: QueryClient, chatId: string, change: (last: Message) => Message, id: string) {
  const changed = (chat: Chat): Chat =>
    chat.last_message?.id === id ? { ...chat, last_message: change(chat.last_message) } : chat;
  for (const [key, pages] of client.getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats })) {
    const chat = findChat(pages, chatId);
    if (chat?.last_message?.id === id) client.setQueryData(key, withChat(pages, changed(chat)));
  }
  client.setQueryData<Chat>(KEYS.chat(chatId), (chat) => chat && changed(chat));
}

/** Puts what happened to a chat beside its newest messages, each once. */
export function withHappened(pages: Pages<Message> | undefined, some: Happening[]): Pages<Message> | undefined {
  const [newest, ...rest] = pages?.pages ?? [];
  if (!pages || !newest) return pages;
  const known = new Set(pages.pages.flatMap((page) => page.happened ?? []).map((one) => one.id));
  const news = some.filter((one) => !known.has(one.id));
  if (!news.length) return pages;
  return { ...pages, pages: [{ ...newest, happened: [...news, ...(newest.happened ?? [])] }, ...rest] };
}
