import { Alert, Button, Group, Loader, NumberInput, Progress, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconPlayerPause } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as numbers from "@/api/numbers";
import { Failure } from "@/shell/Failure";
import { useShowProblem } from "@/shell/problems";
import { useMomentOrTime } from "@/shell/time";
import { useStanding } from "./standing";

const HOUR = 3_600_000;

/** How fast a number sends: what is used of its budgets today, and what they are. */
export function NumberPace({ id, mayManage }: { id: string; mayManage: boolean }) {
  const settings = useQuery({ queryKey: ["number", id, "settings"], queryFn: () => numbers.settings(id) });
  return (
    <Stack>
      <Meter id={id} mayManage={mayManage} />
      {mayManage &&
        (settings.isError ? (
          <Failure error={settings.error} reset={() => void settings.refetch()} />
        ) : settings.data?.pace ? (
          <PaceForm id={id} pace={settings.data.pace} />
        ) : null)}
    </Stack>
  );
}

function Meter({ id, mayManage }: { id: string; mayManage: boolean }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const { wait, why } = useStanding();
  const moment = useMomentOrTime();
  const meter = useQuery({
    queryKey: ["number", id, "meter"],
    queryFn: () => numbers.governor(id),
    refetchInterval: 3_000,
  });
  const again = () => void client.invalidateQueries({ queryKey: ["number", id] });
  const pause = useMutation({
    mutationFn: () => numbers.pause(id, new Date(Date.now() + HOUR).toISOString()),
    onError: showProblem,
    onSettled: again,
  });
  const resume = useMutation({ mutationFn: () => numbers.resume(id), onError: showProblem, onSettled: again });
  if (meter.isError) return <Failure error={meter.error} reset={() => void meter.refetch()} />;
  if (meter.isPending) return <Loader size="sm" aria-label={t("common.loading")} />;
  const now = meter.data;
  return (
    <Stack gap="sm">
      {now.paused_until ? (
        <Alert
          color="orange"
          icon={<IconPlayerPause size={18} />}
          title={t("number.paused", { at: moment(now.paused_until) })}
        >
          <Stack gap="xs" align="flex-start">
            {now.paused_reason && why({ state: "banned", reason: now.paused_reason })}
            {mayManage && (
              <Button
                size="xs"
                variant="light"
                color="orange"
                loading={resume.isPending}
                onClick={() => resume.mutate()}
              >
                {t("number.resume")}
              </Button>
            )}
          </Stack>
        </Alert>
      ) : (
        mayManage && (
          <Group justify="flex-end">
            <Button
              size="xs"
              variant="default"
              leftSection={<IconPlayerPause size={14} />}
              loading={pause.isPending}
              onClick={() => pause.mutate()}
            >
              {t("number.pauseHour")}
            </Button>
          </Group>
        )
      )}
      {!now.enabled ? (
        <Text size="sm">{t("number.unpaced")}</Text>
      ) : (
        <>
          {now.quiet_until && <Text size="sm">{t("number.quietNow", { at: moment(now.quiet_until) })}</Text>}
          <Bar label={t("number.tokens")} used={now.tokens} most={now.burst} />
          <Bar label={t("number.newContacts")} used={now.new_contacts.used} most={now.new_contacts.budget} />
          {now.messages.budget !== null && (
            <Bar label={t("number.unasked")} used={now.messages.used} most={now.messages.budget} />
          )}
          {now.warm_up && (
            <Text size="sm" c="dimmed">
              {t("number.warmUp", { day: now.warm_up.day, days: now.warm_up.days })}
            </Text>
          )}
        </>
      )}
      {Object.entries(now.waiting).map(([reason, count]) => (
        <Text key={reason} size="sm" role="status">
          {t("number.waitingFor", { count, reason: wait(reason) })}
        </Text>
      ))}
    </Stack>
  );
}

function Bar({ label, used, most }: { label: string; used: number; most: number | null }) {
  return (
    <div>
      <Group justify="space-between">
        <Text size="sm">{label}</Text>
        <Text size="sm" fw={600}>
          {used} / {most ?? "∞"}
        </Text>
      </Group>
      <Progress value={most ? Math.min(100, (used / most) * 100) : 0} aria-label={label} />
    </div>
  );
}

function PaceForm({ id, pace }: { id: string; pace: numbers.Pace }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const form = useForm({
    initialValues: {
      enabled: pace.enabled ?? true,
      typing: pace.typing ?? false,
      per_minute: pace.per_minute ?? 60,
      burst: pace.burst ?? 30,
      new_contacts_per_day: pace.new_contacts_per_day ?? 200,
      warm: (pace.warm_up ?? []).length > 0,
      quiet: !!pace.quiet,
      start: pace.quiet?.start.slice(0, 5) ?? "21:00",
      end: pace.quiet?.end.slice(0, 5) ?? "08:00",
    },
  });
  const save = useMutation({
    mutationFn: (values: typeof form.values) => {
      const { warm, quiet, start, end, ...plain } = values;
      const had = (pace.warm_up ?? []).length > 0;
      return numbers.change(id, {
        pace: { ...plain, quiet: quiet ? { start, end } : null, ...(had && !warm ? { warm_up: [] } : {}) },
      });
    },
    onSuccess: (changed) => {
      client.setQueryData(["number", id, "settings"], changed);
      void client.invalidateQueries({ queryKey: ["number", id] });
      form.resetDirty();
    },
    onError: showProblem,
  });
  const on = form.values.enabled;
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} aria-label={t("number.paceTitle")}>
      <Stack gap="sm">
        <Switch
          label={t("number.enabled")}
          description={t("number.enabledHint")}
          {...form.getInputProps("enabled", { type: "checkbox" })}
        />
        <Group grow align="flex-end">
          <NumberInput
            label={t("number.perMinute")}
            min={1}
            max={600}
            disabled={!on}
            {...form.getInputProps("per_minute")}
          />
          <NumberInput label={t("number.burst")} min={1} max={300} disabled={!on} {...form.getInputProps("burst")} />
        </Group>
        <NumberInput
          label={t("number.newContactsPerDay")}
          description={t("number.newContactsHint")}
          min={0}
          max={10000}
          disabled={!on}
          {...form.getInputProps("new_contacts_per_day")}
        />
        <Switch
          label={t("number.warm")}
          description={t("number.warmHint")}
          disabled={!on || !(pace.warm_up ?? []).length}
          {...form.getInputProps("warm", { type: "checkbox" })}
        />
        <Switch label={t("number.typing")} disabled={!on} {...form.getInputProps("typing", { type: "checkbox" })} />
        <Switch
          label={t("number.quiet")}
          description={t("number.quietHint")}
          disabled={!on}
          {...form.getInputProps("quiet", { type: "checkbox" })}
        />
        {form.values.quiet && (
          <Group grow>
            <TextInput type="time" label={t("number.from")} disabled={!on} {...form.getInputProps("start")} />
            <TextInput type="time" label={t("number.to")} disabled={!on} {...form.getInputProps("end")} />
          </Group>
        )}
        <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
          {t("number.save")}
        </Button>
      </Stack>
    </form>
  );
}
