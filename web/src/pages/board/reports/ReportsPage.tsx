import { Button, Group, Paper, Progress, SegmentedControl, Stack, Table, Text, Title } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import * as board from "@/api/board";
import { data, throwing } from "@/api/calls";
import * as sdk from "@/api/generated";
import { dates, numbers } from "@/formats";
import { OneOf } from "@/shell/choose";
import { Loaded } from "@/shell/Loaded";
import { BelowBoard } from "../BelowBoard";
import { useMoney } from "../money";

const PERIODS = [30, 90, 365] as const;
const DAY = 86_400_000;

/** What becomes of the leads: how far they come, how long it takes, what they bring, why they are lost. */
export function ReportsPage() {
  const { t } = useTranslation();
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: board.pipelines, staleTime: 60_000 });
  const [chosen, choose] = useState<string | null>(null);
  const [days, setDays] = useState<number>(90);
  const [today] = useState(() => Date.now());
  const id = chosen ?? pipelines.data?.items[0]?.id;
  const since = new Date(today - days * DAY).toISOString();
  return (
    <BelowBoard
      title={t("reports.title")}
      width={1180}
      actions={
        <Group gap="sm">
          {(pipelines.data?.items.length ?? 0) > 1 && (
            <OneOf
              aria-label={t("board.pipeline")}
              data={(pipelines.data?.items ?? []).map((one) => ({ value: one.id, label: one.name }))}
              value={id ?? null}
              onChange={choose}
              allowDeselect={false}
            />
          )}
          <SegmentedControl
            aria-label={t("reports.period")}
            value={String(days)}
            onChange={(value) => setDays(Number(value))}
            data={PERIODS.map((one) => ({ value: String(one), label: t("reports.days", { count: one }) }))}
          />
        </Group>
      }
    >
      <Loaded query={pipelines}>
        {() =>
          id ? (
            <Stack gap="md">
              <Conversion id={id} since={since} />
              <Time id={id} since={since} />
              <Forecast id={id} />
              <Outcomes id={id} since={since} />
            </Stack>
          ) : (
            <Text c="dimmed" size="sm">
              {t("board.empty")}
            </Text>
          )
        }
      </Loaded>
    </BelowBoard>
  );
}

type Named = "conversion" | "time" | "forecast" | "outcomes";

/** One table, with the file of it. */
function Part({
  id,
  name,
  query,
  children,
  more,
}: {
  id: string;
  name: Named;
  query: Record<string, string>;
  children: ReactNode;
  more?: ReactNode;
}) {
  const { t } = useTranslation();
  return (
    <Paper withBorder p="md" component="section" aria-label={t(`reports.${name}`)}>
      <Stack gap="sm">
        <Group justify="space-between" align="flex-start" wrap={more ? "wrap" : "nowrap"}>
          <div>
            <Title order={2} size="h5">
              {t(`reports.${name}`)}
            </Title>
            <Text size="sm" c="dimmed">
              {t(`reports.${name}Hint`)}
            </Text>
          </div>
          <Group gap="xs" flex="none">
            {more}
            <Button
              component="a"
              href={`/api/pipelines/${id}/reports/${name}?${new URLSearchParams({ ...query, format: "csv" })}`}
              download
              size="xs"
              variant="default"
              leftSection={<IconDownload size={14} aria-hidden />}
              aria-label={`CSV: ${t(`reports.${name}`)}`}
            >
              CSV
            </Button>
          </Group>
        </Group>
        {children}
      </Stack>
    </Paper>
  );
}

function Rows({ label, head, rows }: { label: string; head: string[]; rows: { key: string; cells: ReactNode[] }[] }) {
  const { t } = useTranslation();
  if (!rows.length)
    return (
      <Text size="sm" c="dimmed">
        {t("reports.nothing")}
      </Text>
    );
  return (
    <Table.ScrollContainer
      minWidth={460}
      scrollAreaProps={{ viewportProps: { tabIndex: 0, role: "region", "aria-label": label } }}
    >
      <Table verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            {head.map((one, index) => (
              <Table.Th key={one} ta={index ? "right" : "left"}>
                {one}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ key, cells }) => (
            <Table.Tr key={key}>
              {cells.map((cell, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the columns do not move
                <Table.Td key={index} ta={index ? "right" : "left"}>
                  {cell}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Conversion({ id, since }: { id: string; since: string }) {
  const { t, i18n } = useTranslation();
  const query = useQuery({
    queryKey: ["reports", "conversion", id, since],
    queryFn: () => data(sdk.reportsConversion({ ...throwing, path: { id }, query: { since } })),
  });
  const percent = numbers(i18n.language, { style: "percent", maximumFractionDigits: 0 });
  return (
    <Part id={id} name="conversion" query={{ since }}>
      <Loaded query={query}>
        {({ items }) => (
          <Stack gap={8}>
            {items.every(({ leads }) => leads === 0) && (
              <Text size="sm" c="dimmed">
                {t("reports.nothing")}
              </Text>
            )}
            {items.some(({ leads }) => leads > 0) &&
              items.map((item) => (
                <div key={item.stage_id}>
                  <Group justify="space-between" wrap="nowrap">
                    <Text size="sm" truncate>
                      {item.stage}
                    </Text>
                    <Text size="sm" fw={600} style={{ whiteSpace: "nowrap" }}>
                      {t("reports.reached", { reached: item.reached, leads: item.leads })} ·{" "}
                      {percent.format(item.share)}
                    </Text>
                  </Group>
                  <Progress
                    value={item.share * 100}
                    color={item.kind === "won" ? "teal" : item.kind === "lost" ? "red" : "clarin"}
                    aria-label={item.stage}
                  />
                </div>
              ))}
          </Stack>
        )}
      </Loaded>
    </Part>
  );
}

function Time({ id, since }: { id: string; since: string }) {
  const { t, i18n } = useTranslation();
  const query = useQuery({
    queryKey: ["reports", "time", id, since],
    queryFn: () => data(sdk.reportsTime({ ...throwing, path: { id }, query: { since } })),
  });
  const lasting = (seconds: number | null) => (seconds === null ? "—" : lasts(seconds, i18n.language));
  return (
    <Part id={id} name="time" query={{ since }}>
      <Loaded query={query}>
        {({ items }) => (
          <Rows
            label={t("reports.time")}
            head={[t("reports.stage"), t("reports.visits"), t("reports.mean"), t("reports.median"), t("reports.there")]}
            rows={items.map((item) => ({
              key: item.stage_id,
              cells: [
                item.stage,
                item.visits,
                lasting(item.mean_seconds),
                lasting(item.median_seconds),
                item.still_there,
              ],
            }))}
          />
        )}
      </Loaded>
    </Part>
  );
}

/** A time span in its largest fitting unit. */
export function lasts(seconds: number, language: string): string {
  const [unit, size] =
    seconds >= 2 * 86_400
      ? (["day", 86_400] as const)
      : seconds >= 2 * 3_600
        ? (["hour", 3_600] as const)
        : (["minute", 60] as const);
  return numbers(language, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: unit === "minute" ? 0 : 1,
  }).format(seconds / size);
}

function Forecast({ id }: { id: string }) {
  const { t, i18n } = useTranslation();
  const money = useMoney();
  const query = useQuery({
    queryKey: ["reports", "forecast", id],
    queryFn: () => data(sdk.reportsForecast({ ...throwing, path: { id } })),
  });
  const month = dates(i18n.language, { month: "long", year: "numeric", timeZone: "UTC" });
  return (
    <Part id={id} name="forecast" query={{}}>
      <Loaded query={query}>
        {({ items }) => (
          <Rows
            label={t("reports.forecast")}
            head={[t("reports.month"), t("reports.leads"), t("reports.value"), t("reports.weighted")]}
            rows={items.map((item) => ({
              key: `${item.month}${item.currency}`,
              cells: [
                item.month ? month.format(new Date(`${item.month.slice(0, 7)}-15T00:00:00Z`)) : t("reports.someday"),
                item.leads,
                money(item.value, item.currency),
                money(item.weighted, item.currency),
              ],
            }))}
          />
        )}
      </Loaded>
    </Part>
  );
}

function Outcomes({ id, since }: { id: string; since: string }) {
  const { t } = useTranslation();
  const money = useMoney();
  const [by, setBy] = useState<"reason" | "owner">("reason");
  const query = useQuery({
    queryKey: ["reports", "outcomes", id, since, by],
    queryFn: () => data(sdk.reportsOutcomes({ ...throwing, path: { id }, query: { since, by } })),
  });
  return (
    <Part
      id={id}
      name="outcomes"
      query={{ since, by }}
      more={
        <SegmentedControl
          size="xs"
          aria-label={t("reports.outcomes")}
          value={by}
          onChange={(value) => setBy(value as typeof by)}
          data={[
            { value: "reason", label: t("reports.byReason") },
            { value: "owner", label: t("reports.byOwner") },
          ]}
        />
      }
    >
      <Loaded query={query}>
        {({ items }) => (
          <Rows
            label={t("reports.outcomes")}
            head={[
              t(by === "owner" ? "reports.owner" : "reports.reason"),
              t("reports.won"),
              t("reports.wonValue"),
              t("reports.lost"),
              t("reports.lostValue"),
            ]}
            rows={items.map((item) => ({
              key: `${item.owner_id}${item.name}${item.currency}`,
              cells: [
                item.name || t(by === "owner" ? "reports.nobody" : "reports.unsaid"),
                item.won,
                money(item.won_value, item.currency),
                item.lost,
                money(item.lost_value, item.currency),
              ],
            }))}
          />
        )}
      </Loaded>
    </Part>
  );
}
