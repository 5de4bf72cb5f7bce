import {
  Badge,
  Button,
  Card,
  Group,
  PasswordInput,
  Select,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import type { AccountProfile, SessionOut } from "@/api/generated";
import * as team from "@/api/team";
import { numbers } from "@/formats";
import { LANGUAGES } from "@/i18n";
import { KEYS } from "@/realtime/apply";
import { SESSION, useMayManage, useSession } from "@/session/session";
import { OneOf } from "@/shell/choose";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";

/** The account and how much of it is used up; one's own password and the places where one is signed in. */
export function AccountPage() {
  const { t } = useTranslation();
  const account = useQuery({ queryKey: ["account"], queryFn: team.account });
  return (
    <Stack gap="xl">
      <section aria-label={t("account.title")}>
        <Title order={2} size="h4" mb="sm">
          {t("account.title")}
        </Title>
        <Loaded query={account}>
          {(data) => (
            <Stack>
              <Limits account={data} />
              <Profile account={data} />
            </Stack>
          )}
        </Loaded>
      </section>
      <Password />
      <Sessions />
    </Stack>
  );
}

function Limits({ account }: { account: AccountProfile }) {
  const { t, i18n } = useTranslation();
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: api.devices });
  const count = numbers(i18n.language);
  const shown = [
    { label: "account.devices", most: account.limits.devices, used: devices.data?.items.length },
    { label: "account.agents", most: account.limits.agents, used: account.agents },
    { label: "account.messages", most: account.limits.messages_per_day, used: undefined },
  ] as const;
  return (
    <SimpleGrid cols={{ base: 1, xs: 3 }} aria-label={t("account.limits")}>
      {shown.map(({ label, most, used }) => (
        <Card key={label} withBorder padding="md">
          <Text size="xs" c="dimmed">
            {t(label)}
          </Text>
          <Text fw={650} size="xl">
            {most === null
              ? used === undefined
                ? t("account.unlimited")
                : count.format(used)
              : used === undefined
                ? count.format(most)
                : t("account.of", { used: count.format(used), most: count.format(most) })}
          </Text>
          {(most !== null || used !== undefined) && (
            <Text size="xs" c={most !== null && used !== undefined && used >= most ? "red" : "dimmed"}>
              {t(
                most === null
                  ? "account.noLimit"
                  : used !== undefined && used >= most
                    ? "account.full"
                    : "account.limit",
              )}
            </Text>
          )}
        </Card>
      ))}
    </SimpleGrid>
  );
}

function Profile({ account }: { account: AccountProfile }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const mayManage = useMayManage();
  const showProblem = useShowProblem();
  const form = useForm({
    initialValues: {
      name: account.name,
      time_zone: account.time_zone,
      locale: account.locale,
      currency: account.currency,
    },
  });
  const save = useMutation({
    mutationFn: () => team.changeAccount({ ...form.values, locale: form.values.locale as "es" }),
    onSuccess: (changed) => {
      client.setQueryData(["account"], changed);
      notifications.show({ color: "teal", message: t("common.saved") });
      return client.invalidateQueries({ queryKey: SESSION });
    },
    onError: showProblem,
  });
  return (
    <Card withBorder padding="lg">
      <form onSubmit={form.onSubmit(() => save.mutate())}>
        <fieldset disabled={!mayManage} style={{ border: 0, padding: 0, margin: 0 }}>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <TextInput label={t("login.account")} required maxLength={100} {...form.getInputProps("name")} />
            <OneOf
              label={t("account.timeZone")}
              data={zones(account.time_zone)}
              allowDeselect={false}
              disabled={!mayManage}
              {...form.getInputProps("time_zone")}
            />
            <Select
              label={t("account.locale")}
              data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
              allowDeselect={false}
              disabled={!mayManage}
              {...form.getInputProps("locale")}
            />
            <TextInput
              label={t("account.currency")}
              required
              maxLength={3}
              minLength={3}
              {...form.getInputProps("currency")}
            />
          </SimpleGrid>
        </fieldset>
        {mayManage && (
          <Group justify="flex-end" mt="md">
            <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
              {t("common.save")}
            </Button>
          </Group>
        )}
      </form>
    </Card>
  );
}

function Password() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const session = useSession();
  const showProblem = useShowProblem();
  const form = useForm({ initialValues: { current: "", password: "" } });
  const change = useMutation({
    mutationFn: () => team.changePassword(form.values.current, form.values.password),
    onSuccess: () => {
      form.reset();
      notifications.show({ color: "teal", message: t("account.passwordChanged") });
      return client.invalidateQueries({ queryKey: ["sessions"] });
    },
    onError: showProblem,
  });
  return (
    <section aria-label={t("account.password")}>
      <Title order={2} size="h4" mb="sm">
        {t("account.password")}
      </Title>
      <Card withBorder padding="lg">
        <form onSubmit={form.onSubmit(() => change.mutate())}>
          <input type="hidden" autoComplete="username" value={session?.user.email ?? ""} readOnly />
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <PasswordInput
              label={t("account.currentPassword")}
              autoComplete="current-password"
              required
              {...form.getInputProps("current")}
            />
            <PasswordInput
              label={t("reset.password")}
              description={t("account.passwordHint")}
              inputWrapperOrder={["label", "input", "description"]}
              autoComplete="new-password"
              required
              minLength={8}
              {...form.getInputProps("password")}
            />
          </SimpleGrid>
          <Group justify="flex-end" mt="md">
            <Button type="submit" loading={change.isPending}>
              {t("account.changePassword")}
            </Button>
          </Group>
        </form>
      </Card>
    </section>
  );
}

function Sessions() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: team.sessions, staleTime: 0 });
  const close = useMutation({
    mutationFn: team.closeSession,
    onSuccess: () => client.invalidateQueries({ queryKey: ["sessions"] }),
    onError: showProblem,
  });
  return (
    <section aria-label={t("account.sessions")}>
      <Title order={2} size="h4" mb="sm">
        {t("account.sessions")}
      </Title>
      <Loaded query={sessions}>
        {({ items }) => (
          <Stack gap="xs">
            {items.map((session) => (
              <Session
                key={session.id}
                session={session}
                closing={close.isPending && close.variables === session.id}
                onClose={() => close.mutate(session.id)}
              />
            ))}
          </Stack>
        )}
      </Loaded>
    </section>
  );
}

function Session({ session, closing, onClose }: { session: SessionOut; closing: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  return (
    <Card withBorder padding="sm" component="article">
      <Group justify="space-between" wrap="nowrap">
        <div style={{ minWidth: 0 }}>
          <Group gap={6}>
            <Text fw={500}>{browser(session.agent) ?? t("account.program")}</Text>
            {session.current && (
              <Badge color="teal" variant="light" style={{ textTransform: "none" }}>
                {t("account.here")}
              </Badge>
            )}
          </Group>
          <Text size="sm" c="dimmed" truncate title={session.agent ?? undefined}>
            {[session.address, t("account.lastUsed", { at: moment(session.used_at) })].filter(Boolean).join(" · ")}
          </Text>
        </div>
        {!session.current && (
          <Button variant="subtle" color="red" size="xs" loading={closing} onClick={onClose}>
            {t("account.closeSession")}
          </Button>
        )}
      </Group>
    </Card>
  );
}

/** Names the browser and the system of a User-Agent as people know them. */
function browser(agent: string | null): string | undefined {
  const name = [
    ["Edg/", "Edge"],
    ["OPR/", "Opera"],
    ["Firefox/", "Firefox"],
    ["Chrome/", "Chrome"],
    ["Safari/", "Safari"],
  ].find(([mark]) => mark && agent?.includes(mark))?.[1];
  const system = [
    ["Android", "Android"],
    ["iPhone", "iPhone"],
    ["iPad", "iPad"],
    ["Windows", "Windows"],
    ["Mac OS", "macOS"],
    ["Linux", "Linux"],
  ].find(([mark]) => mark && agent?.includes(mark))?.[1];
  return name && (system ? `${name} · ${system}` : name);
}

/** Gives every time zone that the browser knows, and the one that is set. */
function zones(present: string): string[] {
  return [...new Set([present, "UTC", ...Intl.supportedValuesOf("timeZone")])].sort();
}
