/** What happens by itself around leads. The generated types mix up the names of what is done, so they are said here. */
import { data, throwing } from "./calls";
import type { NewRule, RunOut } from "./generated";
import * as sdk from "./generated";

export type Trigger =
  | { on: "first_message"; devices?: string[] }
  | { on: "keyword"; words: string[]; match?: "contains" | "word" | "exact" | "starts"; devices?: string[] }
  | { on: "chat_tagged"; tag_id: string }
  | { on: "stage_entered"; pipeline_id?: string | null; stage_id?: string | null };
export type Action =
  | { do: "make_lead"; title?: string; pipeline_id?: string | null; stage_id?: string | null; value?: number }
  | { do: "send"; text: string }
  | { do: "assign"; owner_id?: string | null; team_id?: string | null }
  | { do: "tag"; add?: string[]; remove?: string[]; chat?: boolean }
  | { do: "make_task"; title: string; due_minutes: number; assignee_id?: string | null }
  | { do: "notify"; note?: string | null }
  | { do: "move"; stage_id: string };
export type Draft = { name: string; enabled: boolean; trigger: Trigger; actions: Action[] };
export type Rule = Draft & { id: string };
export type Run = RunOut;

export const rules = async () => (await data(sdk.automationsListRules(throwing))).items as unknown as Rule[];
export const make = (draft: Draft) =>
  data(
    sdk.automationsMake({
      ...throwing,
      body: draft as unknown as NewRule,
      headers: { "Idempotency-Key": crypto.randomUUID() },
    }),
  );
export const replace = (id: string, draft: Draft) =>
  data(sdk.automationsReplace({ ...throwing, path: { id }, body: draft as unknown as NewRule }));
export const remove = (id: string) => data(sdk.automationsDelete({ ...throwing, path: { id } }));
export const runs = (rule_id: string) => data(sdk.automationsListRuns({ ...throwing, query: { rule_id, limit: 20 } }));
