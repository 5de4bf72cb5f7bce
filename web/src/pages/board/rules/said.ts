import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Action, Trigger } from "@/api/automations";
import * as board from "@/api/board";
import { data, throwing } from "@/api/calls";
import * as sdk from "@/api/generated";
import * as team from "@/api/team";

/** What rules speak of, by name. */
export function useNamed() {
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: board.pipelines, staleTime: 60_000 });
  const tags = useQuery({ queryKey: ["tags"], queryFn: () => data(sdk.tagsListTags(throwing)) });
  const users = useQuery({ queryKey: ["people"], queryFn: board.people, staleTime: 5 * 60_000 });
  const teams = useQuery({ queryKey: ["teams"], queryFn: team.teams });
  return {
    pipelines: pipelines.data?.items ?? [],
    tags: tags.data?.items ?? [],
    users: users.data ?? [],
    teams: teams.data ?? [],
  };
}

/** Puts rules into sentences. */
export function useSaid() {
  const { t } = useTranslation();
  const { pipelines, tags, users, teams } = useNamed();
  const named = new Map([
    ...pipelines.map(({ id, name }) => [id, name] as const),
    ...pipelines.flatMap(({ stages }) => stages.map(({ id, name }) => [id, name] as const)),
    ...tags.map(({ id, name }) => [id, name] as const),
    ...users.map(({ id, name }) => [id, name] as const),
    ...teams.map(({ id, name }) => [id, name] as const),
  ]);
  const name = (id: string | null | undefined) => (id ? (named.get(id) ?? "…") : "");
  return {
    trigger: (trigger: Trigger): string => {
      switch (trigger.on) {
        case "first_message":
          return t("rules.said.first_message");
        case "keyword":
          return t("rules.said.keyword", { words: trigger.words.join(", ") });
        case "chat_tagged":
          return t("rules.said.chat_tagged", { tag: name(trigger.tag_id) });
        case "stage_entered":
          return trigger.stage_id
            ? t("rules.said.stage_entered", { stage: name(trigger.stage_id) })
            : t("rules.said.any_stage");
      }
    },
    action: (action: Action): string => {
      switch (action.do) {
        case "make_lead":
          return t("rules.said.make_lead", { stage: name(action.stage_id) || t("rules.firstStage") });
        case "send":
          return t("rules.said.send", { text: action.text });
        case "assign":
          return t("rules.said.assign", { who: name(action.owner_id) || name(action.team_id) || t("rules.nobody") });
        case "tag":
          return [
            action.add?.length ? t("rules.said.tag", { tags: action.add.map(name).join(", ") }) : "",
            action.remove?.length ? t("rules.said.untag", { tags: action.remove.map(name).join(", ") }) : "",
          ]
            .filter(Boolean)
            .join("; ");
        case "make_task":
          return t("rules.said.make_task", { title: action.title, count: Math.round(action.due_minutes / 60) });
        case "notify":
          return action.note ? t("rules.said.notify", { note: action.note }) : t("rules.do.notify");
        case "move":
          return t("rules.said.move", { stage: name(action.stage_id) });
      }
    },
  };
}
