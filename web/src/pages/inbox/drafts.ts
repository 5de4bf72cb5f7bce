import { useSyncExternalStore } from "react";

/** What is typed and not sent, by chat: it outlives a reload, a lost session and a closed browser. */
export type Draft = { text: string; note?: boolean; reply?: string | undefined };

const PREFIX = "clarin.draft.";
const EMPTY: Draft = { text: "" };
const watchers = new Set<() => void>();
const held = new Map<string, Draft>();

const place = (user: string, chat: string) => `${PREFIX}${user}.${chat}`;

export function draft(user: string, chat: string): Draft {
  const key = place(user, chat);
  const known = held.get(key);
  if (known) return known;
  let read = EMPTY;
  try {
    read = { ...EMPTY, ...(JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<Draft>) };
  } catch {
    // what nobody can read is no draft
  }
  held.set(key, read);
  return read;
}

export function keepDraft(user: string, chat: string, next: Draft) {
  const key = place(user, chat);
  const before = held.get(key);
  held.set(key, next);
  try {
    if (next.text || next.reply || next.note) localStorage.setItem(key, JSON.stringify(next));
    else localStorage.removeItem(key);
  } catch {
    // a full storage must not keep anybody from typing
  }
  if (!before?.text !== !next.text) for (const watcher of watchers) watcher();
}

const watch = (then: () => void) => {
  watchers.add(then);
  return () => watchers.delete(then);
};

/** What is typed in a chat, for the list: the text as it was when typing began. */
export const useDraft = (user: string, chat: string) => useSyncExternalStore(watch, () => draft(user, chat).text);
