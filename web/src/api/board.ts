/** Leads, boards, tasks: what the pipeline answers. */
import { data, throwing } from "./calls";
import type { Board, LeadCard as Card, Column, LeadChange, NewLead, NewStage, StageChange, Task } from "./generated";
import * as sdk from "./generated";

export type { Board, Card, Column, Task };
export type Lead = Omit<Card, "contact" | "chat" | "open_tasks" | "next_task_at">;
export type Stage = Omit<Column, "count" | "totals" | "leads">;

const once = () => ({ "Idempotency-Key": crypto.randomUUID() });

export type BoardFilter = {
  q?: string;
  owner_id?: string;
  owned?: boolean;
  tag_id?: string;
  stuck?: boolean;
  value_min?: number;
  since?: string;
};

export const pipelines = () => data(sdk.pipelinesListPipelines(throwing));
export const board = (filter: BoardFilter, pipeline?: string) =>
  data(sdk.pipelineShow({ ...throwing, query: { ...filter, pipeline_id: pipeline, limit: 30 } }));
export const column = (pipeline: string, stage: string, filter: BoardFilter, cursor: string) =>
  data(
    sdk.pipelinesListColumn({ ...throwing, path: { id: pipeline, stage }, query: { ...filter, cursor, limit: 50 } }),
  );
export const lead = (id: string) => data(sdk.leadsRead({ ...throwing, path: { id } }));
export const leadsOfChat = (chat_id: string) =>
  data(sdk.leadsListLeads({ ...throwing, query: { chat_id, limit: 10 } }));
export const enterLead = (body: NewLead) => data(sdk.leadsEnter({ ...throwing, body, headers: once() }));
export const changeLead = (id: string, body: LeadChange) => data(sdk.leadsChange({ ...throwing, path: { id }, body }));
export const deleteLead = (id: string) => data(sdk.leadsDelete({ ...throwing, path: { id } }));
export const moveLead = (
  id: string,
  body: { stage_id: string; version: number; after_id?: string; before_id?: string },
) => data(sdk.leadsMove({ ...throwing, path: { id }, body }));

export const notes = (id: string) => data(sdk.leadsListNotes({ ...throwing, path: { id }, query: { limit: 50 } }));
export const addNote = (id: string, text: string) =>
  data(sdk.leadsAddNote({ ...throwing, path: { id }, body: { text }, headers: once() }));
export const history = (id: string) => data(sdk.leadsHistory({ ...throwing, path: { id }, query: { limit: 50 } }));
export const tasks = (lead_id: string) => data(sdk.tasksListTasks({ ...throwing, query: { lead_id, limit: 50 } }));
export const makeTask = (lead_id: string, title: string, due: string | null) =>
  data(sdk.tasksMake({ ...throwing, body: { lead_id, title, due_at: due, remind_at: due }, headers: once() }));
export const finishTask = (id: string, done: boolean) =>
  data(sdk.tasksChange({ ...throwing, path: { id }, body: { done } }));

export const addStage = (pipeline: string, body: NewStage) =>
  data(sdk.pipelinesAddStage({ ...throwing, path: { id: pipeline }, body, headers: once() }));
export const changeStage = (pipeline: string, stage: string, body: StageChange) =>
  data(sdk.pipelinesChangeStage({ ...throwing, path: { id: pipeline, stage }, body }));
export const deleteStage = (pipeline: string, stage: string, moveTo?: string) =>
  data(sdk.pipelinesDeleteStage({ ...throwing, path: { id: pipeline, stage }, query: { move_to: moveTo } }));
export const arrangeStages = (pipeline: string, stages: string[]) =>
  data(sdk.pipelinesChange({ ...throwing, path: { id: pipeline }, body: { stages } }));
export const changePipeline = (
  pipeline: string,
  body: { name?: string; owner_follows_chat?: boolean; chat_follows_owner?: boolean },
) => data(sdk.pipelinesChange({ ...throwing, path: { id: pipeline }, body }));

/** Who can own a lead, by id. */
export const people = async () =>
  (await data(sdk.usersListUsers({ ...throwing, query: { limit: 100 } }))).items.filter((user) => user.active);
export const tags = () => data(sdk.tagsListTags(throwing));
