import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import * as bot from "@/api/bot";
import * as api from "@/api/calls";
import { data, throwing } from "@/api/calls";
import * as sdk from "@/api/generated";
import * as team from "@/api/team";
import { KEYS } from "@/realtime/apply";
import { useMayManage, useSession } from "@/session/session";

export const STEPS = ["number", "agent", "welcome", "hours", "answer"] as const;
export type Step = (typeof STEPS)[number];

/** What is done of what a new account needs, read from the API: it is never ticked off by hand. */
export function useStart(enabled: boolean, refetchInterval: number | false = false) {
  const often = { enabled, refetchInterval };
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: api.devices, enabled });
  const users = useQuery({ queryKey: ["users"], queryFn: team.users, ...often });
  const invitations = useQuery({ queryKey: ["invitations"], queryFn: team.invitations, ...often });
  const settings = useQuery({ queryKey: ["bot"], queryFn: bot.bot, staleTime: Number.POSITIVE_INFINITY, enabled });
  const hours = useQuery({ queryKey: ["hours"], queryFn: () => data(sdk.hoursListHours(throwing)), enabled });
  const chats = useQuery({ queryKey: ["start", "chats"], queryFn: () => api.chats({}), ...often });
  const queries = [devices, users, invitations, settings, hours, chats];
  const done: Record<Step, boolean> = {
    number: devices.data?.items.some(({ state }) => state === "connected") ?? false,
    agent: (users.data?.length ?? 0) > 1 || (invitations.data?.length ?? 0) > 0,
    welcome: Boolean(settings.data?.enabled && settings.data.welcome?.enabled),
    hours: (hours.data?.items.length ?? 0) > 0,
    answer: chats.data?.items.some((chat) => chat.first_response_at) ?? false,
  };
  return {
    done,
    count: STEPS.filter((step) => done[step]).length,
    ready: queries.every((query) => query.isSuccess),
    error: queries.find((query) => query.isError)?.error,
    again: () => {
      for (const query of queries) if (query.isError) void query.refetch();
    },
    devices: devices.data?.items ?? [],
    bot: settings.data,
    wrote: (chats.data?.items.length ?? 0) > 0,
  };
}

const listeners = new Set<() => void>();
const kept = (account: string) => `clarin.start.${account}`;

/** Not to be shown any more in this browser: for this account alone. */
export function hideStart(account: string, hidden: boolean) {
  if (hidden) localStorage.setItem(kept(account), "hidden");
  else localStorage.removeItem(kept(account));
  for (const listener of listeners) listener();
}

/** Whether the first steps are to be shown at all: to those who can take them, until they are taken or hidden. */
export function useStartShown(): boolean {
  const mayManage = useMayManage();
  const account = useSession()?.account.id ?? "";
  const hidden = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => localStorage.getItem(kept(account)) !== null,
  );
  return mayManage && !hidden;
}
