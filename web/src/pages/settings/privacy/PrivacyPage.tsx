import {
  Alert,
  Badge,
  Button,
  Card,
  Group,
  NumberInput,
  Progress,
  SimpleGrid,
  Stack,
  Switch,
  Text,
  Title,
} from "@mantine/core";
import { IconCheck, IconClock, IconDownload, IconTrash } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/privacy";
import { ERASURES, EXPORTS } from "@/pages/privacy/PrivacyActions";
import { Confirm } from "@/shell/Confirm";
import { Failure } from "@/shell/Failure";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";

const RETENTION = ["retention"] as const;
const SOON = 2000;

/** For how long messages and files are kept, who was erased with a receipt for each, and the exports that can be fetched. */
export function PrivacyPage() {
  const { t } = useTranslation();
  const kept = useQuery({ queryKey: RETENTION, queryFn: api.retention });
  return (
    <Stack gap="xl">
      <section aria-label={t("privacy.title")}>
        <Title order={2} size="h4">
          {t("privacy.title")}
        </Title>
        <Text size="sm" c="dimmed" mb="md">
          {t("privacy.subtitle")}
        </Text>
        <Loaded query={kept}>{(now) => <Retention key={`${now.message_days}-${now.media_days}`} now={now} />}</Loaded>
      </section>
      <Erasures />
      <Exports />
    </Stack>
  );
}

function Retention({ now }: { now: api.Kept }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const moment = useMoment();
  const [messages, setMessages] = useState<number | null>(now.message_days);
  const [media, setMedia] = useState<number | null>(now.media_days);
  const [sure, ask] = useState(false);
  const save = useMutation({
    mutationFn: () => api.setRetention({ message_days: messages, media_days: media }),
    onSuccess: (next) => client.setQueryData(RETENTION, next),
    onError: showProblem,
    onSettled: () => ask(false),
  });
  const shorter = less(messages, now.message_days) || less(media, now.media_days);
  const changed = messages !== now.message_days || media !== now.media_days;
  const run = now.last_run;
  return (
    <Card withBorder padding="md">
      <Stack>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <Days
            label={t("privacy.messages")}
            hint={t("privacy.messagesHint")}
            value={messages}
            onChange={setMessages}
          />
          <Days label={t("privacy.media")} hint={t("privacy.mediaHint")} value={media} onChange={setMedia} />
        </SimpleGrid>
        <Text size="sm" c="dimmed">
          {t("privacy.stays")}
        </Text>
        <Group justify="space-between">
          <Text size="sm" c="dimmed" role="status">
            {run
              ? t(run.ended_at ? "privacy.lastRun" : "privacy.running", {
                  at: moment(run.ended_at ?? run.started_at),
                  messages: run.messages,
                  files: run.files,
                })
              : t("privacy.neverRun")}
          </Text>
          <Button
            disabled={!changed}
            loading={save.isPending}
            color={shorter ? "red" : undefined}
            onClick={() => (shorter ? ask(true) : save.mutate())}
          >
            {t("common.save")}
          </Button>
        </Group>
      </Stack>
      {sure && (
        <Confirm
          title={t("privacy.shorterTitle")}
          text={t("privacy.shorterText")}
          action={t("privacy.shorterAction")}
          loading={save.isPending}
          onConfirm={() => save.mutate()}
          onClose={() => ask(false)}
        />
      )}
    </Card>
  );
}

const less = (next: number | null, before: number | null) => next !== null && (before === null || next < before);

type DaysProps = { label: string; hint: string; value: number | null; onChange: (days: number | null) => void };

function Days({ label, hint, value, onChange }: DaysProps) {
  const { t } = useTranslation();
  return (
    <Stack gap={6} justify="space-between">
      <Switch
        label={label}
        description={hint}
        checked={value !== null}
        onChange={(event) => onChange(event.currentTarget.checked ? 365 : null)}
      />
      {value === null ? (
        <Text size="sm" fw={500} ps={50}>
          {t("privacy.forEver")}
        </Text>
      ) : (
        <NumberInput
          aria-label={`${label} · ${t("privacy.days")}`}
          suffix={` ${t("privacy.days")}`}
          value={value}
          min={1}
          max={36500}
          allowDecimal={false}
          allowNegative={false}
          clampBehavior="strict"
          onChange={(next) => typeof next === "number" && next >= 1 && onChange(next)}
        />
      )}
    </Stack>
  );
}

function Erasures() {
  const { t } = useTranslation();
  const list = useInfiniteQuery({
    queryKey: ERASURES,
    queryFn: ({ pageParam }) => api.erasures(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page.items.some((one) => one.state === "working")) ? SOON : false,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section aria-label={t("privacy.erasures")}>
      <Title order={3} size="h5" mb="xs">
        {t("privacy.erasures")}
      </Title>
      {list.isError ? (
        <Failure error={list.error} reset={() => void list.refetch()} />
      ) : (
        <Stack gap="xs" aria-busy={list.isPending}>
          {items.map((one) => (
            <ErasureCard key={one.id} one={one} />
          ))}
          {list.isSuccess && !items.length && (
            <Text size="sm" c="dimmed">
              {t("privacy.noErasures")}
            </Text>
          )}
          {list.hasNextPage && (
            <Button variant="light" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t("common.more")}
            </Button>
          )}
        </Stack>
      )}
    </section>
  );
}

function ErasureCard({ one }: { one: api.Receipt }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const done = one.parts.filter((part) => part.state === "done").length;
  return (
    <Card withBorder padding="sm" component="article" aria-label={one.id}>
      <Group justify="space-between" gap="xs">
        <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
          {one.contact_id}
        </Text>
        <Badge variant="light" color={one.state === "done" ? "teal" : "yellow"} tt="none">
          {t(`privacy.state.${one.state}`)}
        </Badge>
      </Group>
      <Text size="xs" c="dimmed">
        {t("privacy.asked", { at: moment(one.requested_at) })}
        {one.completed_at ? ` · ${t("privacy.completed", { at: moment(one.completed_at) })}` : ""}
      </Text>
      {one.state === "working" && (
        <Progress value={(100 * done) / one.parts.length} mt={6} aria-label={t("privacy.state.working")} />
      )}
      <Group gap={6} mt="xs">
        {one.parts.map((part) => (
          <Badge
            key={part.part}
            variant="default"
            tt="none"
            leftSection={part.state === "done" ? <IconCheck size={12} /> : <IconClock size={12} />}
            title={moment(part.done_at)}
          >
            {t(`privacy.part.${part.part}`)}
          </Badge>
        ))}
      </Group>
      {one.events_until && (
        <Text size="xs" c="dimmed" mt="xs">
          {t("privacy.until", { at: moment(one.events_until) })}
        </Text>
      )}
    </Card>
  );
}

function Exports() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const list = useQuery({
    queryKey: EXPORTS,
    queryFn: () => api.exports(),
    refetchInterval: ({ state }) =>
      state.data?.items.some((one) => one.state === "waiting" || one.state === "running") ? SOON : false,
  });
  const drop = useMutation({
    mutationFn: api.drop,
    onSuccess: () => client.invalidateQueries({ queryKey: EXPORTS }),
    onError: showProblem,
  });
  return (
    <section aria-label={t("privacy.exports")}>
      <Title order={3} size="h5" mb="xs">
        {t("privacy.exports")}
      </Title>
      <Alert variant="light" mb="xs">
        {t("privacy.exportsHint")}
      </Alert>
      <Loaded query={list}>
        {({ items }) =>
          items.length ? (
            <Stack gap="xs">
              {items.map((one) => (
                <ExportCard key={one.id} one={one} onDrop={() => drop.mutate(one.id)} />
              ))}
            </Stack>
          ) : (
            <Text size="sm" c="dimmed">
              {t("privacy.noExports")}
            </Text>
          )
        }
      </Loaded>
    </section>
  );
}

function ExportCard({ one, onDrop }: { one: api.ExportView; onDrop: () => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  return (
    <Card withBorder padding="sm" component="article" aria-label={one.id}>
      <Group justify="space-between" gap="xs">
        <div style={{ minWidth: 0 }}>
          <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
            {one.contact_id}
          </Text>
          <Text size="xs" c="dimmed">
            {t("privacy.asked", { at: moment(one.requested_at) })} · {t(`privacy.exportState.${one.state}`)}
            {one.expires_at && one.state === "ready"
              ? ` · ${t("privacy.expires", { at: moment(one.expires_at) })}`
              : ""}
          </Text>
        </div>
        <Group gap="xs">
          {one.url && (
            <Button size="xs" variant="light" component="a" href={one.url} leftSection={<IconDownload size={16} />}>
              {t("privacy.download")}
            </Button>
          )}
          <Button size="xs" variant="subtle" color="red" leftSection={<IconTrash size={16} />} onClick={onDrop}>
            {t("privacy.drop")}
          </Button>
        </Group>
      </Group>
      {one.state === "running" && one.total > 0 && (
        <Progress value={(100 * one.messages) / one.total} mt="xs" aria-label={t("privacy.exportState.running")} />
      )}
    </Card>
  );
}
