/** Who is there, and who writes. Pure: the time is given. */
export type Colleague = { user_id: string; state: "online" | "away" | "offline"; chats: string[] };
export type Present = { state: "online" | "away"; chats: string[] };

/** Everybody of the account who is there, by user. */
export type Colleagues = Record<string, Colleague>;

export const PRESENCE = ["presence"] as const;

/** More than one screen shows, and fewer than the server takes. */
const CHATS = 10;

export const everybody = (items: Colleague[]): Colleagues => Object.fromEntries(items.map((one) => [one.user_id, one]));

/** Takes over what one colleague does now; who is offline is not in it. */
export function withColleague(known: Colleagues | undefined, one: Colleague): Colleagues {
  const { [one.user_id]: _, ...rest } = known ?? {};
  return one.state === "offline" ? rest : { ...rest, [one.user_id]: one };
}

/** Who else has a chat open, but for oneself. */
export const others = (known: Colleagues | undefined, chat: string, me: string | undefined): Colleague[] =>
  Object.values(known ?? {}).filter((one) => one.user_id !== me && one.chats.includes(chat));

/** Who writes in a chat: a user, or the customer; until when that is believed without being said again. */
export type Writer = { who: "customer" | string; state: string; until: number };

/** The server says of a customer alone when he just stopped, 12 s after his last sign. */
export const BELIEVED_MS = { customer: 15_000, colleague: 8_000 };

export function withWriter(writers: readonly Writer[] | undefined, who: string, state: string, now: number): Writer[] {
  const rest = (writers ?? []).filter((writer) => writer.who !== who && writer.until > now);
  if (state === "paused") return rest;
  const until = now + (who === "customer" ? BELIEVED_MS.customer : BELIEVED_MS.colleague);
  return [...rest, { who, state, until }];
}

export const writing = (writers: readonly Writer[] | undefined, now: number) =>
  (writers ?? []).filter((writer) => writer.until > now);

/** What this tab says of its user: whether he looks, and which chats are on the screen. */
export class Here {
  private readonly open = new Map<string, number>();
  private readonly heard = new Set<() => void>();
  private away = false;
  private wrote: { chat: string; at: number } | undefined;
  /** Says something to the server while there is a socket. */
  say: (message: object) => void = () => {};

  present = (): Present => ({
    state: this.away ? "away" : "online",
    chats: this.away ? [] : [...this.open.keys()].slice(-CHATS),
  });

  /** Calls *tell* whenever what is said changes; gives the way to end that. */
  listen = (tell: () => void) => {
    this.heard.add(tell);
    return () => this.heard.delete(tell);
  };

  /** A chat is on the screen, until what this gives is called. */
  enter = (chat: string) => {
    this.open.set(chat, (this.open.get(chat) ?? 0) + 1);
    this.tell();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const count = (this.open.get(chat) ?? 1) - 1;
      if (count) this.open.set(chat, count);
      else this.open.delete(chat);
      this.tell();
    };
  };

  look = (looking: boolean) => {
    if (this.away === !looking) return;
    this.away = !looking;
    this.tell();
  };

  /** The user types in a chat: said at once, and again every few seconds. */
  type = (chat: string, now: number) => {
    if (this.wrote?.chat === chat && now - this.wrote.at < 4_000) return;
    this.wrote = { chat, at: now };
    this.say({ type: "typing", chat_id: chat, state: "composing" });
  };

  /** The user has sent or cleared what he wrote. */
  rest = (chat: string) => {
    if (this.wrote?.chat !== chat) return;
    this.wrote = undefined;
    this.say({ type: "typing", chat_id: chat, state: "paused" });
  };

  private tell() {
    for (const tell of this.heard) tell();
  }
}

/** This tab. */
export const here = new Here();
