import { useQuery, useQueryClient } from "@tanstack/react-query";
import * as api from "@/api/calls";
import { asProblem } from "@/api/problem";
import type { Me } from "@/api/types";
import { leave } from "./again";

export const SESSION = ["session"] as const;

/** Who is signed in; null when nobody is. */
export const sessionQuery = {
  queryKey: SESSION,
  queryFn: async (): Promise<Me | null> => {
    try {
      return await api.me();
    } catch (error) {
      if (asProblem(error).status === 401) return null;
      throw error;
    }
  },
  staleTime: Number.POSITIVE_INFINITY,
  retry: 2,
};

export function useSession() {
  const { data } = useQuery(sessionQuery);
  return data ?? null;
}

export function useMayManage() {
  const session = useSession();
  return session !== null && session.user.role !== "agent";
}

export function useSignOut() {
  const client = useQueryClient();
  return async () => {
    leave();
    await api.logout().catch(() => {});
    client.clear();
    client.setQueryData(SESSION, null);
    window.location.assign("/login");
  };
}
