import type { Happening, Message } from "@/api/types";
import { sameDay } from "@/shell/time";

/** One line of a conversation, from the oldest to the newest. */
export type Line =
  | { key: string; kind: "day"; at: string }
  | { key: string; kind: "new" }
  | { key: string; kind: "happened"; happened: Happening }
  | { key: string; kind: "message"; message: Message; follows: boolean };

/** Who said it, as far as two bubbles in a row are one turn. */
const voice = (message: Message) =>
  `${message.kind === "note"} ${message.from_me} ${message.from_me ? (message.author_id ?? message.origin) : message.sender_name}`;

/**
 * Lays a conversation out: days, messages, what happened between them, and the line above what is new.
 * `firstNew` is the oldest message that nobody had seen.
 */
export function laidOut(messages: Message[], happened: Happening[], firstNew: string | undefined): Line[] {
  // WhatsApp's times are whole seconds, ours are not: as texts they do not compare.
  const story = happened
    .map((one) => ({ one, at: Date.parse(one.at) }))
    .sort((a, b) => a.at - b.at || (a.one.id < b.one.id ? -1 : 1));
  const lines: Line[] = [];
  const replaced = new Set(messages.map((one) => one.resend_of).filter(Boolean));
  let last: string | undefined;
  let next = 0;
  let turn: string | undefined;
  const day = (at: string) => {
    if (last && sameDay(last, at)) return;
    lines.push({ key: `day ${new Date(at).toDateString()}`, kind: "day", at });
    turn = undefined;
    last = at;
  };
  const tell = (until: number) => {
    for (let told = story[next]; told && told.at < until; told = story[++next]) {
      day(told.one.at);
      lines.push({ key: `happened ${told.one.id}`, kind: "happened", happened: told.one });
      turn = undefined;
    }
  };
  for (const message of messages) {
    // What failed and was sent again is shown once, where it was sent again.
    if (replaced.has(message.id)) continue;
    tell(Date.parse(message.at));
    day(message.at);
    if (message.id === firstNew) {
      lines.push({ key: "new", kind: "new" });
      turn = undefined;
    }
    const now = voice(message);
    lines.push({ key: message.id, kind: "message", message, follows: now === turn });
    turn = now;
  }
  tell(Number.POSITIVE_INFINITY);
  return lines;
}

/** The oldest of the last *unread* messages of the other side. */
export function oldestUnread(messages: Message[], unread: number): string | undefined {
  if (!unread) return undefined;
  let left = unread;
  let found: string | undefined;
  for (const message of messages.toReversed()) {
    if (message.from_me) continue;
    found = message.id;
    if (!--left) break;
  }
  return found;
}

/** How large a line is before anybody has measured it. */
export function estimated(line: Line | undefined): number {
  if (line?.kind !== "message") return 40;
  const { message } = line;
  const text = Math.ceil((message.text?.length ?? 0) / 55) * 21;
  switch (message.kind) {
    case "image":
    case "video":
      return 260 + text;
    case "sticker":
      return 170;
    case "voice":
    case "audio":
    case "document":
      return 84 + text;
    default:
      return 42 + Math.max(21, Math.min(text, 4000)) + (message.quoted ? 52 : 0);
  }
}
