import type { Chat, Message } from "@/api/types";

/** What is older was missed, not new: a browser that comes back does not ring for all of it. */
const NEWS_MS = 2 * 60_000;
/** Whether a message is to be told of: not one's own, not a bot's or a program's, and not an old one. */
export const worthTelling = (message: Pick<Message, "from_me" | "kind" | "at">, now: number) =>
  !message.from_me &&
  !["reaction", "edit", "delete", "note"].includes(message.kind) &&
  now - Date.parse(message.at) < NEWS_MS;

/** Whose chats are told of, by what is set. */
export const concerns = (chat: Pick<Chat, "assignee_id">, which: "all" | "mine" | "off", me: string) =>
  which === "all" || (which === "mine" && (chat.assignee_id === me || chat.assignee_id === null));
