import {
  Anchor,
  Avatar,
  Badge,
  Button,
  Card,
  Group,
  Select,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import {
  IconBuilding,
  IconDeviceMobile,
  IconKey,
  IconLayoutKanban,
  IconLogin2,
  IconMessage,
  IconRobot,
  IconUser,
  IconUsers,
} from "@tabler/icons-react";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as calls from "@/api/calls";
import type { DeedOut } from "@/api/generated";
import * as team from "@/api/team";
import { KEYS } from "@/realtime/apply";
import { OneOf } from "@/shell/choose";
import { Failure } from "@/shell/Failure";
import { useMoment } from "@/shell/time";
import { placeOf } from "./place";

/** What lines are about, as their kinds begin. */
const ABOUT = [
  "session",
  "user",
  "password",
  "invitation",
  "team",
  "key",
  "device",
  "message",
  "chat",
  "lead",
  "pipeline",
  "account",
] as const;
const PARTS = ["bot", "automation", "schedule"] as const;

const ICON: Record<string, typeof IconUser> = {
  session: IconLogin2,
  user: IconUser,
  password: IconLogin2,
  invitation: IconUser,
  team: IconUsers,
  key: IconKey,
  device: IconDeviceMobile,
  message: IconMessage,
  chat: IconMessage,
  lead: IconLayoutKanban,
  pipeline: IconLayoutKanban,
  account: IconBuilding,
};

/** Who did what in the account, the latest first. */
export function ActivityPage() {
  const { t } = useTranslation();
  const users = useQuery({ queryKey: ["users"], queryFn: team.users });
  const keys = useQuery({ queryKey: ["keys"], queryFn: team.keys });
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: calls.devices });
  const [actor, setActor] = useState<string | null>(null);
  const [kind, setKind] = useState<string | null>(null);
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const filter: team.ActivityFilter = {
    ...(actor ? { actor } : {}),
    ...(kind ? { kind } : {}),
    ...(from ? { after: startOf(from) } : {}),
    ...(to ? { before: startOf(to, 1) } : {}),
  };
  const lines = useInfiniteQuery({
    queryKey: ["activity", filter],
    queryFn: ({ pageParam }) => team.activity(filter, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    staleTime: 0,
  });
  const items = lines.data?.pages.flatMap((page) => page.items) ?? [];
  const names = new Map<string, string>(
    [...(users.data ?? []), ...(keys.data ?? []), ...(devices.data?.items ?? [])].map(
      ({ id, name }): [string, string] => [id, name],
    ),
  );
  return (
    <section aria-label={t("activity.title")}>
      <Title order={2} size="h4" mb="sm">
        {t("activity.title")}
      </Title>
      <SimpleGrid mb="md" spacing="sm" cols={{ base: 2, sm: 4 }} maw={820}>
        <OneOf
          label={t("activity.who")}
          placeholder={t("activity.anybody")}
          value={actor}
          onChange={setActor}
          clearable
          data={[
            {
              group: t("people.title"),
              items: (users.data ?? []).map(({ id, name }) => ({ value: id, label: name })),
            },
            { group: t("keys.title"), items: (keys.data ?? []).map(({ id, name }) => ({ value: id, label: name })) },
            {
              group: t("activity.parts"),
              items: PARTS.map((part) => ({ value: part, label: t(`activity.actor.${part}`) })),
            },
          ]}
        />
        <Select
          label={t("activity.what")}
          placeholder={t("activity.anything")}
          value={kind}
          onChange={setKind}
          clearable
          data={ABOUT.map((value) => ({ value, label: t(`activity.about.${value}`) }))}
        />
        <TextInput
          label={t("activity.from")}
          type="date"
          value={from}
          max={to || undefined}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          label={t("activity.to")}
          type="date"
          value={to}
          min={from || undefined}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
      </SimpleGrid>
      {lines.isError ? (
        <Failure error={lines.error} reset={() => void lines.refetch()} />
      ) : (
        <Stack gap={6} aria-busy={lines.isPending}>
          {items.map((line) => (
            <Line key={line.id} line={line} names={names} />
          ))}
          {lines.isSuccess && items.length === 0 && (
            <Text size="sm" c="dimmed">
              {t("activity.empty")}
            </Text>
          )}
          {lines.hasNextPage && (
            <Button variant="light" loading={lines.isFetchingNextPage} onClick={() => void lines.fetchNextPage()}>
              {t("common.more")}
            </Button>
          )}
        </Stack>
      )}
    </section>
  );
}

function Line({ line, names }: { line: DeedOut; names: Map<string, string> }) {
  const { t, i18n } = useTranslation();
  const moment = useMoment();
  const [about = ""] = line.kind.split(".");
  const Icon = line.actor && !["user", "key"].includes(line.actor.kind) ? IconRobot : (ICON[about] ?? IconUser);
  const key = `activity.kind.${line.kind.replaceAll(".", "_")}`;
  const deed = i18n.exists(key) ? t(key as "activity.kind.user_created") : line.kind;
  const place = placeOf(line);
  const who = line.actor ? (line.actor.name ?? t(`activity.actor.${line.actor.kind}`)) : t("activity.nobody");
  const target = line.target && line.target !== line.actor?.id ? names.get(line.target) : undefined;
  return (
    <Card withBorder padding="xs" component="article" data-kind={line.kind}>
      <Group wrap="nowrap" gap="sm">
        <Avatar size="sm" radius="xl" color="clarin">
          <Icon size={16} stroke={1.7} aria-hidden />
        </Avatar>
        <div style={{ minWidth: 0, flex: 1 }}>
          <Text size="sm">
            <b>{who}</b> ·{" "}
            {place ? (
              <Anchor component={Link} to={place.to} search={place.search as never} inherit underline="always">
                {deed}
              </Anchor>
            ) : (
              deed
            )}
            {target && ` · ${target}`}
          </Text>
          <Text size="xs" c="dimmed">
            {[moment(line.at), line.address].filter(Boolean).join(" · ")}
          </Text>
        </div>
        {line.actor?.kind === "key" && (
          <Badge variant="outline" color="gray" style={{ textTransform: "none" }}>
            {t("activity.actor.key")}
          </Badge>
        )}
      </Group>
    </Card>
  );
}

/** Gives the beginning of a day of the calendar here, or of one some days later. */
function startOf(day: string, later = 0): string {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}
