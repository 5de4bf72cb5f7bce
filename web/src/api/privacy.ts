/** For how long things are kept, who was erased, and what was put together of a contact. */
import { data, throwing } from "./calls";
import type { ExportView, Kept, Receipt } from "./generated";
import * as sdk from "./generated";

export type { ExportView, Kept, Receipt } from "./generated";

const once = () => ({ "Idempotency-Key": crypto.randomUUID() });

export const retention = (): Promise<Kept> => data(sdk.privacyGetRetention(throwing));
export const setRetention = (body: { message_days: number | null; media_days: number | null }): Promise<Kept> =>
  data(sdk.privacySetRetention({ ...throwing, body }));
export const erase = (id: string): Promise<Receipt> =>
  data(sdk.privacyEraseContact({ ...throwing, path: { id }, headers: once() }));
export const erasures = (cursor?: string) =>
  data(sdk.privacyListErasures({ ...throwing, query: { limit: 20, ...(cursor ? { cursor } : {}) } }));
export const prepare = (id: string): Promise<ExportView> =>
  data(sdk.privacyExportContact({ ...throwing, path: { id }, headers: once() }));
export const exports = (cursor?: string) =>
  data(sdk.privacyListExports({ ...throwing, query: { limit: 20, ...(cursor ? { cursor } : {}) } }));
export const anExport = (id: string): Promise<ExportView> => data(sdk.privacyGetExport({ ...throwing, path: { id } }));
export const drop = (id: string) => data(sdk.privacyDropExport({ ...throwing, path: { id } }));
