import type { Chat } from "@/api/types";

/** Where is looked for something: in which chats, of which contacts, between which days (`YYYY-MM-DD`, the reader's own). */
export type Within = {
  device: string | null;
  agent: string | null;
  tag: string | null;
  status: Chat["status"] | null;
  state: string | null;
  from: string;
  to: string;
};

export const EVERYWHERE: Within = { device: null, agent: null, tag: null, status: null, state: null, from: "", to: "" };

/** How many of them narrow the search. */
export const narrows = (within: Within) => Object.values(within).filter(Boolean).length;

/** Says it in the API's words: the last day is to its end. */
export function asQuery(within: Within) {
  const after = midnight(within.from, 0);
  const before = midnight(within.to, 1);
  return {
    ...(within.device ? { device_id: within.device } : {}),
    ...(within.agent ? { assignee_id: within.agent } : {}),
    ...(within.tag ? { tag_id: within.tag } : {}),
    ...(within.status ? { status: within.status } : {}),
    ...(within.state ? { state_id: within.state } : {}),
    ...(after ? { after } : {}),
    ...(before ? { before } : {}),
  };
}

/** When the day begins that lies *days* after *day*; undefined where it is none, or its year is still being typed. */
function midnight(day: string, days: number): string | undefined {
  const [year, month, date] = day.split("-").map(Number);
  if (!year || year < 1970 || !month || !date) return undefined;
  return new Date(year, month - 1, date + days).toISOString();
}
