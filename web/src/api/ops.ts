/** What the owner of the installation sees and orders. */
import { data, throwing } from "./calls";
import type { AccountStanding, ShardView, StandingChange, WorkerView } from "./generated";
import * as sdk from "./generated";

export type { AccountStanding, ShardView, WorkerView };

export const workers = async () => (await data(sdk.opsListWorkers(throwing))).items;
export const drain = (id: string) => data(sdk.opsDrainWorker({ ...throwing, path: { id } }));
export const undrain = (id: string) => data(sdk.opsUndrainWorker({ ...throwing, path: { id } }));
export const shards = async () => (await data(sdk.opsListShards(throwing))).items;
export const move = (number: number, worker: string | null) =>
  data(sdk.opsMoveShard({ ...throwing, path: { number }, body: { worker } }));
export const accounts = (cursor?: string | null) =>
  data(sdk.opsListAccounts({ ...throwing, query: { cursor, limit: 50 } }));
export const judge = (id: string, body: StandingChange) =>
  data(sdk.opsJudgeAccount({ ...throwing, path: { id }, body }));
