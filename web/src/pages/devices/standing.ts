import { useTranslation } from "react-i18next";
import type { DeviceState } from "@/api/types";

type Standing = { state: DeviceState; reason?: string | null; action?: string | null };

export const COLOR: Record<DeviceState, string> = {
  new: "gray",
  pairing: "yellow",
  connecting: "yellow",
  connected: "teal",
  disconnected: "gray",
  logged_out: "orange",
  banned: "red",
  replaced: "orange",
  failed: "red",
};

/** Puts codes into words: why a number stands where it stands, what to do, why a message waits. */
export function useStanding() {
  const { t, i18n } = useTranslation();
  const word = (group: string, code: string) => {
    const key = `number.${group}.${code}`;
    return i18n.exists(key) ? t(key as "number.details") : code;
  };
  return {
    why: ({ state, reason }: Standing) =>
      reason ? word("reason", reason) : state === "connected" ? "" : t(`devices.hint.${state}`),
    remedy: ({ action }: Standing) => (action ? word("remedy", action) : ""),
    wait: (reason: string | null) => (reason ? word("wait", reason) : ""),
  };
}
