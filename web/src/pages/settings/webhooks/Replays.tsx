import { Button, Card, Group, Modal, Progress, SegmentedControl, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ReplayOut, WebhookOut } from "@/api/generated";
import * as api from "@/api/webhooks";
import { OneOf } from "@/shell/choose";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";
import { TypesPicker } from "./WebhookDialog";

const HOUR = 3_600_000;
/** How far back, in hours; the stream keeps seven days. */
const BACK = [1, 24, 72, 168] as const;

/** Replays that run, or ran lately, with how far they have come. */
export function Replays({ id }: { id: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const replays = useQuery({
    queryKey: ["webhooks", id, "replays"],
    queryFn: () => api.replays(id),
    refetchInterval: 2_000,
  });
  const cancel = useMutation({
    mutationFn: (replay: string) => api.cancelReplay(id, replay),
    onSettled: () => client.invalidateQueries({ queryKey: ["webhooks", id] }),
    onError: showProblem,
  });
  if (!replays.data?.length) return null;
  return (
    <Stack gap={6} role="region" aria-label={t("webhooks.replays")}>
      {replays.data.map((item) => (
        <Replay key={item.id} item={item} onCancel={() => cancel.mutate(item.id)} />
      ))}
    </Stack>
  );
}

function Replay({ item, onCancel }: { item: ReplayOut; onCancel: () => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const runs = item.state === "waiting" || item.state === "running";
  const sent = item.delivered + item.failed;
  const share = item.state === "done" && item.found > 0 ? sent / item.found : item.progress;
  return (
    <Card withBorder padding="xs" data-testid="replay" data-state={item.state}>
      <Group justify="space-between" gap="xs">
        <Text size="sm">
          {t("webhooks.replayOf", { since: moment(item.since), until: moment(item.until) })} ·{" "}
          {t(`webhooks.replayState.${item.state}`)}
        </Text>
        <Group gap="xs">
          <Text size="sm" c="dimmed">
            {t("webhooks.replaySent", { sent: item.delivered, count: item.found })}
          </Text>
          {(runs || item.waiting > 0) && item.state !== "cancelled" && (
            <Button size="compact-xs" variant="subtle" color="red" onClick={onCancel}>
              {t("common.cancel")}
            </Button>
          )}
        </Group>
      </Group>
      {(runs || item.waiting > 0) && (
        <Progress value={Math.round(share * 100)} animated mt={6} aria-label={t("webhooks.progress")} />
      )}
    </Card>
  );
}

export function ReplayDialog({ item, onClose }: { item: WebhookOut; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [hours, setHours] = useState<number>(24);
  const [types, setTypes] = useState(item.types);
  const start = useMutation({
    mutationFn: () => api.startReplay(item.id, { since: new Date(Date.now() - hours * HOUR).toISOString(), types }),
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["webhooks", item.id] });
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t("webhooks.replay")} centered>
      <Stack>
        <Text size="sm">{t("webhooks.replayText")}</Text>
        <SegmentedControl
          fullWidth
          value={String(hours)}
          onChange={(value) => setHours(Number(value))}
          data={BACK.map((value) => ({ value: String(value), label: t(`webhooks.back${value}`) }))}
          aria-label={t("webhooks.since")}
        />
        <TypesPicker value={types} onChange={setTypes} />
        <Button loading={start.isPending} disabled={types.length === 0} onClick={() => start.mutate()}>
          {t("webhooks.replayStart")}
        </Button>
      </Stack>
    </Modal>
  );
}

/** Sends an example of a type, signed like everything else. */
export function ExampleDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const types = useQuery({
    queryKey: ["webhooks", "types"],
    queryFn: api.eventTypes,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const [type, setType] = useState("message.received");
  const send = useMutation({
    mutationFn: () => api.sendExample(id, type),
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["webhooks", id] });
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t("webhooks.example")} centered>
      <Stack>
        <Text size="sm">{t("webhooks.exampleText")}</Text>
        <OneOf
          label={t("webhooks.type")}
          data={types.data?.map((item) => item.type) ?? [type]}
          value={type}
          onChange={(value) => value && setType(value)}
          allowDeselect={false}
        />
        <Button loading={send.isPending} onClick={() => send.mutate()} data-autofocus>
          {t("webhooks.send")}
        </Button>
      </Stack>
    </Modal>
  );
}
