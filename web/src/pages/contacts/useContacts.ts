import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import * as api from "@/api/contacts";
import * as inbox from "@/api/inbox";
import { KEYS } from "@/realtime/apply";
import { onFrame } from "@/realtime/frames";

export const CONTACTS = ["contacts"] as const;

/** The contacts that were asked for, page after page; a busy minute of news asks anew now and then. */
export function useContacts(filter: api.ContactFilter) {
  const client = useQueryClient();
  const query = useInfiniteQuery({
    queryKey: [...CONTACTS, filter],
    queryFn: ({ pageParam }) => api.contacts(filter, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
  useEffect(() => {
    let asking: ReturnType<typeof setTimeout> | undefined;
    const forget = onFrame((frame) => {
      if (frame.event !== "contact_created" && frame.event !== "contact_changed") return;
      const { id, merged } = frame.data as { id: string; merged?: string | null };
      for (const one of [id, merged])
        if (one && client.getQueryData(KEYS.contact(one)))
          void client.invalidateQueries({ queryKey: KEYS.contact(one) });
      asking ??= setTimeout(() => {
        asking = undefined;
        void client.invalidateQueries({ queryKey: CONTACTS });
      }, 3_000);
    });
    return () => {
      clearTimeout(asking);
      forget();
    };
  }, [client]);
  const items = useMemo(() => {
    const seen = new Set<string>();
    const all = query.data?.pages.flatMap((page) => page.items) ?? [];
    return all.filter((one) => !seen.has(one.id) && seen.add(one.id));
  }, [query.data]);
  return { ...query, items };
}

/** What an account wants to know of its contacts: the states that they can be in, and its own fields. */
export function useProfile() {
  const states = useQuery({ queryKey: ["contact-states"], queryFn: inbox.contactStates, staleTime: 300_000 });
  const fields = useQuery({ queryKey: ["contact-fields"], queryFn: inbox.contactFields, staleTime: 300_000 });
  return useMemo(
    () => ({ states: states.data?.items ?? [], fields: fields.data?.items ?? [] }),
    [states.data, fields.data],
  );
}
export type Profile = ReturnType<typeof useProfile>;
