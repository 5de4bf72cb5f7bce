import { Badge, Button, Card, Group, Modal, Stack, Switch, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/automations";
import { useMayManage } from "@/session/session";
import { Confirm } from "@/shell/Confirm";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";
import { BelowBoard } from "../BelowBoard";
import { RuleDialog } from "./RuleDialog";
import { useSaid } from "./said";

/** What happens by itself: when a customer writes, a chat is tagged, or a lead comes into a stage. */
export function RulesPage() {
  const { t } = useTranslation();
  const mayManage = useMayManage();
  const rules = useQuery({ queryKey: ["automations"], queryFn: api.rules });
  const [editing, edit] = useState<api.Rule | "new">();
  return (
    <BelowBoard
      title={t("rules.title")}
      subtitle={t("rules.subtitle")}
      width={900}
      actions={
        mayManage && (
          <Button leftSection={<IconPlus size={18} />} onClick={() => edit("new")}>
            {t("rules.add")}
          </Button>
        )
      }
    >
      <Loaded query={rules}>
        {(items) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t("rules.empty")}
            </Text>
          ) : (
            <Stack gap="sm">
              {items.map((rule) => (
                <Rule key={rule.id} rule={rule} mayManage={mayManage} onEdit={() => edit(rule)} />
              ))}
            </Stack>
          )
        }
      </Loaded>
      {editing && <RuleDialog rule={editing === "new" ? undefined : editing} onClose={() => edit(undefined)} />}
    </BelowBoard>
  );
}

function Rule({ rule, mayManage, onEdit }: { rule: api.Rule; mayManage: boolean; onEdit: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const said = useSaid();
  const [looking, look] = useState(false);
  const [removing, remove] = useState(false);
  const act = useMutation({
    mutationFn: (work: () => Promise<unknown>) => work(),
    onError: showProblem,
    onSettled: () => client.invalidateQueries({ queryKey: ["automations"] }),
  });
  const { id, ...draft } = rule;
  return (
    <Card withBorder padding="md" component="article" aria-label={rule.name}>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Text fw={600} lineClamp={3} dir="auto" style={{ overflowWrap: "anywhere" }}>
            {rule.name}
          </Text>
          <Switch
            flex="none"
            label={t(rule.enabled ? "rules.on" : "rules.off")}
            checked={rule.enabled}
            disabled={!mayManage || act.isPending}
            onChange={(event) => {
              const enabled = event.currentTarget.checked;
              act.mutate(() => api.replace(id, { ...draft, enabled }));
            }}
          />
        </Group>
        <Text size="sm">
          <b>{t("rules.when")}</b> {said.trigger(rule.trigger)}
        </Text>
        <Stack component="ol" gap={2} m={0} pl={20}>
          {rule.actions.map((action, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the order is what tells them apart
            <Text key={index} component="li" size="sm" style={{ overflowWrap: "anywhere" }}>
              {said.action(action)}
            </Text>
          ))}
        </Stack>
        <Group gap="xs">
          {mayManage && (
            <Button size="xs" variant="light" onClick={onEdit} aria-label={`${t("people.edit")}: ${rule.name}`}>
              {t("people.edit")}
            </Button>
          )}
          <Button
            size="xs"
            variant="default"
            onClick={() => look(true)}
            aria-label={`${t("rules.runs")}: ${rule.name}`}
          >
            {t("rules.runs")}
          </Button>
          {mayManage && (
            <Button
              size="xs"
              variant="subtle"
              color="red"
              onClick={() => remove(true)}
              aria-label={`${t("teams.delete")}: ${rule.name}`}
            >
              {t("teams.delete")}
            </Button>
          )}
        </Group>
      </Stack>
      {looking && <Runs rule={rule} onClose={() => look(false)} />}
      {removing && (
        <Confirm
          title={t("rules.deleteTitle", { name: rule.name })}
          text={t("rules.deleteText")}
          action={t("teams.delete")}
          loading={act.isPending}
          onConfirm={() => act.mutate(() => api.remove(id), { onSuccess: () => remove(false) })}
          onClose={() => remove(false)}
        />
      )}
    </Card>
  );
}

const COLOR: Record<string, string> = { done: "teal", failed: "red", loop: "orange" };

function Runs({ rule, onClose }: { rule: api.Rule; onClose: () => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const runs = useQuery({
    queryKey: ["automations", rule.id, "runs"],
    queryFn: () => api.runs(rule.id),
    refetchInterval: 10_000,
  });
  return (
    <Modal opened onClose={onClose} title={t("rules.runsOf", { name: rule.name })} size="lg">
      <Loaded query={runs}>
        {({ items }) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t("rules.noRuns")}
            </Text>
          ) : (
            <Stack gap="xs">
              {items.map((run) => (
                <Group key={run.id} justify="space-between" wrap="nowrap">
                  <div>
                    <Text size="sm">{moment(run.at)}</Text>
                    <Text size="xs" c="dimmed">
                      {run.steps
                        .map(
                          ({ do: what, done }) =>
                            `${done ? "✓" : "✗"} ${t(`rules.do.${what}`, { defaultValue: what })}`,
                        )
                        .join(" · ")}
                    </Text>
                  </div>
                  <Badge color={COLOR[run.outcome] ?? "gray"} variant="light" style={{ textTransform: "none" }}>
                    {t(`rules.outcome.${run.outcome}`, { defaultValue: run.outcome })}
                  </Badge>
                </Group>
              ))}
            </Stack>
          )
        }
      </Loaded>
    </Modal>
  );
}
