import {
  Alert,
  Button,
  Checkbox,
  FileInput,
  Group,
  Modal,
  Paper,
  Progress,
  Select,
  SimpleGrid,
  Skeleton,
  Stack,
  Stepper,
  Table,
  Text,
} from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconAlertTriangle, IconDownload, IconFileSpreadsheet } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/contacts";
import { asProblem } from "@/api/problem";
import { numbers } from "@/formats";
import { onFrame } from "@/realtime/frames";
import { OneOf } from "@/shell/choose";
import { useProblemText, useShowProblem } from "@/shell/problems";
import { CONTACTS, type Profile } from "./useContacts";

const COUNTRIES = "AR BO BR CL CO CR CU DO EC ES GT HN MX NI PA PE PR PT PY SV US UY VE".split(" ");
const TARGETS = ["phone", "name", "email", "tags", "state"] as const;
/** The counts of a list, each of them a number. */
const countsOf = ({
  counts: { rows = 0, new: fresh = 0, changed = 0, unchanged = 0, refused = 0, reasons = {} },
}: api.ImportPlan) => ({
  rows,
  fresh,
  changed,
  unchanged,
  refused,
  reasons,
});
const WORKING = ["checking", "running"];

/** A list of contacts comes in: the file, what its columns are, what would become of it, and what became. */
export function ImportWizard({ profile, onClose }: { profile: Profile; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const [id, setId] = useState<string>();
  const [step, setStep] = useState(0);
  const list = useQuery({
    queryKey: ["import", id],
    queryFn: () => api.list(id ?? ""),
    enabled: id !== undefined,
    // The socket tells; where it is away, asking now and then does.
    refetchInterval: (query) => (WORKING.includes(query.state.data?.state ?? "") ? 4_000 : false),
  });
  useEffect(
    () =>
      onFrame((frame) => {
        if (frame.event !== "import_changed") return;
        const told = frame.data as Partial<api.ImportPlan> & { id: string };
        client.setQueryData<api.ImportPlan>(["import", told.id], (known) => known && { ...known, ...told });
      }),
    [client],
  );
  const one = list.data;
  const state = one?.state;
  useEffect(() => {
    if (state === "checking" || state === "checked") setStep(2);
    if (state && ["running", "done", "cancelled"].includes(state)) setStep(3);
    if (state === "done" || state === "cancelled") void client.invalidateQueries({ queryKey: CONTACTS });
  }, [state, client]);
  const keep = (next: api.ImportPlan) => client.setQueryData(["import", next.id], next);
  return (
    <Modal
      opened
      onClose={onClose}
      title={t("contacts.import.title")}
      size="xl"
      fullScreen={phone}
      closeOnClickOutside={false}
    >
      <Stack gap="lg">
        <Stepper active={state === "done" ? 4 : step} size="xs" iconSize={28} allowNextStepsSelect={false} wrap={false}>
          {(["file", "columns", "check", "result"] as const).map((name, place) => (
            <Stepper.Step
              key={name}
              label={phone ? undefined : t(`contacts.import.step.${name}`)}
              {...(phone && { "aria-label": `${place + 1} ${t(`contacts.import.step.${name}`)}` })}
            />
          ))}
        </Stepper>
        {step === 0 && (
          <Bring
            onBrought={(next) => {
              keep(next);
              setId(next.id);
              setStep(1);
            }}
          />
        )}
        {step > 0 && !one && <Skeleton h={200} />}
        {step === 1 && one && <Columns one={one} profile={profile} keep={keep} onTry={() => setStep(2)} />}
        {step === 2 && one && <Check one={one} keep={keep} back={() => setStep(1)} />}
        {step === 3 && one && <Result one={one} keep={keep} onClose={onClose} />}
      </Stack>
    </Modal>
  );
}

function Bring({ onBrought }: { onBrought: (next: api.ImportPlan) => void }) {
  const { t } = useTranslation();
  const text = useProblemText();
  const [file, setFile] = useState<File | null>(null);
  const key = useRef(crypto.randomUUID());
  const bring = useMutation({
    mutationFn: (chosen: File) => api.bringList(chosen, key.current),
    onSuccess: onBrought,
  });
  const problem = bring.isError ? asProblem(bring.error) : undefined;
  return (
    <Stack>
      <Text size="sm">{t("contacts.import.hint")}</Text>
      <FileInput
        label={t("contacts.import.file")}
        placeholder={t("contacts.import.choose")}
        accept=".csv,.txt,.tsv,.xlsx,.xls,.ods,text/csv"
        leftSection={<IconFileSpreadsheet size={18} />}
        value={file}
        clearable
        onChange={(next) => {
          key.current = crypto.randomUUID();
          bring.reset();
          setFile(next);
        }}
      />
      {problem && (
        <Alert color="red" variant="light" icon={<IconAlertTriangle size={18} />} title={text(problem)}>
          {problem.detail}
        </Alert>
      )}
      <Group justify="flex-end">
        <Button disabled={!file} loading={bring.isPending} onClick={() => file && bring.mutate(file)}>
          {t("contacts.import.next")}
        </Button>
      </Group>
    </Stack>
  );
}

type StepProps = { one: api.ImportPlan; keep: (next: api.ImportPlan) => void };

function Columns({ one, profile, keep, onTry }: StepProps & { profile: Profile; onTry: () => void }) {
  const { t, i18n } = useTranslation();
  const showProblem = useShowProblem();
  const [targets, setTargets] = useState(one.columns.map((column) => column.target ?? null));
  const [country, setCountry] = useState<string | null>(one.country ?? null);
  const [overwrite, setOverwrite] = useState(one.overwrite);
  const [createTags, setCreateTags] = useState(one.create_tags);
  const attempt = useMutation({
    mutationFn: () => api.tryList(one.id, { columns: targets, country, overwrite, create_tags: createTags }),
    onSuccess: (next) => {
      keep(next);
      onTry();
    },
    onError: showProblem,
  });
  const names = new Intl.DisplayNames([i18n.language], { type: "region" });
  const countries = [...new Set([...COUNTRIES, ...(country ? [country] : [])])]
    .map((code) => ({ value: code, label: names.of(code) ?? code }))
    .sort((a, b) => a.label.localeCompare(b.label));
  const options = [
    ...TARGETS.map((target) => ({ value: target as string, label: t(`contacts.column.${target}`) })),
    ...profile.fields.map((field) => ({ value: `field:${field.key}`, label: field.name })),
  ];
  const taken = (target: string, place: number) =>
    target !== "name" && targets.some((other, index) => index !== place && other === target);
  const ready = targets.includes("phone");
  return (
    <Stack>
      <Text size="sm">{t("contacts.import.columnsHint", { count: one.rows })}</Text>
      <Paper withBorder mah="42vh" style={{ overflow: "auto" }}>
        <Table stickyHeader verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("contacts.import.column")}</Table.Th>
              <Table.Th>{t("contacts.import.is")}</Table.Th>
              <Table.Th visibleFrom="sm">{t("contacts.import.samples")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {one.columns.map((column, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place
              <Table.Tr key={place}>
                <Table.Td maw={160}>
                  <Text size="sm" fw={500} truncate title={column.name} dir="auto">
                    {column.name}
                  </Text>
                  <Text size="xs" c="dimmed" truncate hiddenFrom="sm" dir="auto">
                    {column.samples.find(Boolean)}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <Select
                    size="xs"
                    aria-label={t("contacts.import.whatIs", { name: column.name })}
                    placeholder={t("contacts.import.leaveOut")}
                    data={options.map((option) => ({ ...option, disabled: taken(option.value, place) }))}
                    value={targets[place] ?? null}
                    onChange={(value) => setTargets(targets.map((old, index) => (index === place ? value : old)))}
                    clearable
                  />
                </Table.Td>
                <Table.Td visibleFrom="sm" maw={260}>
                  <Text size="xs" c="dimmed" truncate dir="auto">
                    {column.samples.filter(Boolean).slice(0, 3).join(" · ")}
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Paper>
      <OneOf
        label={t("contacts.import.country")}
        description={t("contacts.import.countryHint")}
        placeholder={t("contacts.import.noCountry")}
        data={countries}
        value={country}
        onChange={setCountry}
        clearable
      />
      <Checkbox
        label={t("contacts.import.overwrite")}
        checked={overwrite}
        onChange={(event) => setOverwrite(event.currentTarget.checked)}
      />
      {targets.includes("tags") && (
        <Checkbox
          label={t("contacts.import.createTags")}
          checked={createTags}
          onChange={(event) => setCreateTags(event.currentTarget.checked)}
        />
      )}
      <Group justify="space-between">
        <Text size="sm" c={ready ? "dimmed" : "red"} role="status">
          {ready ? t("contacts.import.nothingYet") : t("contacts.import.needPhone")}
        </Text>
        <Button disabled={!ready} loading={attempt.isPending} onClick={() => attempt.mutate()}>
          {t("contacts.import.try")}
        </Button>
      </Group>
    </Stack>
  );
}

function Check({ one, keep, back }: StepProps & { back: () => void }) {
  const { t } = useTranslation();
  const showProblem = useShowProblem();
  const start = useMutation({ mutationFn: () => api.takeList(one.id, {}), onSuccess: keep, onError: showProblem });
  const stop = useMutation({
    mutationFn: () => api.stopList(one.id),
    onSuccess: (next) => {
      keep(next);
      back();
    },
    onError: showProblem,
  });
  const working = one.state === "checking";
  const { fresh, changed, refused } = countsOf(one);
  const useful = fresh + changed;
  return (
    <Stack>
      {working ? <Advance one={one} label={t("contacts.import.checking")} /> : <Failed one={one} />}
      <Counts one={one} />
      {!working && one.state === "checked" && (
        <Text size="sm">{t(useful ? "contacts.import.ready" : "contacts.import.nothing")}</Text>
      )}
      <Group justify="space-between">
        <Button variant="default" loading={stop.isPending} onClick={() => (working ? stop.mutate() : back())}>
          {t("common.back")}
        </Button>
        <Group gap="xs">
          {!working && refused > 0 && <Refused id={one.id} />}
          <Button
            disabled={one.state !== "checked" || !useful}
            loading={start.isPending}
            onClick={() => start.mutate()}
          >
            {t("contacts.import.start", { count: useful })}
          </Button>
        </Group>
      </Group>
    </Stack>
  );
}

function Result({ one, keep, onClose }: StepProps & { onClose: () => void }) {
  const { t } = useTranslation();
  const showProblem = useShowProblem();
  const stop = useMutation({ mutationFn: () => api.stopList(one.id), onSuccess: keep, onError: showProblem });
  const working = one.state === "running";
  const { refused } = countsOf(one);
  return (
    <Stack>
      {working ? (
        <>
          <Advance one={one} label={t("contacts.import.running")} />
          <Text size="sm" c="dimmed">
            {t("contacts.import.mayClose")}
          </Text>
        </>
      ) : one.state === "failed" ? (
        <Failed one={one} />
      ) : (
        <Alert
          color={one.state === "done" ? "teal" : "yellow"}
          variant="light"
          title={t(`contacts.import.${one.state}` as "contacts.import.done")}
        >
          {t(one.state === "done" ? "contacts.import.doneHint" : "contacts.import.cancelledHint")}
        </Alert>
      )}
      <Counts one={one} />
      <Group justify="flex-end" gap="xs">
        {!working && refused > 0 && <Refused id={one.id} />}
        {working ? (
          <Button variant="default" color="red" loading={stop.isPending} onClick={() => stop.mutate()}>
            {t("contacts.import.cancel")}
          </Button>
        ) : (
          <Button onClick={onClose}>{t("common.done")}</Button>
        )}
      </Group>
    </Stack>
  );
}

function Advance({ one, label }: { one: api.ImportPlan; label: string }) {
  const { rows } = countsOf(one);
  const share = one.rows ? Math.min(100, (rows / one.rows) * 100) : 0;
  return (
    <Stack gap={6}>
      <Group justify="space-between">
        <Text size="sm" fw={500} role="status">
          {label}
        </Text>
        <Text size="sm" c="dimmed">
          {rows} / {one.rows}
        </Text>
      </Group>
      <Progress value={share} aria-label={label} animated />
    </Stack>
  );
}

function Failed({ one }: { one: api.ImportPlan }) {
  const { t, i18n } = useTranslation();
  if (one.state !== "failed") return null;
  const key = `error.${one.reason}`;
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle size={18} />} title={t("contacts.import.failed")}>
      {i18n.exists(key) ? t(key as "error.unknown") : t("error.unknown")} {one.detail}
    </Alert>
  );
}

function Counts({ one }: { one: api.ImportPlan }) {
  const { t, i18n } = useTranslation();
  const number = numbers(i18n.language);
  const box = (label: string, count: number, color: string): ReactNode => (
    <Paper withBorder p="sm" key={label}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text
        size="xl"
        fw={650}
        c={count ? color && `light-dark(var(--mantine-color-${color}-9), var(--mantine-color-${color}-4))` : "dimmed"}
      >
        {number.format(count)}
      </Text>
    </Paper>
  );
  const counts = countsOf(one);
  const reasons = Object.entries(counts.reasons).sort(([, a], [, b]) => b - a);
  return (
    <>
      <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="xs">
        {box(t("contacts.import.count.new"), counts.fresh, "teal")}
        {box(t("contacts.import.count.changed"), counts.changed, "blue")}
        {box(t("contacts.import.count.unchanged"), counts.unchanged, "")}
        {box(t("contacts.import.count.refused"), counts.refused, "red")}
      </SimpleGrid>
      {reasons.length > 0 && (
        <Stack gap={2}>
          {reasons.map(([why, count]) => (
            <Group key={why} justify="space-between" wrap="nowrap">
              <Text size="sm">
                {i18n.exists(`contacts.import.why.${why}`)
                  ? t(`contacts.import.why.${why}` as "contacts.import.why.phone-missing")
                  : why}
              </Text>
              <Text size="sm" fw={500}>
                {number.format(count)}
              </Text>
            </Group>
          ))}
        </Stack>
      )}
    </>
  );
}

function Refused({ id }: { id: string }) {
  const { t } = useTranslation();
  return (
    <Button
      component="a"
      href={api.refusedRows(id)}
      download
      variant="light"
      color="red"
      leftSection={<IconDownload size={16} />}
    >
      {t("contacts.import.errors")}
    </Button>
  );
}
