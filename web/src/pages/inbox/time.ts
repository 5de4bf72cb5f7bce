import { useTranslation } from "react-i18next";

const day = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
const DAY = 86_400_000;

/** Today's time, else the day: as short as a list wants it. */
export function useDayOrTime() {
  const { t, i18n } = useTranslation();
  return (at: string) => {
    const date = new Date(at);
    const age = Math.round((day(new Date()) - day(date)) / DAY);
    if (age <= 0) return date.toLocaleTimeString(i18n.language, { hour: "2-digit", minute: "2-digit" });
    if (age === 1) return t("inbox.yesterday");
    if (age < 7) return date.toLocaleDateString(i18n.language, { weekday: "short" });
    return date.toLocaleDateString(i18n.language, { day: "numeric", month: "numeric", year: "2-digit" });
  };
}

export function useTime() {
  const { i18n } = useTranslation();
  return (at: string) => new Date(at).toLocaleTimeString(i18n.language, { hour: "2-digit", minute: "2-digit" });
}

/** The heading of a day in a conversation. */
export function useDay() {
  const { t, i18n } = useTranslation();
  return (at: string) => {
    const date = new Date(at);
    const age = Math.round((day(new Date()) - day(date)) / DAY);
    if (age <= 0) return t("inbox.today");
    if (age === 1) return t("inbox.yesterday");
    return date.toLocaleDateString(i18n.language, {
      weekday: "long",
      day: "numeric",
      month: "long",
      ...(age > 300 ? { year: "numeric" } : {}),
    });
  };
}

export const sameDay = (a: string, b: string) => day(new Date(a)) === day(new Date(b));
