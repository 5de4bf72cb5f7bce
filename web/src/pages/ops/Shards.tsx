import { Button, Group, Modal, Stack, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/ops";
import { OneOf } from "@/shell/choose";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import classes from "./Ops.module.css";
import { LIVE_MS } from "./Workers";

const HUES = ["teal", "blue", "grape", "orange", "lime", "pink", "cyan", "yellow"] as const;

/** Every shard, by who holds it; one that is chosen can be moved. */
export function Shards() {
  const { t } = useTranslation();
  const shards = useQuery({ queryKey: ["ops", "shards"], queryFn: api.shards, refetchInterval: LIVE_MS });
  const workers = useQuery({ queryKey: ["ops", "workers"], queryFn: api.workers, refetchInterval: LIVE_MS });
  const [chosen, choose] = useState<number>();
  const holders = [...new Set([...(workers.data ?? []).map(({ id }) => id)])].sort();
  const hue = (worker: string | null) => (worker === null ? undefined : HUES[holders.indexOf(worker) % HUES.length]);
  return (
    <Loaded query={shards}>
      {(items) => {
        const shard = items.find(({ number }) => number === chosen);
        const orphans = items.filter(({ worker }) => worker === null).length;
        return (
          <Stack>
            <Group gap="md">
              {holders.map((worker) => (
                <Group key={worker} gap={6}>
                  <span className={classes.dot} style={{ background: `var(--mantine-color-${hue(worker)}-6)` }} />
                  <Text size="sm">
                    {worker} · {items.filter((item) => item.worker === worker).length}
                  </Text>
                </Group>
              ))}
              <Text size="sm" c={orphans ? "red" : "dimmed"} role="status">
                {t("ops.orphans", { count: orphans })}
              </Text>
            </Group>
            <ul className={classes.shards} aria-label={t("ops.shards")}>
              {items.map((item) => {
                const told = t("ops.shardText", {
                  number: item.number,
                  worker: item.worker ?? t("ops.nobody"),
                  connected: item.connected,
                  devices: item.devices,
                });
                return (
                  <li key={item.number}>
                    <Tooltip label={told}>
                      <UnstyledButton
                        className={classes.shard}
                        aria-label={told}
                        data-empty={item.devices === 0 || undefined}
                        style={item.worker ? { borderColor: `var(--mantine-color-${hue(item.worker)}-6)` } : {}}
                        onClick={() => choose(item.number)}
                      >
                        {item.number}
                      </UnstyledButton>
                    </Tooltip>
                  </li>
                );
              })}
            </ul>
            {shard && <Move shard={shard} workers={holders} onClose={() => choose(undefined)} />}
          </Stack>
        );
      }}
    </Loaded>
  );
}

function Move({ shard, workers, onClose }: { shard: api.ShardView; workers: string[]; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [to, setTo] = useState<string | null>(shard.moved_to);
  const move = useMutation({
    mutationFn: () => api.move(shard.number, to),
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["ops"] });
    },
    onError: showProblem,
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title={t("ops.shard", { number: shard.number })}
      centered
      closeButtonProps={{ "aria-label": t("common.close") }}
    >
      <Stack>
        <Text size="sm">
          {t("ops.shardText", {
            number: shard.number,
            worker: shard.worker ?? t("ops.nobody"),
            connected: shard.connected,
            devices: shard.devices,
          })}
        </Text>
        <Text size="sm" c="dimmed">
          {t("ops.lease", { seconds: Math.round(shard.age_seconds ?? 0), fence: shard.fence })}
        </Text>
        <OneOf
          label={t("ops.moveTo")}
          placeholder={t("ops.byItself")}
          data={workers}
          value={to}
          onChange={setTo}
          clearable
        />
        <Group justify="flex-end">
          <Button loading={move.isPending} onClick={() => move.mutate()}>
            {t("ops.move")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
