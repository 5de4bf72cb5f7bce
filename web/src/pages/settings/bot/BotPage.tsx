import { Button, Group, NumberInput, Paper, Stack, Switch, Text, Textarea, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/bot";
import { asProblem } from "@/api/problem";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { Menus } from "./Menus";
import { Rehearsal } from "./Rehearsal";
import { Rules } from "./Rules";

/** What the bot says: welcome, keywords, menus, out of hours; with a dry run beside it. */
export function BotPage() {
  const query = useQuery({ queryKey: ["bot"], queryFn: api.bot, staleTime: Number.POSITIVE_INFINITY });
  return <Loaded query={query}>{(settings) => <Form key={settings.version} settings={settings} />}</Loaded>;
}

const EMPTY = {
  enabled: false,
  welcome: { enabled: false, reply: null, menu: null, after_days: 30 },
  out_of_hours: { enabled: false, reply: null, hours: null },
  rules: [],
  menus: [],
  manners: { pause_minutes: 720, delay_seconds: [1, 3] },
} as const;

const drafted = ({ version: _, own: __, ...settings }: api.Settings) => ({ ...EMPTY, ...settings }) as api.Draft;

function Form({ settings }: { settings: api.Settings }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [draft, setDraft] = useState<api.Draft>(() => drafted(settings));
  const dirty = JSON.stringify(draft) !== JSON.stringify(drafted(settings));
  const change = (part: Partial<api.Draft>) => setDraft((before) => ({ ...before, ...part }));
  const save = useMutation({
    mutationFn: () => api.setBot({ ...draft, version: settings.version }),
    onSuccess: (saved) => {
      client.setQueryData(["bot"], saved);
      notifications.show({ color: "teal", message: t("common.saved") });
    },
    onError: (error) => {
      showProblem(error);
      if (asProblem(error).code === "bot-changed") void client.invalidateQueries({ queryKey: ["bot"] });
    },
  });
  const { welcome, out_of_hours: closed, manners } = draft;
  return (
    <Stack aria-label={t("bot.title")} component="section">
      <Group justify="space-between">
        <Switch
          size="md"
          label={t(draft.enabled ? "bot.on" : "bot.off")}
          checked={draft.enabled}
          onChange={(event) => change({ enabled: event.currentTarget.checked })}
        />
        <Button loading={save.isPending} disabled={!dirty} onClick={() => save.mutate()}>
          {t("common.save")}
        </Button>
      </Group>
      <Part title={t("bot.welcome")} hint={t("bot.welcomeHint", { variable: "{{contact.first_name}}" })}>
        <Switch
          label={t("bot.say")}
          aria-label={`${t("bot.welcome")}: ${t("bot.say")}`}
          checked={welcome.enabled ?? false}
          onChange={(event) => change({ welcome: { ...welcome, enabled: event.currentTarget.checked } })}
        />
        <Textarea
          label={t("bot.text")}
          aria-label={`${t("bot.welcome")}: ${t("bot.text")}`}
          autosize
          minRows={2}
          maxLength={4096}
          placeholder={t("bot.welcomeExample")}
          value={welcome.reply?.text ?? ""}
          onChange={(event) =>
            change({ welcome: { ...welcome, reply: reply(welcome.reply, event.currentTarget.value) } })
          }
        />
        <NumberInput
          label={t("bot.afterDays")}
          min={1}
          max={365}
          maw={340}
          value={welcome.after_days ?? ""}
          onChange={(days) => change({ welcome: { ...welcome, after_days: typeof days === "number" ? days : null } })}
        />
      </Part>
      <Part title={t("bot.closed")} hint={t("bot.closedHint", { variable: "{{opens_at}}" })}>
        <Switch
          label={t("bot.say")}
          aria-label={`${t("bot.closed")}: ${t("bot.say")}`}
          checked={closed.enabled ?? false}
          onChange={(event) => change({ out_of_hours: { ...closed, enabled: event.currentTarget.checked } })}
        />
        <Textarea
          label={t("bot.text")}
          aria-label={`${t("bot.closed")}: ${t("bot.text")}`}
          autosize
          minRows={2}
          maxLength={4096}
          placeholder={t("bot.closedExample")}
          value={closed.reply?.text ?? ""}
          onChange={(event) =>
            change({ out_of_hours: { ...closed, reply: reply(closed.reply, event.currentTarget.value) } })
          }
        />
      </Part>
      <Part title={t("bot.rules")} hint={t("bot.rulesHint")}>
        <Rules rules={draft.rules} menus={draft.menus} onChange={(rules) => change({ rules })} />
      </Part>
      <Part title={t("bot.menus")} hint={t("bot.menusHint")}>
        <Menus
          menus={draft.menus}
          first={welcome.menu ?? null}
          onFirst={(menu) => change({ welcome: { ...welcome, menu } })}
          onChange={(menus) => change({ menus })}
        />
      </Part>
      <Part title={t("bot.manners")} hint={t("bot.mannersHint")}>
        <NumberInput
          label={t("bot.pause")}
          min={1}
          max={43_200}
          maw={340}
          value={manners.pause_minutes ?? ""}
          onChange={(minutes) =>
            change({ manners: { ...manners, pause_minutes: typeof minutes === "number" ? minutes : null } })
          }
        />
      </Part>
      <Part title={t("bot.try")} hint={t("bot.tryHint")}>
        <Rehearsal draft={draft} />
      </Part>
    </Stack>
  );
}

/** Another text in a reply; a reply that says nothing is none. */
export const reply = (before: api.BotReply | null | undefined, text: string): api.BotReply | null =>
  text || before?.media_id ? { ...before, text: text || null } : null;

function Part({ title, hint, children }: { title: string; hint: string; children: React.ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="sm">
        <div>
          <Title order={2} size="h5">
            {title}
          </Title>
          <Text size="sm" c="dimmed">
            {hint}
          </Text>
        </div>
        {children}
      </Stack>
    </Paper>
  );
}
