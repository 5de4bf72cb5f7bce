import { dates, numbers } from "@/formats";
import "@mantine/charts/styles.css";
import { BarChart } from "@mantine/charts";
import {
  Anchor,
  Card,
  Group,
  ScrollArea,
  SegmentedControl,
  SimpleGrid,
  Skeleton,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import * as api from "@/api/dashboard";
import type { Dashboard, Waited } from "@/api/generated";
import { Failure } from "@/shell/Failure";
import { OwnPeriod } from "./OwnPeriod";
import { ago, asked, flaw, SPANS, type Span } from "./period";

const OWN = "own";

/** What happened in the account, today, in the last days or on days of one's own, beside as many days before. */
export function DashboardPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { span, own } = asked(useSearch({ strict: false }));
  const today = useQuery({
    queryKey: ["dashboard", "today"],
    queryFn: () => api.dashboard({}),
    refetchInterval: 30_000,
  });
  const last = today.data?.period.last;
  const wrong = own && flaw(own, last);
  const range = own ?? (last && span !== "today" ? { first: ago(last, SPANS[span] - 1), last } : undefined);
  const longer = useQuery({
    queryKey: ["dashboard", range],
    queryFn: () => api.dashboard(range ?? {}),
    enabled: range !== undefined && !wrong,
    placeholderData: keepPreviousData,
  });
  const shown = range ? longer : today;
  const period = shown.data?.period ?? today.data?.period;
  const choose = (value: string) => {
    if (value !== OWN) void navigate({ to: "/dashboard", search: value === "today" ? {} : { span: value } });
    else if (period) void navigate({ to: "/dashboard", search: { first: period.first, last: period.last } });
  };
  return (
    <ScrollArea h="100%" type="auto">
      <Stack p={{ base: "md", sm: "xl" }} gap="md" maw={1180} mx="auto">
        <Group justify="space-between" align="flex-end">
          <div>
            <Title order={1} size="h2">
              {t("dashboard.title")}
            </Title>
            <Text c="dimmed" size="sm">
              {t("dashboard.subtitle")}
            </Text>
          </div>
          <SegmentedControl
            value={span ?? OWN}
            onChange={choose}
            aria-label={t("dashboard.period")}
            data={[...(Object.keys(SPANS) as Span[]), OWN as typeof OWN].map((value) => ({
              value,
              label: t(`dashboard.span.${value}`),
              disabled: value === OWN && !period,
            }))}
          />
        </Group>
        {own && (
          <OwnPeriod range={own} today={last} onChoose={(search) => void navigate({ to: "/dashboard", search })} />
        )}
        {wrong ? null : shown.isError ? (
          <Failure error={shown.error} reset={() => void shown.refetch()} />
        ) : shown.data ? (
          <Figures data={shown.data} />
        ) : (
          <SimpleGrid cols={{ base: 2, md: 4 }} role="status" aria-busy aria-label={t("common.loading")}>
            {[1, 2, 3, 4].map((n) => (
              <Skeleton key={n} h={110} />
            ))}
          </SimpleGrid>
        )}
      </Stack>
    </ScrollArea>
  );
}

function Figures({ data }: { data: Dashboard }) {
  const { t, i18n } = useTranslation();
  const { period, previous } = data;
  const oneDay = period.first === period.last;
  const day = dates(i18n.language, { day: "numeric", month: "short", timeZone: "UTC" });
  const date = dates(i18n.language, { dateStyle: "medium", timeZone: "UTC" });
  const days = ({ first, last }: { first: string; last: string }) =>
    date.formatRange(new Date(`${first}T00:00:00Z`), new Date(`${last}T00:00:00Z`));
  const bars = oneDay
    ? data.hours.map((hour) => ({ at: `${hour.hour}:00`, received: hour.received, sent: hour.sent }))
    : data.days.map((one) => ({
        at: day.format(new Date(`${one.day}T00:00:00Z`)),
        received: one.received,
        sent: one.sent,
      }));
  return (
    <>
      <Text size="sm" role="status">
        {t("dashboard.shown", {
          period: days(period),
          previous: days(previous),
          zone: data.time_zone.replaceAll("_", " "),
        })}
      </Text>
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
        <Figure label={t("dashboard.received")} value={period.received} before={previous.received} />
        <Figure label={t("dashboard.sent")} value={period.sent} before={previous.sent} />
        <Figure label={t("dashboard.active")} value={period.active} before={previous.active} />
        <Wait waited={period.first_response} before={previous.first_response} />
      </SimpleGrid>
      <Card withBorder>
        <SimpleGrid cols={3} spacing="sm" maw={560}>
          <Now label={t("dashboard.openNow")} value={data.open_now} />
          <Now label={t("dashboard.waitingNow")} value={data.waiting_now} />
          <Now label={t("dashboard.unassignedNow")} value={data.unassigned_now} />
        </SimpleGrid>
      </Card>
      <Card withBorder component="section" aria-label={t(oneDay ? "dashboard.byHour" : "dashboard.byDay")}>
        <Heading
          text={t(oneDay ? "dashboard.byHour" : "dashboard.byDay")}
          table={oneDay ? "hours" : "days"}
          data={data}
        />
        <BarChart
          h={220}
          data={bars}
          dataKey="at"
          yAxisProps={{ allowDecimals: false }}
          xAxisProps={{ interval: "equidistantPreserveStart" }}
          withLegend
          series={[
            { name: "received", label: t("dashboard.received"), color: "teal.6" },
            { name: "sent", label: t("dashboard.sent"), color: "blue.6" },
          ]}
        />
      </Card>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        <Agents data={data} />
        <Numbers data={data} />
      </SimpleGrid>
    </>
  );
}

function Figure({ label, value, before }: { label: string; value: number; before: number }) {
  const { t, i18n } = useTranslation();
  const number = numbers(i18n.language);
  const share = before ? Math.round(((value - before) / before) * 100) : undefined;
  return (
    <Card withBorder component="article" aria-label={label}>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text fz={28} fw={700} lh={1.3} data-testid="figure">
        {number.format(value)}
      </Text>
      <Text size="xs" c="dimmed">
        {share === undefined
          ? t("dashboard.nothingBefore")
          : t("dashboard.before", { share: `${share > 0 ? "+" : ""}${share}`, value: number.format(before) })}
      </Text>
    </Card>
  );
}

function Wait({ waited, before }: { waited: Waited; before: Waited }) {
  const { t } = useTranslation();
  const duration = useDuration();
  return (
    <Card withBorder component="article" aria-label={t("dashboard.firstResponse")}>
      <Text size="sm" c="dimmed">
        {t("dashboard.firstResponse")}
      </Text>
      <Text fz={28} fw={700} lh={1.3}>
        {duration(waited.median_seconds)}
      </Text>
      <Text size="xs" c="dimmed">
        {waited.count
          ? t("dashboard.slowest", { p90: duration(waited.p90_seconds), before: duration(before.median_seconds) })
          : t("dashboard.nobodyWaited")}
      </Text>
    </Card>
  );
}

function Now({ label, value }: { label: string; value: number }) {
  return (
    <Stack gap={0} justify="space-between">
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text fw={600}>{value}</Text>
    </Stack>
  );
}

function Heading({ text, table, data }: { text: string; table: Parameters<typeof api.exported>[0]; data: Dashboard }) {
  return (
    <Group justify="space-between" mb="sm">
      <Title order={2} size="h5">
        {text}
      </Title>
      <Anchor href={api.exported(table, data.period)} download size="sm" aria-label={`CSV: ${text}`}>
        <Group gap={4}>
          <IconDownload size={16} aria-hidden /> CSV
        </Group>
      </Anchor>
    </Group>
  );
}

function Agents({ data }: { data: Dashboard }) {
  const { t } = useTranslation();
  const duration = useDuration();
  return (
    <Card withBorder component="section" aria-label={t("dashboard.agents")}>
      <Heading text={t("dashboard.agents")} table="agents" data={data} />
      {data.agents.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t("dashboard.noAgents")}
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={340}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("dashboard.who")}</Table.Th>
                <Table.Th ta="right">{t("dashboard.handled")}</Table.Th>
                <Table.Th ta="right">{t("dashboard.openNow")}</Table.Th>
                <Table.Th ta="right">{t("dashboard.median")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.agents.map((agent) => (
                <Table.Tr key={agent.id}>
                  <Table.Td>{agent.name ?? "…"}</Table.Td>
                  <Table.Td ta="right">{agent.handled}</Table.Td>
                  <Table.Td ta="right">{agent.open_now}</Table.Td>
                  <Table.Td ta="right">{duration(agent.first_response.median_seconds)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Card>
  );
}

function Numbers({ data }: { data: Dashboard }) {
  const { t } = useTranslation();
  return (
    <Card withBorder component="section" aria-label={t("dashboard.numbers")}>
      <Heading text={t("dashboard.numbers")} table="numbers" data={data} />
      {data.numbers.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t("dashboard.noNumbers")}
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={340}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("dashboard.number")}</Table.Th>
                <Table.Th ta="right">{t("dashboard.received")}</Table.Th>
                <Table.Th ta="right">{t("dashboard.sent")}</Table.Th>
                <Table.Th ta="right">{t("dashboard.chats")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.numbers.map((number) => (
                <Table.Tr key={number.id}>
                  <Table.Td>{number.name ?? "…"}</Table.Td>
                  <Table.Td ta="right">{number.received}</Table.Td>
                  <Table.Td ta="right">{number.sent}</Table.Td>
                  <Table.Td ta="right">{number.active}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Card>
  );
}

/** Writes seconds as people say them: 45 s, 12 min, 3 h. */
function useDuration() {
  const { i18n } = useTranslation();
  return (seconds: number | null) => {
    if (seconds === null) return "–";
    const [value, unit] =
      seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
    return numbers(i18n.language, {
      style: "unit",
      unit: unit as string,
      unitDisplay: "short",
      maximumFractionDigits: unit === "hour" ? 1 : 0,
    }).format(value as number);
  };
}
