import { useSyncExternalStore } from "react";

/** What a person has set of this browser; it is kept for each user, and every tab follows. */
export type Preferences = {
  /** Notices of the operating system: of whose chats. */
  notify: "all" | "mine" | "off";
  sound: boolean;
  /** Shortcuts of a single key, which voice control or a cat may press by accident. */
  singleKeys: boolean;
};

const DEFAULTS: Preferences = { notify: "off", sound: true, singleKeys: true };
const PREFIX = "clarin.preferences.";

let user = "";
let current = DEFAULTS;
const listeners = new Set<() => void>();

function read(): Preferences {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(PREFIX + user) ?? "{}") };
  } catch {
    return DEFAULTS;
  }
}

function refresh() {
  current = read();
  for (const listener of listeners) listener();
}

if (typeof window !== "undefined") {
  window.addEventListener("storage", (event) => {
    if (event.key === PREFIX + user) refresh();
  });
}

/** From now on the preferences are those of this user. */
export function preferencesOf(id: string) {
  if (id === user) return;
  user = id;
  refresh();
}

export const preferences = () => current;

export function prefer(change: Partial<Preferences>) {
  current = { ...current, ...change };
  try {
    localStorage.setItem(PREFIX + user, JSON.stringify(current));
  } catch {
    // Where a browser keeps nothing, it holds for as long as the page is open.
  }
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const usePreferences = () => useSyncExternalStore(subscribe, preferences);
