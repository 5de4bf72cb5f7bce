import {
  ActionIcon,
  Button,
  Checkbox,
  Fieldset,
  Group,
  Modal,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconCopy, IconPlus, IconX } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { data, throwing } from "@/api/calls";
import type { HoursShown, SetHours, TeamOut } from "@/api/generated";
import * as sdk from "@/api/generated";
import type { Device } from "@/api/types";
import { OneOf, SomeOf } from "@/shell/choose";
import { useShowProblem } from "@/shell/problems";
import { useDays } from "./days";
import { type HolidayLine, Holidays } from "./Holidays";
import { overlaps, type Part, week, weekly } from "./week";

const OFFICE: Part = { opens: "09:00", closes: "18:00" };

type Props = {
  hours: HoursShown | undefined;
  first: boolean;
  devices: Device[];
  teams: TeamOut[];
  zone: string;
  onClose: () => void;
};

/** The hours of a week, the days on which others hold, the time zone, and who keeps them. */
export function HoursDialog({ hours, first, devices, teams, zone, onClose }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const phone = useMediaQuery("(max-width: 48em)");
  const days = useDays("long");
  const [name, setName] = useState(hours?.name ?? t("hours.first"));
  const [everywhere, setEverywhere] = useState(hours?.everywhere ?? first);
  const [who, setWho] = useState<string[]>(hours?.devices ?? []);
  const [which, setWhich] = useState<string[]>(hours?.teams ?? []);
  const [timeZone, setTimeZone] = useState<string | null>(hours?.time_zone ?? null);
  const [plan, setPlan] = useState(() =>
    hours
      ? week(hours.weekly)
      : [OFFICE, OFFICE, OFFICE, OFFICE, OFFICE, null, null].map((part) => (part ? [part] : [])),
  );
  const [holidays, setHolidays] = useState<HolidayLine[]>(() =>
    (hours?.holidays ?? []).map(({ date, name: called, spans }) => ({
      key: crypto.randomUUID(),
      date,
      name: called ?? "",
      spans: (spans ?? []).map(({ opens, closes }) => ({ opens: opens.slice(0, 5), closes: closes.slice(0, 5) })),
    })),
  );
  const zones = useMemo(() => Intl.supportedValuesOf("timeZone"), []);
  const change = (day: number, parts: Part[]) =>
    setPlan((before) => before.map((old, at) => (at === day ? parts : old)));
  const wrong = plan.some(overlaps);
  const save = useMutation({
    mutationFn: () => {
      const body: SetHours = {
        name: name.trim(),
        everywhere,
        devices: who,
        teams: which,
        time_zone: timeZone,
        weekly: weekly(plan),
        holidays: holidays.map(({ date, name: called, spans }) => ({ date, name: called, spans })),
      };
      return hours
        ? data(sdk.hoursReplaceHours({ ...throwing, path: { id: hours.id }, body }))
        : data(sdk.hoursCreateHours({ ...throwing, body, headers: { "Idempotency-Key": crypto.randomUUID() } }));
    },
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["hours"] });
    },
    onError: showProblem,
  });

  return (
    <Modal opened onClose={onClose} size="xl" fullScreen={phone ?? false} title={t(hours ? "hours.edit" : "hours.add")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!wrong) save.mutate();
        }}
      >
        <Stack>
          <SimpleGrid cols={{ base: 1, xs: 2 }}>
            <TextInput
              label={t("hours.name")}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              maxLength={100}
              required
              data-autofocus
            />
            <OneOf
              label={t("hours.zone")}
              placeholder={t("hours.zoneOfAccount", { zone })}
              data={zones}
              value={timeZone}
              onChange={setTimeZone}
              clearable
            />
          </SimpleGrid>
          <Fieldset legend={t("hours.week")}>
            <Stack gap="sm">
              {days.map((day, at) => (
                <Day
                  key={day}
                  name={day}
                  parts={plan[at] ?? []}
                  onChange={(parts) => change(at, parts)}
                  onCopy={
                    at === 0
                      ? () => setPlan((before) => before.map((old, to) => (to < 5 ? (before[0] ?? old) : old)))
                      : undefined
                  }
                />
              ))}
            </Stack>
          </Fieldset>
          <Holidays lines={holidays} onChange={setHolidays} />
          <Fieldset legend={t("hours.where")}>
            <Stack gap="sm">
              <Checkbox
                label={t("hours.everywhere")}
                description={t("hours.everywhereHint")}
                checked={everywhere}
                onChange={(event) => setEverywhere(event.currentTarget.checked)}
              />
              <SomeOf
                label={t("hours.devices")}
                data={devices.map(({ id, name: called }) => ({ value: id, label: called }))}
                value={who}
                onChange={setWho}
                clearable
              />
              <SomeOf
                label={t("hours.teams")}
                description={t("hours.teamsHint")}
                data={teams.map(({ id, name: called }) => ({ value: id, label: called }))}
                value={which}
                onChange={setWhich}
                clearable
              />
            </Stack>
          </Fieldset>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t("common.cancel")}
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!name.trim() || wrong}>
              {t("common.save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

type DayProps = { name: string; parts: Part[]; onChange: (parts: Part[]) => void; onCopy?: (() => void) | undefined };

function Day({ name, parts, onChange, onCopy }: DayProps) {
  const { t } = useTranslation();
  return (
    <Group align="flex-start" gap="sm" wrap="wrap">
      <Checkbox
        label={name}
        w={130}
        mt={8}
        checked={parts.length > 0}
        onChange={(event) => onChange(event.currentTarget.checked ? [OFFICE] : [])}
      />
      <Stack gap={6} flex={1} miw={230}>
        {parts.length === 0 && (
          <Text size="sm" c="dimmed" mt={8}>
            {t("hours.closed")}
          </Text>
        )}
        <Parts of={name} parts={parts} onChange={onChange} />
        {overlaps(parts) && (
          <Text size="xs" c="red" role="alert">
            {t("hours.overlap")}
          </Text>
        )}
        {onCopy && (
          <Button
            size="compact-xs"
            w="fit-content"
            variant="subtle"
            leftSection={<IconCopy size={14} />}
            onClick={onCopy}
          >
            {t("hours.copy")}
          </Button>
        )}
      </Stack>
    </Group>
  );
}

/** From when to when on one day; several times, if there is a break. */
export function Parts({ of, parts, onChange }: { of: string; parts: Part[]; onChange: (parts: Part[]) => void }) {
  const { t } = useTranslation();
  return parts.map((part, index) => {
    const set = (change: Partial<Part>) =>
      onChange(parts.map((old, at) => (at === index ? { ...old, ...change } : old)));
    return (
      // biome-ignore lint/suspicious/noArrayIndexKey: two parts of a day may be alike
      <Group key={index} gap={4}>
        <TextInput
          type="time"
          w={{ base: 112, sm: 138 }}
          styles={{ input: { paddingInline: 8 } }}
          aria-label={`${of}: ${t("hours.opens")}`}
          value={part.opens}
          required
          onChange={(event) => set({ opens: event.currentTarget.value })}
        />
        <Text c="dimmed" aria-hidden>
          –
        </Text>
        <TextInput
          type="time"
          w={{ base: 112, sm: 138 }}
          styles={{ input: { paddingInline: 8 } }}
          aria-label={`${of}: ${t("hours.closes")}`}
          value={part.closes}
          required
          onChange={(event) => set({ closes: event.currentTarget.value })}
        />
        <Group gap={4} wrap="nowrap">
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={`${of}: ${t("hours.less")}`}
            onClick={() => onChange(parts.filter((_, at) => at !== index))}
          >
            <IconX size={16} />
          </ActionIcon>
          {index === parts.length - 1 && (
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={`${of}: ${t("hours.more")}`}
              onClick={() => onChange([...parts, { opens: part.closes, closes: "20:00" }])}
            >
              <IconPlus size={16} />
            </ActionIcon>
          )}
        </Group>
      </Group>
    );
  });
}
