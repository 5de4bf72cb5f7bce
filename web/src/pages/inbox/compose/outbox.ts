import { useSyncExternalStore } from "react";
import { asProblem, away, type Problem } from "@/api/problem";
import type { Message } from "@/api/types";

/** A message that the server has not taken yet. Its key goes with every try, so that it is never sent twice. */
export type Pending = {
  key: string;
  chat_id: string;
  at: string;
  kind: Message["kind"];
  text?: string | undefined;
  reply_to?: string | undefined;
  quoted?: Message["quoted"];
  media?: { id: string; name: string; mime: string; size: number; seconds?: number | null } | undefined;
  /** `waiting`: the server cannot be reached, and it is tried again by itself. */
  state: "sending" | "waiting" | "failed";
  problem?: { code: string; detail: string; requestId: string | undefined } | undefined;
};

/** Where what waits outlives the page: each by itself, because other tabs keep theirs there too. */
export type Kept = { all: () => Pending[]; put: (pending: Pending) => void; drop: (key: string) => void };

type Options = {
  send: (pending: Pending) => Promise<Message>;
  sent: (message: Message, pending: Pending) => void;
  kept: Kept;
  /** Milliseconds before the next try. */
  wait?: (attempt: number) => number;
};

/** The problems that end by themselves: nobody answers, too busy, or the same try is still under way. */
const passes = (problem: Problem) =>
  away(problem.status) ||
  [429, 500].includes(problem.status) ||
  (problem.status === 409 && problem.code.includes("flight"));

const backoff = (attempt: number) => Math.min(15_000, 700 * 2 ** attempt) * (0.5 + Math.random() / 2);

/**
 * Sends what was written, chat by chat in the order of writing, for as long as it takes: a server that is away, a network
 * that is gone and a page that is loaded anew lose nothing and double nothing.
 */
export class Outbox {
  private items: readonly Pending[] = [];
  private readonly busy = new Set<string>();
  private readonly watchers = new Set<() => void>();
  private readonly wakes = new Set<() => void>();
  private options: Options | undefined;

  /** Goes on with what a page before this one has left. */
  start(options: Options) {
    const first = !this.options;
    this.options = options;
    if (!first) return;
    this.items = options.kept.all().map((one) => (one.state === "failed" ? one : { ...one, state: "waiting" }));
    this.tell();
    for (const chat of new Set(this.items.map((one) => one.chat_id))) void this.work(chat);
  }

  all = () => this.items;

  watch = (then: () => void) => {
    this.watchers.add(then);
    return () => this.watchers.delete(then);
  };

  put(pending: Omit<Pending, "state">) {
    const next: Pending = { ...pending, state: "sending" };
    this.items = [...this.items, next];
    this.options?.kept.put(next);
    this.tell();
    void this.work(pending.chat_id);
  }

  /** Tries again at once: what failed, or all that waits. */
  again = (key?: string) => {
    if (key) this.change(key, { state: "sending", problem: undefined });
    for (const wake of this.wakes) wake();
    for (const one of this.items) void this.work(one.chat_id);
  };

  discard(key: string) {
    this.leave(key);
    this.tell();
    for (const wake of this.wakes) wake();
  }

  private change(key: string, change: Partial<Pending>) {
    this.items = this.items.map((one) => (one.key === key ? { ...one, ...change } : one));
    const changed = this.items.find((one) => one.key === key);
    if (changed) this.options?.kept.put(changed);
    this.tell();
  }

  private leave(key: string) {
    this.items = this.items.filter((one) => one.key !== key);
    this.options?.kept.drop(key);
  }

  private tell() {
    for (const watcher of this.watchers) watcher();
  }

  private async work(chat: string) {
    if (this.busy.has(chat) || !this.options) return;
    this.busy.add(chat);
    let attempt = 0;
    try {
      for (;;) {
        const next = this.items.find((one) => one.chat_id === chat && one.state !== "failed");
        if (!next) return;
        try {
          const message = await this.options.send(next);
          attempt = 0;
          this.leave(next.key);
          this.options.sent(message, next);
          this.tell();
        } catch (error) {
          const { code, detail, requestId, ...problem } = asProblem(error);
          if (passes({ code, ...problem } as Problem)) {
            this.change(next.key, { state: "waiting" });
            await this.pause((this.options.wait ?? backoff)(attempt++));
          } else this.change(next.key, { state: "failed", problem: { code, detail, requestId } });
        }
      }
    } finally {
      this.busy.delete(chat);
    }
  }

  private pause(ms: number) {
    return new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.wakes.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.wakes.add(wake);
    });
  }
}

/** Keeps what *user* has written in this browser. */
export function keptFor(user: string, storage: Storage = localStorage): Kept {
  const prefix = `clarin.outbox.${user}.`;
  return {
    all: () =>
      Object.keys(storage)
        .filter((name) => name.startsWith(prefix))
        .flatMap((name) => {
          try {
            return [JSON.parse(storage.getItem(name) ?? "") as Pending];
          } catch {
            return [];
          }
        })
        .sort((a, b) => (a.at < b.at ? -1 : 1)),
    put: (pending) => {
      try {
        storage.setItem(prefix + pending.key, JSON.stringify(pending));
      } catch {
        // a full storage costs the memory over a reload, not the sending
      }
    },
    drop: (key) => storage.removeItem(prefix + key),
  };
}

/** This browser's. */
export const outbox = new Outbox();

const none: readonly Pending[] = [];

/** What a chat has that the server has not taken yet. */
export function usePending(chat: string): readonly Pending[] {
  const items = useSyncExternalStore(outbox.watch, outbox.all);
  const mine = items.filter((one) => one.chat_id === chat);
  return mine.length ? mine : none;
}

/** Shows what waits as the message that it will be. */
export const asMessage = (one: Pending, device: string, me: string | undefined): Message => ({
  id: `pending-${one.key}`,
  chat_id: one.chat_id,
  device_id: device,
  from_me: true,
  author_id: me ?? null,
  kind: one.kind,
  status: one.state === "failed" ? "failed" : "queued",
  at: one.at,
  text: one.text ?? null,
  quoted: one.quoted ?? null,
  reason: one.state === "waiting" ? "no-server" : one.state === "failed" ? `refused:${one.problem?.code}` : null,
  media: one.media
    ? {
        mime: one.media.mime,
        size: one.media.size,
        file_name: one.media.name,
        state: "ready",
        seconds: one.media.seconds ?? null,
      }
    : null,
});

/** The socket may tell of a message before the request that made it has its answer: it is shown once. */
export function withPending(messages: Message[], pending: Message[]): Message[] {
  if (!pending.length) return messages;
  const newest = messages.slice(-20);
  const told = (one: Message) =>
    one.status === "queued" &&
    !one.reason &&
    newest.some(
      (other) =>
        other.from_me &&
        other.author_id === one.author_id &&
        other.kind === one.kind &&
        (other.text ?? null) === (one.text ?? null) &&
        Math.abs(Date.parse(other.at) - Date.parse(one.at)) < 10_000,
    );
  return [...messages, ...pending.filter((one) => !told(one))];
}
