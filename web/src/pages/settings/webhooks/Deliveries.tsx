import { Badge, Button, Card, Code, Collapse, Group, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { DeliveryOut } from "@/api/generated";
import type { DeliveryState } from "@/api/webhooks";
import * as api from "@/api/webhooks";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";

const COLOR = { waiting: "yellow", delivered: "teal", failed: "red" } as const;
const STATES = ["all", "waiting", "delivered", "failed"] as const;
const WEEK = 7 * 86_400_000;

/** What was sent to an endpoint, newest first, each with its attempts; what failed is sent again from here. */
export function Deliveries({ id, disabled }: { id: string; disabled: boolean }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [state, setState] = useState<(typeof STATES)[number]>("all");
  const list = useInfiniteQuery({
    queryKey: ["webhooks", id, "deliveries", state],
    queryFn: ({ pageParam }) => api.deliveries(id, state === "all" ? undefined : (state as DeliveryState), pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: 3_000,
  });
  const recover = useMutation({
    mutationFn: () => api.recover(id, new Date(Date.now() - WEEK).toISOString()),
    onSettled: () => client.invalidateQueries({ queryKey: ["webhooks", id] }),
    onError: showProblem,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section aria-label={t("webhooks.deliveries")}>
      <Group justify="space-between" mb="xs">
        <Title order={3} size="h5">
          {t("webhooks.deliveries")}
        </Title>
        <Group gap="xs">
          {state === "failed" && items.length > 0 && !disabled && (
            <Button size="xs" variant="light" loading={recover.isPending} onClick={() => recover.mutate()}>
              {t("webhooks.recover")}
            </Button>
          )}
          <SegmentedControl
            size="xs"
            value={state}
            onChange={(value) => setState(value as typeof state)}
            data={STATES.map((value) => ({ value, label: t(`webhooks.filter.${value}`) }))}
            aria-label={t("webhooks.show")}
          />
        </Group>
      </Group>
      <Loaded query={list}>
        {() =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t("webhooks.nothing")}
            </Text>
          ) : (
            <Stack gap={6}>
              {items.map((item) => (
                <Delivery key={item.id} id={id} item={item} disabled={disabled} />
              ))}
              {list.hasNextPage && (
                <Button variant="subtle" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
                  {t("common.more")}
                </Button>
              )}
            </Stack>
          )
        }
      </Loaded>
    </section>
  );
}

function Delivery({ id, item, disabled }: { id: string; item: DeliveryOut; disabled: boolean }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const moment = useMoment();
  const [opened, { toggle }] = useDisclosure(false);
  const resend = useMutation({
    mutationFn: () => api.resend(id, item.id),
    onSettled: () => client.invalidateQueries({ queryKey: ["webhooks", id] }),
    onError: showProblem,
  });
  return (
    <Card withBorder padding="xs" component="article" aria-label={item.type} data-state={item.state}>
      <Group gap="xs" justify="space-between">
        <Group gap="xs" style={{ minWidth: 0, flex: 1 }}>
          <Badge color={COLOR[item.state]} variant="light" style={{ textTransform: "none", flex: "none" }}>
            {t(`webhooks.delivery.${item.state}`)}
          </Badge>
          <Text size="sm" fw={600}>
            {item.type}
          </Text>
          {item.source !== "event" && (
            <Badge variant="outline" color="gray" style={{ textTransform: "none" }}>
              {t(`webhooks.source.${item.source}`)}
            </Badge>
          )}
          <Text size="xs" c="dimmed">
            {[
              moment(item.made_at),
              t("webhooks.tries", { count: item.attempts }),
              item.status ?? (item.error ? t(`webhooks.error.${item.error}` as "webhooks.error.status") : undefined),
              item.next_at && item.attempts > 0 ? t("webhooks.next", { at: moment(item.next_at) }) : undefined,
            ]
              .filter(Boolean)
              .join(" · ")}
          </Text>
        </Group>
        <Group gap={4}>
          <Button size="compact-xs" variant="subtle" onClick={toggle} aria-expanded={opened}>
            {t("webhooks.details")}
          </Button>
          <Button
            size="compact-xs"
            variant="light"
            disabled={disabled}
            loading={resend.isPending}
            onClick={() => resend.mutate()}
          >
            {t("webhooks.resend")}
          </Button>
        </Group>
      </Group>
      <Collapse expanded={opened}>{opened && <Details id={id} item={item} />}</Collapse>
    </Card>
  );
}

function Details({ id, item }: { id: string; item: DeliveryOut }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const key = ["webhooks", id, "deliveries", item.id, item.attempts];
  const attempts = useQuery({ queryKey: [...key, "attempts"], queryFn: () => api.attempts(id, item.id) });
  const whole = useQuery({ queryKey: [...key, "body"], queryFn: () => api.delivery(id, item.id) });
  return (
    <Stack gap="xs" mt="xs">
      <Loaded query={attempts}>
        {(some) =>
          some.map((one) => (
            <Text key={one.id} size="sm" style={{ overflowWrap: "anywhere" }}>
              {[
                `${one.number}. ${moment(one.at)}`,
                one.status ?? t(`webhooks.error.${one.error ?? "status"}` as "webhooks.error.status"),
                `${one.latency_ms} ms`,
                one.answer,
              ]
                .filter(Boolean)
                .join(" · ")}
            </Text>
          ))
        }
      </Loaded>
      <Loaded query={whole}>
        {(found) => (
          <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap", maxHeight: 260 }}>
            {found.body ? JSON.stringify(found.body, null, 2) : t("webhooks.error.payload-gone")}
          </Code>
        )}
      </Loaded>
    </Stack>
  );
}
