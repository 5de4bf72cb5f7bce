import type { ChatFilter } from "@/api/calls";
import type { Chat } from "@/api/types";

/** What the list shows: whose chats, how they stand, and what narrows it down. */
export type Chosen = {
  view: "mine" | "unassigned" | "all";
  status: Chat["status"] | "any";
  unread: boolean;
  pinned: boolean;
  device: string | null;
  agent: string | null;
  team: string | null;
  tag: string | null;
};

export const START: Chosen = {
  view: "all",
  status: "open",
  unread: false,
  pinned: false,
  device: null,
  agent: null,
  team: null,
  tag: null,
};

/** Says it in the API's words; a person chosen by name goes before the view. */
export function asFilter(chosen: Chosen, q: string): ChatFilter {
  const assignee = chosen.agent ?? { mine: "me", unassigned: "none", all: undefined }[chosen.view];
  return {
    // Who looks for somebody by name finds them wherever they stand.
    ...(chosen.status !== "any" && !q ? { status: chosen.status } : {}),
    ...(assignee && !q ? { assignee } : {}),
    ...(chosen.unread ? { unread: true } : {}),
    ...(chosen.pinned ? { pinned: true } : {}),
    ...(chosen.device ? { device_id: chosen.device } : {}),
    ...(chosen.team ? { team_id: chosen.team } : {}),
    ...(chosen.tag ? { tag_id: chosen.tag } : {}),
    ...(q ? { q } : {}),
  };
}

/** How many of them narrow the list beyond view and status. */
export const narrowed = (chosen: Chosen) =>
  [chosen.unread, chosen.pinned, chosen.device, chosen.agent, chosen.team, chosen.tag].filter(Boolean).length;

const KEY = "clarin.inbox.filter";

export function remembered(stored: string | null = localStorage.getItem(KEY)): Chosen {
  try {
    const read = JSON.parse(stored ?? "{}") as Partial<Chosen>;
    const known = Object.fromEntries(Object.entries(read).filter(([key]) => key in START));
    return { ...START, ...known };
  } catch {
    return START;
  }
}

export const remember = (chosen: Chosen) => localStorage.setItem(KEY, JSON.stringify(chosen));
