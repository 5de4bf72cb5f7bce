import { ActionIcon, Button, Group, Loader, Paper, Stack, Text } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as numbers from "@/api/numbers";
import { Failure } from "@/shell/Failure";
import { phoneText } from "@/shell/phone";
import { useShowProblem } from "@/shell/problems";
import { useMomentOrTime } from "@/shell/time";
import { useStanding } from "./standing";

/** What a number has to send, why it waits, and taking it out of the queue. */
export function NumberSends({ id }: { id: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const { wait } = useStanding();
  const moment = useMomentOrTime();
  const [sure, setSure] = useState(false);
  const key = ["number", id, "sends"];
  const sends = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => numbers.sends(id, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 3_000,
  });
  const again = () => void client.invalidateQueries({ queryKey: ["number", id] });
  const cancel = useMutation({
    mutationFn: (message: string) => numbers.cancel(id, message),
    onError: showProblem,
    onSettled: again,
  });
  const cancelAll = useMutation({
    mutationFn: () => numbers.cancelAll(id),
    onError: showProblem,
    onSettled: () => {
      setSure(false);
      again();
    },
  });
  if (sends.isError) return <Failure error={sends.error} reset={() => void sends.refetch()} />;
  if (sends.isPending) return <Loader size="sm" aria-label={t("common.loading")} />;
  const items = sends.data.pages.flatMap((page) => page.items);
  const queued = sends.data.pages[0]?.queued ?? 0;
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Text size="sm" role="status">
          {t("number.queued", { count: queued })}
        </Text>
        {queued > 0 &&
          (sure ? (
            <Group gap="xs">
              <Button size="xs" variant="default" onClick={() => setSure(false)}>
                {t("number.keep")}
              </Button>
              <Button size="xs" color="red" loading={cancelAll.isPending} onClick={() => cancelAll.mutate()}>
                {t("number.cancelAllSure", { count: queued })}
              </Button>
            </Group>
          ) : (
            <Button size="xs" variant="light" color="red" onClick={() => setSure(true)}>
              {t("number.cancelAll")}
            </Button>
          ))}
      </Group>
      {items.map((send) => {
        const to = send.to ? (send.to.kind === "pn" ? phoneText(send.to.value) : send.to.value) : "—";
        return (
          <Paper key={send.message_id} withBorder p="xs" component="article" aria-label={to}>
            <Group justify="space-between" wrap="nowrap">
              <div style={{ minWidth: 0 }}>
                <Text size="sm" fw={600} truncate>
                  {send.position ? `${send.position}. ` : ""}
                  {to}
                </Text>
                <Text size="xs" c="dimmed">
                  {t(`number.status.${send.status}`)} · {moment(send.made_at)}
                </Text>
                {send.reason && (
                  <Text size="xs">
                    {wait(send.reason)}
                    {send.until && ` · ${t("number.until", { at: moment(send.until) })}`}
                  </Text>
                )}
              </div>
              {send.status === "queued" && (
                <ActionIcon
                  variant="subtle"
                  color="red"
                  aria-label={t("number.cancelOne", { to })}
                  onClick={() => cancel.mutate(send.message_id)}
                >
                  <IconX size={18} />
                </ActionIcon>
              )}
            </Group>
          </Paper>
        );
      })}
      {sends.hasNextPage && (
        <Button
          variant="default"
          size="xs"
          loading={sends.isFetchingNextPage}
          onClick={() => void sends.fetchNextPage()}
        >
          {t("number.more")}
        </Button>
      )}
    </Stack>
  );
}
