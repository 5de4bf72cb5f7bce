/** Addresses that events are sent to, what was sent there, and sending it again. */
import { data, throwing } from "./calls";
import type { NewReplay, NewWebhook, WebhookChange } from "./generated";
import * as sdk from "./generated";

const once = () => ({ "Idempotency-Key": crypto.randomUUID() });

/** An account has fifty at most. */
export const webhooks = async () =>
  (await data(sdk.webhooksListWebhooks({ ...throwing, query: { limit: 100 } }))).items;
export const webhook = (id: string) => data(sdk.webhooksReadWebhook({ ...throwing, path: { id } }));
export const createWebhook = (body: NewWebhook) =>
  data(sdk.webhooksCreateWebhook({ ...throwing, body, headers: once() }));
export const changeWebhook = (id: string, body: WebhookChange) =>
  data(sdk.webhooksChangeWebhook({ ...throwing, path: { id }, body }));
export const deleteWebhook = (id: string) => data(sdk.webhooksDeleteWebhook({ ...throwing, path: { id } }));
export const rotateWebhook = (id: string, overlap_seconds: number) =>
  data(sdk.webhooksRotateWebhook({ ...throwing, path: { id }, body: { overlap_seconds }, headers: once() }));
export const eventTypes = async () => (await data(sdk.webhooksListEventTypes(throwing))).items;
export const sendExample = (id: string, type: string) =>
  data(sdk.webhooksSendExample({ ...throwing, path: { id }, body: { type }, headers: once() }));
export const statistics = (id: string) =>
  data(sdk.webhooksStatistics({ ...throwing, path: { id }, query: { days: 7 } }));

export type DeliveryState = "waiting" | "delivered" | "failed";
export const deliveries = (id: string, state: DeliveryState | undefined, cursor?: string) =>
  data(sdk.webhooksListDeliveries({ ...throwing, path: { id }, query: { state, cursor, limit: 25 } }));
export const attempts = async (id: string, delivery: string) =>
  (await data(sdk.webhooksListAttempts({ ...throwing, path: { id }, query: { delivery } }))).items;
export const delivery = (id: string, delivery: string) =>
  data(sdk.webhooksReadDelivery({ ...throwing, path: { id, delivery } }));
export const resend = (id: string, delivery: string) =>
  data(sdk.webhooksResend({ ...throwing, path: { id, delivery }, headers: once() }));
export const recover = (id: string, since: string) =>
  data(sdk.webhooksRecover({ ...throwing, path: { id }, body: { since }, headers: once() }));

export const replays = async (id: string) =>
  (await data(sdk.webhooksListReplays({ ...throwing, path: { id }, query: { limit: 5 } }))).items;
export const startReplay = (id: string, body: NewReplay) =>
  data(sdk.webhooksStartReplay({ ...throwing, path: { id }, body, headers: once() }));
export const cancelReplay = (id: string, replay: string) =>
  data(sdk.webhooksCancelReplay({ ...throwing, path: { id, replay } }));
