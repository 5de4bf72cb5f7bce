import { numbers } from "@/formats";

/** How long a customer has waited for a person, and how bad that is by now. */
export const LATE_MINUTES = 15;
export const LOST_MINUTES = 60;

export type Wait = { minutes: number; level: "fine" | "late" | "lost" };

export function waited(since: string | null | undefined, now: number): Wait | undefined {
  if (!since) return undefined;
  const minutes = Math.max(0, Math.floor((now - Date.parse(since)) / 60_000));
  return { minutes, level: minutes >= LOST_MINUTES ? "lost" : minutes >= LATE_MINUTES ? "late" : "fine" };
}

/** `5 min`, `3 h`, `2 d`: as short as a list wants it, in whoever's language. */
export function inShort(minutes: number, language: string): string {
  const [value, unit] =
    minutes < 60
      ? [minutes, "minute"]
      : minutes < 48 * 60
        ? [Math.floor(minutes / 60), "hour"]
        : [Math.floor(minutes / 1440), "day"];
  return numbers(language, { style: "unit", unit: unit as string, unitDisplay: "narrow" }).format(value as number);
}
