/** Which days are shown, as the address has it, and what is wrong with those that somebody asks for. */
import type { Range } from "@/api/dashboard";

/** The usual periods, in days up to today. */
export const SPANS = { today: 1, week: 7, month: 30 } as const;
export type Span = keyof typeof SPANS;

/** What the server takes at most. */
export const MOST_DAYS = 400;

/** A usual period, or days of one's own: as they were written, whatever they are. */
export type Asked = { span: Span; own?: undefined } | { span?: undefined; own: Range };
export type Flaw = "missing" | "reversed" | "long" | "future";

const DAY_MS = 86_400_000;
const text = (value: unknown) => (typeof value === "string" ? value : "");

/** Reads an address; what it does not name is today. */
export function asked({ span, first, last }: Record<string, unknown>): Asked {
  if (first !== undefined || last !== undefined) return { own: { first: text(first), last: text(last) } };
  return { span: Object.hasOwn(SPANS, text(span)) ? (span as Span) : "today" };
}

/** The day *back* days before, as the calendar has it. */
export const ago = (day: string, back: number) =>
  new Date(Date.parse(`${day}T00:00:00Z`) - back * DAY_MS).toISOString().slice(0, 10);

/** How many days there are from the first to the last, both included; NaN where one of them is no day. */
export const length = ({ first, last }: Range) => (timeOf(last) - timeOf(first)) / DAY_MS + 1;

/** What is wrong with these days; *today* is the account's, where it is known. */
export function flaw(range: Range, today?: string): Flaw | undefined {
  const days = length(range);
  if (Number.isNaN(days)) return "missing";
  if (days < 1) return "reversed";
  if (today && range.last > today) return "future";
  if (days > MOST_DAYS) return "long";
}

/** Gives the beginning of a day; NaN for what is none, such as 30 February. */
function timeOf(day: string): number {
  const time = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day) ? time : Number.NaN;
}
