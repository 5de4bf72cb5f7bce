import { Badge, Button, Stack, Table, Text } from "@mantine/core";
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleOff,
  IconClockPause,
  IconLoader,
  IconMail,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/ops";
import { numbers } from "@/formats";
import { Loaded } from "@/shell/Loaded";
import { DeadLetters } from "./DeadLetters";
import classes from "./Ops.module.css";
import { Figure, LIVE_MS } from "./Workers";

const LOOK = {
  idle: { color: "teal", Icon: IconCircleCheck },
  working: { color: "blue", Icon: IconLoader },
  behind: { color: "orange", Icon: IconAlertTriangle },
  stuck: { color: "red", Icon: IconClockPause },
  absent: { color: "red", Icon: IconCircleOff },
} as const;

/** Nothing waits, nothing was given up: there is no figure to look at. */
const idle = (queue: api.QueueView) => queue.state === "idle" && queue.dead_letters + queue.returning === 0;

const wrong = ({ state }: api.QueueView) => state !== "idle" && state !== "working";

/** What needs a look first comes first; for the rest the order stays, so that rows do not move under one's eyes. */
const rank = (queue: api.QueueView) => (wrong(queue) ? 0 : queue.dead_letters ? 1 : 2);

/** How far behind each service is with what it is told, and what it could not handle. */
export function Queues() {
  const { t, i18n } = useTranslation();
  const queues = useQuery({ queryKey: ["ops", "queues"], queryFn: api.queues, refetchInterval: LIVE_MS });
  const [durable, choose] = useState<string | null>(null);
  const letters = useRef<HTMLDivElement>(null);
  const format = numbers(i18n.language);
  const show = (chosen: string) => {
    choose(chosen);
    letters.current?.focus({ preventScroll: true });
    letters.current?.scrollIntoView({ block: "start" });
  };
  return (
    <Loaded query={queues}>
      {(items) => {
        const sum = (read: (queue: api.QueueView) => number) =>
          format.format(items.reduce((total, item) => total + read(item), 0));
        const bad = items.filter((item) => rank(item) < 2);
        const ranked = [...items].sort((one, other) => rank(one) - rank(other));
        return (
          <Stack>
            <div className={classes.figures}>
              <Figure label={t("ops.queues.pending")} value={sum(({ pending }) => pending)} />
              <Figure label={t("ops.queues.inHand")} value={sum(({ in_hand }) => in_hand)} />
              <Figure label={t("ops.queues.dead")} value={sum(({ dead_letters }) => dead_letters)} />
            </div>
            <Text size="sm" role="status" c={bad.length ? "red" : "dimmed"} fw={bad.length ? 600 : undefined}>
              {bad.length
                ? t("ops.queues.wrong", { count: bad.length, names: bad.map((item) => item.durable).join(", ") })
                : t("ops.queues.well")}
            </Text>
            <Table className={classes.queues} verticalSpacing="xs" aria-label={t("ops.queues.title")}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t("ops.queues.name")}</Table.Th>
                  <Table.Th>{t("ops.queues.state")}</Table.Th>
                  <Table.Th className={classes.number}>{t("ops.queues.pending")}</Table.Th>
                  <Table.Th className={classes.number}>{t("ops.queues.inHand")}</Table.Th>
                  <Table.Th className={classes.number}>{t("ops.queues.redelivered")}</Table.Th>
                  <Table.Th className={classes.number}>{t("ops.queues.dead")}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {ranked.map((item) => (
                  <Row key={`${item.stream} ${item.durable}`} queue={item} format={format} onLetters={show} />
                ))}
              </Table.Tbody>
            </Table>
            <div ref={letters} tabIndex={-1} className={classes.letters}>
              <DeadLetters durables={items.map((item) => item.durable)} durable={durable} onDurable={choose} />
            </div>
          </Stack>
        );
      }}
    </Loaded>
  );
}

/** Writes a span of time as the user's language does, in the largest unit that fills it. */
function useSpan() {
  const { i18n } = useTranslation();
  return (seconds: number) => {
    const [unit, size] = seconds < 60 ? ["second", 1] : seconds < 3600 ? ["minute", 60] : ["hour", 3600];
    const format = numbers(i18n.language, { style: "unit", unit: unit as "hour", unitDisplay: "short" });
    return format.format(Math.floor(seconds / (size as number)));
  };
}

type RowProps = { queue: api.QueueView; format: Intl.NumberFormat; onLetters: (durable: string) => void };

function Row({ queue, format, onLetters }: RowProps) {
  const { t } = useTranslation();
  const span = useSpan();
  const { color, Icon } = LOOK[queue.state];
  const what = t(`ops.queues.what.${queue.durable}`, { defaultValue: queue.durable });
  const cells = [
    [t("ops.queues.pending"), queue.pending],
    [t("ops.queues.inHand"), queue.in_hand],
    [t("ops.queues.redelivered"), queue.redelivered],
  ] as const;
  return (
    <Table.Tr data-durable={queue.durable} data-state={queue.state} data-nothing={idle(queue) || undefined}>
      <Table.Td>
        <Text size="sm" fw={600}>
          {what}
        </Text>
        <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          {what === queue.durable ? queue.stream : `${queue.durable} · ${queue.stream}`}
        </Text>
      </Table.Td>
      <Table.Td>
        <Badge color={color} variant="light" leftSection={<Icon size={13} aria-hidden />} className={classes.state}>
          {t(`ops.queues.states.${queue.state}`, { span: span(queue.quiet_seconds ?? 0) })}
        </Badge>
        {queue.state === "stuck" && (
          <Text size="xs" c="dimmed" mt={2}>
            {t(queue.fetching ? "ops.queues.holds" : "ops.queues.nobodyFetches")}
          </Text>
        )}
        {queue.returning > 0 && (
          <Text size="xs" c="dimmed" mt={2}>
            {t("ops.queues.returning", { count: queue.returning })}
          </Text>
        )}
      </Table.Td>
      {cells.map(([label, value]) => (
        <Table.Td key={label} data-label={label} className={classes.number}>
          {format.format(value)}
        </Table.Td>
      ))}
      <Table.Td data-label={t("ops.queues.dead")} className={classes.number}>
        {queue.dead_letters ? (
          <Button
            size="compact-xs"
            variant="light"
            color="red"
            leftSection={<IconMail size={13} aria-hidden />}
            aria-label={t("ops.queues.show", { count: queue.dead_letters, name: queue.durable })}
            onClick={() => onLetters(queue.durable)}
          >
            {format.format(queue.dead_letters)}
          </Button>
        ) : (
          format.format(0)
        )}
      </Table.Td>
    </Table.Tr>
  );
}
