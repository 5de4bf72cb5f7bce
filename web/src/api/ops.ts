/** What the owner of the installation sees and orders. */
import { data, throwing } from "./calls";
import type {
  AccountStanding,
  DeadLetterView,
  Letters,
  QueueView,
  ShardView,
  StandingChange,
  WorkerView,
} from "./generated";
import * as sdk from "./generated";

export type { AccountStanding, DeadLetterView, Letters, QueueView, ShardView, WorkerView };

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
export const queues = async () => (await data(sdk.opsListQueues(throwing))).items;
export const letters = (durable: string | null, cursor: string | null) =>
  data(sdk.opsListDeadLetters({ ...throwing, query: { durable, cursor, limit: 25 } }));

/** Gives letters back, or drops them, as many requests as that takes; tells how many they were. */
export async function settle(what: "replay" | "drop", which: Letters): Promise<number> {
  const call = what === "replay" ? sdk.opsReplayDeadLetters : sdk.opsDropDeadLetters;
  let count = 0;
  for (;;) {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const done = await data(call({ ...throwing, body: which, headers }));
    count += done.count;
    if (!done.more) return count;
  }
}
