import { Badge, Button, Card, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { data, throwing } from "@/api/calls";
import type { HoursShown } from "@/api/generated";
import * as sdk from "@/api/generated";
import * as team from "@/api/team";
import { KEYS } from "@/realtime/apply";
import { Loaded } from "@/shell/Loaded";
import { useMoment } from "@/shell/time";
import { Head, Removal } from "../parts";
import { useDays } from "./days";
import { HoursDialog } from "./HoursDialog";
import { told, week } from "./week";

/** When the account answers: for all of it, for a number, or for a team. */
export function HoursPage() {
  const { t } = useTranslation();
  const hours = useQuery({
    queryKey: ["hours"],
    queryFn: () => data(sdk.hoursListHours(throwing)),
    refetchInterval: 60_000,
  });
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: api.devices });
  const teams = useQuery({ queryKey: ["teams"], queryFn: team.teams });
  const account = useQuery({ queryKey: ["account"], queryFn: team.account });
  const [editing, edit] = useState<HoursShown | "new">();
  const [removing, remove] = useState<HoursShown>();
  const names = new Map([
    ...(devices.data?.items ?? []).map(({ id, name }) => [id, name] as const),
    ...(teams.data ?? []).map(({ id, name }) => [id, name] as const),
  ]);
  return (
    <section aria-label={t("hours.title")}>
      <Head title={t("hours.title")} subtitle={t("hours.subtitle")}>
        <Button leftSection={<IconPlus size={18} />} onClick={() => edit("new")}>
          {t("hours.add")}
        </Button>
      </Head>
      <Loaded query={hours}>
        {({ items }) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t("hours.empty")}
            </Text>
          ) : (
            <SimpleGrid cols={{ base: 1, md: 2 }}>
              {items.map((item) => (
                <Hours
                  key={item.id}
                  item={item}
                  names={names}
                  zone={account.data?.time_zone}
                  onEdit={() => edit(item)}
                  onDelete={() => remove(item)}
                />
              ))}
            </SimpleGrid>
          )
        }
      </Loaded>
      {editing && (
        <HoursDialog
          hours={editing === "new" ? undefined : editing}
          first={hours.data?.items.length === 0}
          devices={devices.data?.items ?? []}
          teams={teams.data ?? []}
          zone={account.data?.time_zone ?? "UTC"}
          onClose={() => edit(undefined)}
        />
      )}
      {removing && <Remove hours={removing} onClose={() => remove(undefined)} />}
    </section>
  );
}

type Props = {
  item: HoursShown;
  names: Map<string, string>;
  zone: string | undefined;
  onEdit: () => void;
  onDelete: () => void;
};

function Hours({ item, names, zone, onEdit, onDelete }: Props) {
  const { t } = useTranslation();
  const moment = useMoment();
  const days = useDays("short");
  const where = [
    ...(item.everywhere ? [t("hours.everywhere")] : []),
    ...[...item.devices, ...item.teams].map((id) => names.get(id) ?? "…"),
  ];
  return (
    <Card withBorder padding="md" component="article" aria-label={item.name}>
      <Stack gap="xs" h="100%">
        <Group justify="space-between" wrap="nowrap">
          <Text fw={600} truncate>
            {item.name}
          </Text>
          <Badge color={item.open ? "teal" : "gray"} variant="light" style={{ textTransform: "none", flex: "none" }}>
            {t(item.open ? "hours.open" : "hours.closed")}
          </Badge>
        </Group>
        <Text size="sm" c="dimmed">
          {where.join(" · ") || t("hours.nowhere")}
        </Text>
        <Stack gap={2} flex={1}>
          {told(week(item.weekly)).map(({ from, to, text }) => (
            <Group key={from} gap="xs" wrap="nowrap">
              <Text size="sm" w={96} style={{ flex: "none" }}>
                {from === to ? days[from] : `${days[from]} – ${days[to]}`}
              </Text>
              <Text size="sm" fw={text ? 600 : 400} {...(text ? {} : { c: "dimmed" })}>
                {text || t("hours.closed")}
              </Text>
            </Group>
          ))}
        </Stack>
        <Text size="xs" c="dimmed">
          {[
            item.time_zone ?? zone,
            item.holidays.length ? t("hours.holidayCount", { count: item.holidays.length }) : "",
            !item.open && item.next_opening ? t("hours.opensAt", { at: moment(item.next_opening) }) : "",
          ]
            .filter(Boolean)
            .join(" · ")}
        </Text>
        <Group gap="xs">
          <Button size="xs" variant="light" onClick={onEdit} aria-label={`${t("people.edit")}: ${item.name}`}>
            {t("people.edit")}
          </Button>
          <Button
            size="xs"
            variant="subtle"
            color="red"
            onClick={onDelete}
            aria-label={`${t("teams.delete")}: ${item.name}`}
          >
            {t("teams.delete")}
          </Button>
        </Group>
      </Stack>
    </Card>
  );
}

function Remove({ hours, onClose }: { hours: HoursShown; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Removal
      title={t("hours.deleteTitle", { name: hours.name })}
      text={t("hours.deleteText")}
      action={t("teams.delete")}
      remove={() => data(sdk.hoursDeleteHours({ ...throwing, path: { id: hours.id } }))}
      lists={["hours"]}
      onClose={onClose}
    />
  );
}
