import { useTranslation } from "react-i18next";
import { dates } from "@/formats";

const day = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
const DAY = 86_400_000;

const CLOCK = { hour: "2-digit", minute: "2-digit" } as const;
const WEEKDAY = { weekday: "short" } as const;
const SHORT = { day: "numeric", month: "numeric", year: "2-digit" } as const;
const WHOLE = { dateStyle: "medium", timeStyle: "short" } as const;
const LONG = { weekday: "long", day: "numeric", month: "long" } as const;

/** Today's time, else the day: as short as a list wants it. */
export function useDayOrTime() {
  const { t, i18n } = useTranslation();
  return (at: string) => {
    const date = new Date(at);
    const age = Math.round((day(new Date()) - day(date)) / DAY);
    if (age <= 0) return dates(i18n.language, CLOCK).format(date);
    if (age === 1) return t("inbox.yesterday");
    if (age < 7) return dates(i18n.language, WEEKDAY).format(date);
    return dates(i18n.language, SHORT).format(date);
  };
}

export function useTime() {
  const { i18n } = useTranslation();
  return (at: string) => dates(i18n.language, CLOCK).format(new Date(at));
}

/** A moment within the next days: its weekday and the time. */
export function useAhead() {
  const { i18n } = useTranslation();
  return (at: Date) => dates(i18n.language, { ...WEEKDAY, ...CLOCK }).format(at);
}

/** The heading of a day in a conversation. */
export function useDay() {
  const { t, i18n } = useTranslation();
  return (at: string) => {
    const date = new Date(at);
    const age = Math.round((day(new Date()) - day(date)) / DAY);
    if (age <= 0) return t("inbox.today");
    if (age === 1) return t("inbox.yesterday");
    return dates(i18n.language, age > 300 ? { ...LONG, year: "numeric" } : LONG).format(date);
  };
}

export const sameDay = (a: string, b: string) => day(new Date(a)) === day(new Date(b));

/** Writes a moment with its day, as the user's language has it; nothing where there is none. */
export function useMoment() {
  const { i18n } = useTranslation();
  const format = dates(i18n.language, WHOLE);
  return (at: string | null | undefined) => (at ? format.format(new Date(at)) : "");
}

/** The same, the day left out where it is today. */
export function useMomentOrTime() {
  const { i18n } = useTranslation();
  return (at: string) => {
    const date = new Date(at);
    const today = day(date) === day(new Date());
    return dates(i18n.language, today ? { timeStyle: "short" } : WHOLE).format(date);
  };
}
