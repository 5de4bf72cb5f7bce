import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import * as api from "@/api/calls";
import * as inbox from "@/api/inbox";
import * as team from "@/api/team";
import { KEYS } from "@/realtime/apply";

const LONG = 5 * 60_000;

/** Who and what the account has that chats speak of: people, teams, numbers, tags, each by id too. */
export function useCompany() {
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: api.devices });
  const users = useQuery({ queryKey: ["everybody"], queryFn: team.users, staleTime: LONG });
  const teams = useQuery({ queryKey: ["teams-of-inbox"], queryFn: team.teams, staleTime: LONG });
  const tags = useQuery({ queryKey: KEYS.tags, queryFn: inbox.tags, staleTime: LONG });
  return useMemo(() => {
    const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((one) => [one.id, one]));
    const lists = {
      devices: devices.data?.items ?? [],
      users: users.data ?? [],
      teams: teams.data ?? [],
      tags: tags.data?.items ?? [],
    };
    return {
      ...lists,
      known: devices.data !== undefined,
      device: byId(lists.devices),
      user: byId(lists.users),
      team: byId(lists.teams),
      tag: byId(lists.tags),
    };
  }, [devices.data, users.data, teams.data, tags.data]);
}
export type Company = ReturnType<typeof useCompany>;
