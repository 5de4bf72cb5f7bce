import {
  ActionIcon,
  Button,
  Checkbox,
  Fieldset,
  Group,
  Modal,
  NumberInput,
  Select,
  SimpleGrid,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Action, Draft, Rule, Trigger } from "@/api/automations";
import * as api from "@/api/automations";
import { OneOf, SomeOf } from "@/shell/choose";
import { useShowProblem } from "@/shell/problems";
import { useNamed } from "./said";

const TRIGGERS = ["first_message", "keyword", "chat_tagged", "stage_entered"] as const;
const ACTIONS = ["make_lead", "send", "assign", "tag", "make_task", "move", "notify"] as const;

const freshTrigger: Record<Trigger["on"], Trigger> = {
  first_message: { on: "first_message" },
  keyword: { on: "keyword", words: [], match: "word" },
  chat_tagged: { on: "chat_tagged", tag_id: "" },
  stage_entered: { on: "stage_entered", stage_id: null },
};
const freshAction: Record<Action["do"], Action> = {
  make_lead: { do: "make_lead", title: "{contact}" },
  send: { do: "send", text: "" },
  assign: { do: "assign", owner_id: null },
  tag: { do: "tag", add: [] },
  make_task: { do: "make_task", title: "", due_minutes: 60 },
  move: { do: "move", stage_id: "" },
  notify: { do: "notify", note: "" },
};

/** Whether nothing is missing that the rule cannot do without. */
export function complete({ name, trigger, actions }: Draft): boolean {
  const begins =
    trigger.on === "keyword" ? trigger.words.length > 0 : trigger.on !== "chat_tagged" || trigger.tag_id !== "";
  const does = (action: Action) => {
    switch (action.do) {
      case "send":
        return action.text.trim() !== "";
      case "assign":
        return Boolean(action.owner_id || action.team_id);
      case "tag":
        return Boolean(action.add?.length || action.remove?.length);
      case "make_task":
        return action.title.trim() !== "";
      case "move":
        return action.stage_id !== "";
      default:
        return true;
    }
  };
  return name.trim() !== "" && begins && actions.length > 0 && actions.every(does);
}

export function RuleDialog({ rule, onClose }: { rule: Rule | undefined; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const phone = useMediaQuery("(max-width: 48em)");
  const [draft, setDraft] = useState<Draft>(
    rule ?? { name: "", enabled: true, trigger: { on: "first_message" }, actions: [freshAction.make_lead] },
  );
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const { name, enabled, trigger, actions } = draft;
  const save = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), enabled, trigger, actions };
      return rule ? api.replace(rule.id, body) : api.make(body);
    },
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["automations"] });
    },
    onError: showProblem,
  });
  const set = (at: number, action: Action) =>
    change({ actions: actions.map((old, index) => (index === at ? action : old)) });
  return (
    <Modal opened onClose={onClose} size="lg" fullScreen={phone ?? false} title={t(rule ? "rules.edit" : "rules.add")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("rules.name")}
            value={name}
            onChange={(event) => change({ name: event.currentTarget.value })}
            maxLength={100}
            required
            data-autofocus
          />
          <Fieldset legend={t("rules.when")}>
            <Stack gap="sm">
              <Select
                aria-label={t("rules.when")}
                data={TRIGGERS.map((on) => ({ value: on, label: t(`rules.on_.${on}`) }))}
                value={trigger.on}
                allowDeselect={false}
                onChange={(on) => on && change({ trigger: freshTrigger[on as Trigger["on"]] })}
              />
              <TriggerFields trigger={trigger} onChange={(next) => change({ trigger: next })} />
            </Stack>
          </Fieldset>
          <Fieldset legend={t("rules.then")}>
            <Stack gap="md">
              {actions.map((action, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the order is what tells them apart
                <Group key={index} align="flex-start" wrap="nowrap" gap="xs" role="group" aria-label={`${index + 1}`}>
                  <Text size="sm" fw={600} mt={8} w={16}>
                    {index + 1}
                  </Text>
                  <Stack gap="xs" flex={1}>
                    <Select
                      aria-label={t("rules.action", { number: index + 1 })}
                      data={ACTIONS.map((what) => ({ value: what, label: t(`rules.do.${what}`) }))}
                      value={action.do}
                      allowDeselect={false}
                      onChange={(what) => what && set(index, freshAction[what as Action["do"]])}
                    />
                    <ActionFields action={action} onChange={(next) => set(index, next)} />
                  </Stack>
                  <ActionIcon
                    variant="subtle"
                    color="red"
                    mt={4}
                    disabled={actions.length === 1}
                    aria-label={t("rules.removeAction", { number: index + 1 })}
                    onClick={() => change({ actions: actions.filter((_, at) => at !== index) })}
                  >
                    <IconTrash size={16} />
                  </ActionIcon>
                </Group>
              ))}
              {actions.length < 10 && (
                <Group>
                  <Button
                    size="xs"
                    variant="light"
                    leftSection={<IconPlus size={14} />}
                    onClick={() => change({ actions: [...actions, freshAction.send] })}
                  >
                    {t("rules.addAction")}
                  </Button>
                </Group>
              )}
            </Stack>
          </Fieldset>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t("common.cancel")}
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!complete(draft)}>
              {t("common.save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function useStages() {
  const { pipelines } = useNamed();
  return pipelines.map(({ name, stages }) => ({
    group: name,
    items: stages.map((stage) => ({ value: stage.id, label: stage.name })),
  }));
}

function TriggerFields({ trigger, onChange }: { trigger: Trigger; onChange: (trigger: Trigger) => void }) {
  const { t } = useTranslation();
  const { tags } = useNamed();
  const stages = useStages();
  switch (trigger.on) {
    case "keyword":
      return (
        <TagsInput
          label={t("rules.words")}
          description={t("rules.wordsHint")}
          value={trigger.words}
          onChange={(words) => onChange({ ...trigger, words })}
          acceptValueOnBlur
          required
        />
      );
    case "chat_tagged":
      return (
        <OneOf
          label={t("tags.title")}
          data={tags.map(({ id, name }) => ({ value: id, label: name }))}
          value={trigger.tag_id || null}
          onChange={(tag) => onChange({ ...trigger, tag_id: tag ?? "" })}
          required
        />
      );
    case "stage_entered":
      return (
        <OneOf
          label={t("reports.stage")}
          placeholder={t("rules.anyStage")}
          data={stages}
          value={trigger.stage_id ?? null}
          onChange={(stage_id) => onChange({ ...trigger, stage_id })}
          clearable
        />
      );
    default:
      return null;
  }
}

function ActionFields({ action, onChange }: { action: Action; onChange: (action: Action) => void }) {
  const { t } = useTranslation();
  const { tags, users, teams } = useNamed();
  const stages = useStages();
  const tagged = tags.map(({ id, name }) => ({ value: id, label: name }));
  const people = users.map(({ id, name }) => ({ value: id, label: name }));
  switch (action.do) {
    case "make_lead":
      return (
        <SimpleGrid cols={{ base: 1, sm: 2 }} verticalSpacing="xs" style={{ alignItems: "end" }}>
          <TextInput
            label={t("rules.leadTitle")}
            description={t("rules.leadHint", { names: "{contact}, {phone}" })}
            value={action.title ?? ""}
            maxLength={200}
            onChange={(event) => onChange({ ...action, title: event.currentTarget.value })}
          />
          <OneOf
            label={t("reports.stage")}
            placeholder={t("rules.firstStage")}
            data={stages}
            value={action.stage_id ?? null}
            onChange={(stage_id) => onChange({ ...action, stage_id })}
            clearable
          />
        </SimpleGrid>
      );
    case "send":
      return (
        <Textarea
          label={t("rules.text")}
          description={t("rules.textHint", { names: "{contact}, {title}, {value}, {stage}, {owner}" })}
          autosize
          minRows={2}
          maxLength={4096}
          value={action.text}
          onChange={(event) => onChange({ ...action, text: event.currentTarget.value })}
        />
      );
    case "assign":
      return (
        <SimpleGrid cols={{ base: 1, sm: 2 }} verticalSpacing="xs">
          <OneOf
            label={t("rules.owner")}
            data={people}
            value={action.owner_id ?? null}
            onChange={(owner_id) => onChange({ do: "assign", owner_id })}
            clearable
          />
          <OneOf
            label={t("rules.team")}
            data={teams.map(({ id, name }) => ({ value: id, label: name }))}
            value={action.team_id ?? null}
            onChange={(team_id) => onChange({ do: "assign", team_id })}
            clearable
          />
        </SimpleGrid>
      );
    case "tag":
      return (
        <Stack gap="xs">
          <SomeOf
            label={t("rules.addTags")}
            data={tagged}
            value={action.add ?? []}
            onChange={(add) => onChange({ ...action, add })}
          />
          <SomeOf
            label={t("rules.removeTags")}
            data={tagged}
            value={action.remove ?? []}
            onChange={(remove) => onChange({ ...action, remove })}
          />
          <Checkbox
            label={t("rules.tagChat")}
            checked={action.chat ?? false}
            onChange={(event) => onChange({ ...action, chat: event.currentTarget.checked })}
          />
        </Stack>
      );
    case "make_task":
      return (
        <SimpleGrid cols={{ base: 1, sm: 3 }} verticalSpacing="xs">
          <TextInput
            label={t("rules.taskTitle")}
            value={action.title}
            maxLength={200}
            onChange={(event) => onChange({ ...action, title: event.currentTarget.value })}
          />
          <NumberInput
            label={t("rules.due")}
            min={0}
            max={8760}
            value={Math.round(action.due_minutes / 60)}
            onChange={(hours) => onChange({ ...action, due_minutes: typeof hours === "number" ? hours * 60 : 0 })}
          />
          <OneOf
            label={t("rules.assignee")}
            data={people}
            value={action.assignee_id ?? null}
            onChange={(assignee_id) => onChange({ ...action, assignee_id })}
            clearable
          />
        </SimpleGrid>
      );
    case "move":
      return (
        <OneOf
          label={t("reports.stage")}
          data={stages}
          value={action.stage_id || null}
          onChange={(stage) => onChange({ ...action, stage_id: stage ?? "" })}
        />
      );
    case "notify":
      return (
        <TextInput
          label={t("rules.note")}
          value={action.note ?? ""}
          maxLength={500}
          onChange={(event) => onChange({ ...action, note: event.currentTarget.value })}
        />
      );
  }
}
