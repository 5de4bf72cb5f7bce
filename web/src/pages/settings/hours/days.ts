import { useTranslation } from "react-i18next";
import { dates } from "@/formats";

/** The days of the week from Monday on, in the user's language. */
export function useDays(weekday: "short" | "long"): string[] {
  const { i18n } = useTranslation();
  const format = dates(i18n.language, { weekday, timeZone: "UTC" });
  // 2024 began on a Monday.
  return Array.from({ length: 7 }, (_, day) => {
    const name = format.format(new Date(Date.UTC(2024, 0, 1 + day)));
    return name.charAt(0).toLocaleUpperCase(i18n.language) + name.slice(1);
  });
}
