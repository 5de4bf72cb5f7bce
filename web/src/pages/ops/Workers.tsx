import { Alert, Badge, Button, Card, Group, Progress, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/ops";
import { numbers } from "@/formats";
import { Confirm } from "@/shell/Confirm";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";

/** The figures of a process are read so often. */
export const LIVE_MS = 2_000;

const COLOR: Record<api.WorkerView["state"], string> = {
  running: "teal",
  full: "yellow",
  draining: "orange",
  drained: "gray",
  recycling: "orange",
  ending: "orange",
};

export function Workers() {
  const { t, i18n } = useTranslation();
  const workers = useQuery({ queryKey: ["ops", "workers"], queryFn: api.workers, refetchInterval: LIVE_MS });
  const format = numbers(i18n.language, { maximumFractionDigits: 1 });
  return (
    <Loaded query={workers}>
      {(items) => {
        const sum = (read: (worker: api.WorkerView) => number) =>
          format.format(items.reduce((total, item) => total + read(item), 0));
        return (
          <Stack>
            <SimpleGrid cols={{ base: 2, sm: 4 }} component="section" aria-label={t("ops.together")}>
              <Figure label={t("ops.connected")} value={sum(({ sessions }) => sessions.connected ?? 0)} />
              <Figure label={t("ops.waiting")} value={sum(({ sends_waiting }) => sends_waiting)} />
              <Figure label={t("ops.in")} value={sum(({ inbound_per_second }) => inbound_per_second)} />
              <Figure label={t("ops.out")} value={sum(({ outbound_per_second }) => outbound_per_second)} />
            </SimpleGrid>
            {items.length === 0 && <Alert color="red">{t("ops.noWorkers")}</Alert>}
            <SimpleGrid cols={{ base: 1, md: 2 }}>
              {items.map((item) => (
                <Worker key={item.id} worker={item} only={items.length === 1} format={format} />
              ))}
            </SimpleGrid>
          </Stack>
        );
      }}
    </Loaded>
  );
}

export function Figure({ label, value }: { label: string; value: string }) {
  return (
    <Card withBorder padding="sm">
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fw={650} size="xl">
        {value}
      </Text>
    </Card>
  );
}

function Worker({ worker, only, format }: { worker: api.WorkerView; only: boolean; format: Intl.NumberFormat }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const moment = useMoment();
  const [asking, ask] = useState(false);
  const order = useMutation({
    mutationFn: (what: "drain" | "undrain") => (what === "drain" ? api.drain : api.undrain)(worker.id),
    onError: showProblem,
    onSettled: () => {
      ask(false);
      return client.invalidateQueries({ queryKey: ["ops"] });
    },
  });
  const sessions = Object.values(worker.sessions).reduce((total, count) => total + count, 0);
  const lost = Object.entries(worker.loss_windows).filter(([, count]) => count > 0);
  const drained = worker.state === "draining" || worker.state === "drained";
  const rows = [
    [t("ops.sessions"), `${sessions} / ${worker.capacity}`],
    [t("ops.shards"), String(worker.shards)],
    [
      t("ops.queue"),
      worker.sends_waiting
        ? t("ops.queueText", { count: worker.sends_waiting, seconds: Math.round(worker.sends_oldest_seconds) })
        : "0",
    ],
    [t("ops.rates"), `${format.format(worker.inbound_per_second)} / ${format.format(worker.outbound_per_second)}`],
    [t("ops.memory"), `${format.format(worker.rss_mb)} MB`],
    [t("ops.journal"), `${format.format(worker.journal_bytes / 1_048_576)} MB`],
    [t("ops.threads"), `${worker.threads} · ${worker.files} · ${worker.db_connections}`],
    [
      t("ops.way"),
      t(`ops.connects.${worker.connects}`, { count: worker.connects_waiting, defaultValue: worker.connects }),
    ],
  ];
  return (
    <Card withBorder padding="md" component="article" aria-label={worker.id}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap">
          <Title order={2} size="h5" style={{ overflowWrap: "anywhere" }}>
            {worker.id}
          </Title>
          <Badge
            color={COLOR[worker.state]}
            variant="light"
            style={{ textTransform: "none", flex: "none" }}
            role="status"
          >
            {t(`ops.state.${worker.state}`)}
          </Badge>
        </Group>
        <Progress
          value={worker.capacity ? (sessions / worker.capacity) * 100 : 0}
          color={COLOR[worker.state]}
          aria-label={t("ops.sessions")}
        />
        <dl style={{ margin: 0, display: "grid", gridTemplateColumns: "auto 1fr", gap: "4px 16px" }}>
          {rows.map(([label, value]) => (
            <Row key={label} label={label ?? ""} value={value ?? ""} />
          ))}
        </dl>
        <Group gap={6}>
          {Object.entries(worker.sessions)
            .filter(([, count]) => count > 0)
            .map(([state, count]) => (
              <Badge key={state} variant="default" style={{ textTransform: "none" }}>
                {t(`devices.state.${state}`, { defaultValue: state })}: {count}
              </Badge>
            ))}
        </Group>
        {lost.length > 0 && (
          <Alert color="orange">
            {t("ops.lost", { what: lost.map(([cause, count]) => `${cause} ${count}`).join(", ") })}
          </Alert>
        )}
        <Group justify="space-between">
          <Text size="xs" c="dimmed">
            {worker.version} · {t("ops.since", { at: moment(worker.started_at) })}
          </Text>
          {drained ? (
            <Button size="xs" variant="light" loading={order.isPending} onClick={() => order.mutate("undrain")}>
              {t("ops.undrain")}
            </Button>
          ) : (
            <Button size="xs" variant="default" onClick={() => ask(true)}>
              {t("ops.drain")}
            </Button>
          )}
        </Group>
      </Stack>
      {asking && (
        <Confirm
          title={t("ops.drainTitle", { name: worker.id })}
          text={t(only ? "ops.drainOnly" : "ops.drainText", { count: sessions })}
          action={t("ops.drain")}
          loading={order.isPending}
          onConfirm={() => order.mutate("drain")}
          onClose={() => ask(false)}
        />
      )}
    </Card>
  );
}

function Row({ label, value }: { label: string; value: string }) {
  return (
    <>
      <Text component="dt" size="sm" c="dimmed">
        {label}
      </Text>
      <Text component="dd" size="sm" m={0} ta="right" fw={500}>
        {value}
      </Text>
    </>
  );
}
