import { Alert, Badge, Button, Card, Collapse, Group, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { IconCircleCheck, IconMailX } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/ops";
import { Confirm } from "@/shell/Confirm";
import { OneOf } from "@/shell/choose";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";
import classes from "./Ops.module.css";
import { LIVE_MS } from "./Workers";

type Asked = { what: "replay" | "drop"; which: api.Letters; count?: number };

/** Messages that a service could not handle, newest first: each with why, to be given back to it or given up. */
export function DeadLetters({ durables, durable, onDurable }: DeadLettersProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [asked, ask] = useState<Asked>();
  const list = useInfiniteQuery({
    queryKey: ["ops", "letters", durable],
    queryFn: ({ pageParam }) => api.letters(durable, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    refetchInterval: LIVE_MS * 2,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const settle = useMutation({
    mutationFn: ({ what, which }: Asked) => api.settle(what, which),
    onSuccess: (count, { what }) =>
      notifications.show({ color: "teal", message: t(`ops.letters.done.${what}`, { count }) }),
    onError: showProblem,
    onSettled: () => {
      ask(undefined);
      return client.invalidateQueries({ queryKey: ["ops"] });
    },
  });
  const newest = items[0];
  return (
    <section aria-label={t("ops.letters.title")}>
      <Group justify="space-between" align="flex-end" mb="sm">
        <div>
          <Title order={2} size="h4">
            {t("ops.letters.title")}
          </Title>
          <Text size="sm" c="dimmed" maw={560}>
            {t("ops.letters.subtitle")}
          </Text>
        </div>
        <OneOf
          label={t("ops.letters.of")}
          placeholder={t("ops.letters.ofAll")}
          data={durables}
          value={durable}
          onChange={onDurable}
          clearable
        />
      </Group>
      <Loaded query={list}>
        {() =>
          newest === undefined ? (
            <Alert color="teal" variant="light" icon={<IconCircleCheck aria-hidden />}>
              {t(durable ? "ops.letters.noneHere" : "ops.letters.none", { name: durable })}
            </Alert>
          ) : (
            <Stack gap={6}>
              {durable && (
                <Group gap="xs">
                  {(["replay", "drop"] as const).map((what) => (
                    <Button
                      key={what}
                      size="xs"
                      variant="light"
                      color={what === "drop" ? "red" : undefined}
                      onClick={() => ask({ what, which: { durable, until: newest.id } })}
                    >
                      {t(`ops.letters.all.${what}`)}
                    </Button>
                  ))}
                </Group>
              )}
              {items.map((item) => (
                <Letter key={item.id} item={item} onAsk={(what) => ask({ what, which: { id: item.id } })} />
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
      {asked && (
        <Confirm
          title={t(asked.which.id ? `ops.letters.ask.${asked.what}` : `ops.letters.askAll.${asked.what}`, {
            name: durable ?? "",
          })}
          text={t(`ops.letters.text.${asked.what}`)}
          action={t(`ops.letters.${asked.what}`)}
          {...(asked.what === "replay" ? { color: "clarin" } : {})}
          loading={settle.isPending}
          onConfirm={() => settle.mutate(asked)}
          onClose={() => ask(undefined)}
        />
      )}
    </section>
  );
}

type DeadLettersProps = { durables: string[]; durable: string | null; onDurable: (durable: string | null) => void };

function Letter({ item, onAsk }: { item: api.DeadLetterView; onAsk: (what: "replay" | "drop") => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const [opened, { toggle }] = useDisclosure(false);
  const name = item.type ?? item.subject;
  const rows = [
    [t("ops.letters.number"), String(item.id)],
    [t("ops.letters.subject"), item.subject],
    [t("ops.letters.stood"), `${item.stream} · ${item.sequence}`],
    [t("ops.letters.firstSeen"), moment(item.first_seen)],
    [t("ops.letters.error"), item.error],
    [t("ops.account"), item.account ? `${item.account.name} · ${item.account.id}` : t("ops.nobody")],
  ];
  return (
    <Card withBorder padding="xs" component="article" aria-label={`${name} ${item.id}`} data-letter={item.id}>
      <Group gap="xs" justify="space-between">
        <Group gap="xs" className={classes.letter}>
          <Badge
            color="red"
            variant="light"
            leftSection={<IconMailX size={13} aria-hidden />}
            style={{ textTransform: "none", flex: "none" }}
          >
            {item.code}
          </Badge>
          <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
            {name}
          </Text>
          <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {[item.durable, item.account?.name, moment(item.at), t("ops.letters.tries", { count: item.attempts })]
              .filter(Boolean)
              .join(" · ")}
          </Text>
        </Group>
        <Group gap={4}>
          <Button size="compact-xs" variant="subtle" onClick={toggle} aria-expanded={opened}>
            {t("ops.letters.details")}
          </Button>
          <Button size="compact-xs" variant="light" onClick={() => onAsk("replay")}>
            {t("ops.letters.replay")}
          </Button>
          <Button size="compact-xs" variant="subtle" color="red" onClick={() => onAsk("drop")}>
            {t("ops.letters.drop")}
          </Button>
        </Group>
      </Group>
      <Collapse expanded={opened}>
        <dl className={classes.facts}>
          {rows.map(([label, value]) => (
            <div key={label}>
              <Text component="dt" size="xs" c="dimmed">
                {label}
              </Text>
              <Text component="dd" size="sm" m={0} style={{ overflowWrap: "anywhere" }}>
                {value}
              </Text>
            </div>
          ))}
        </dl>
      </Collapse>
    </Card>
  );
}
