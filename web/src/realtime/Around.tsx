import { Text } from "@mantine/core";
import { skipToken, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import * as sdk from "@/api/generated";
import { useSession } from "@/session/session";
import { type Colleagues, here, others, PRESENCE } from "./presence";
import { useWriters } from "./useWriters";

/** Who else has this chat open, and who writes in it: seen before two people answer the same customer. */
export function Around({ chatId }: { chatId: string }) {
  const { t } = useTranslation();
  const session = useSession();
  const { data: colleagues } = useQuery<Colleagues>({ queryKey: PRESENCE, queryFn: skipToken });
  const writers = useWriters(chatId);
  const me = session?.user.id;
  const there = others(colleagues, chatId, me);
  const busy = writers.filter((writer) => writer.who !== me);
  const { data: names } = useQuery({
    queryKey: ["colleagues"],
    queryFn: async () =>
      Object.fromEntries(
        (await api.data(sdk.usersListUsers({ throwOnError: true, query: { limit: 100 } }))).items.map((user) => [
          user.id,
          user.name,
        ]),
      ),
    enabled: there.length > 0 || busy.some((writer) => writer.who !== "customer"),
    staleTime: 5 * 60_000,
  });
  useEffect(() => here.enter(chatId), [chatId]);

  const nameOf = (user: string) => names?.[user] ?? t("around.somebody");
  const customer = busy.find((writer) => writer.who === "customer");
  const colleague = busy.find((writer) => writer.who !== "customer");
  const words = [
    customer && t(customer.state === "recording" ? "around.customerRecords" : "around.customerWrites"),
    colleague && t("around.writes", { name: nameOf(colleague.who) }),
    !colleague && there.length > 0 && t("around.here", { names: there.map((one) => nameOf(one.user_id)).join(", ") }),
  ].filter(Boolean);
  return (
    <Text size="xs" c={colleague || there.length ? "orange" : "dimmed"} truncate role="status">
      {words.join(" · ")}
    </Text>
  );
}
