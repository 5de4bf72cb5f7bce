import type { EachWeek, Weekly } from "@/api/generated";

/** What is open on one day; the times are `HH:MM` of the wall clock. */
export type Part = { opens: string; closes: string };
export type Week = Part[][];

const short = (time: string) => time.slice(0, 5);

/** Seven lists of parts, Monday first, each in the order of the day. */
export const week = (weekly: Weekly[]): Week =>
  Array.from({ length: 7 }, (_, day) =>
    weekly
      .filter((part) => part.day === day)
      .map(({ opens, closes }) => ({ opens: short(opens), closes: short(closes) }))
      .sort((a, b) => a.opens.localeCompare(b.opens)),
  );

export const weekly = (days: Week): EachWeek[] =>
  days.flatMap((parts, day) => parts.map(({ opens, closes }) => ({ day, opens, closes })));

const minutes = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

/** Whether a day has parts that lie over each other; what closes before it opens goes on after midnight. */
export const overlaps = (parts: Part[]): boolean => {
  const spans = parts
    .map(({ opens, closes }) => {
      const from = minutes(opens);
      const to = minutes(closes);
      return [from, to > from ? to : to + 24 * 60] as const;
    })
    .sort((a, b) => a[0] - b[0]);
  return spans.some(([from], index) => index > 0 && from < (spans[index - 1]?.[1] ?? 0));
};

/** Days in a row with the same parts are told as one: `[[0, 4], "09:00–18:00"]`. */
export function told(days: Week): { from: number; to: number; text: string }[] {
  const lines: { from: number; to: number; text: string }[] = [];
  for (const [day, parts] of days.entries()) {
    const text = parts.map(({ opens, closes }) => `${opens}–${closes}`).join(", ");
    const last = lines.at(-1);
    if (last && last.text === text && last.to === day - 1) last.to = day;
    else lines.push({ from: day, to: day, text });
  }
  return lines;
}
