import { data, throwing } from "./calls";
import type {
  DeviceSettingsChange,
  DeviceSettingsView,
  DeviceStep,
  GovernorView,
  Pace,
  SendQueue,
  SendView,
} from "./generated";
import * as sdk from "./generated";

export type { DeviceStep, GovernorView, Pace, SendQueue, SendView };
export type NumberSettings = DeviceSettingsView;
export type NumberChange = DeviceSettingsChange;

export const device = (id: string) => data(sdk.devicesRead({ ...throwing, path: { id } }));
export const settings = (id: string) => data(sdk.devicesReadSettings({ ...throwing, path: { id } }));
export const change = (id: string, body: NumberChange) =>
  data(sdk.devicesChangeSettings({ ...throwing, path: { id }, body }));
export const rename = (id: string, name: string) =>
  data(sdk.devicesChange({ ...throwing, path: { id }, body: { name } }));
export const governor = (id: string) => data(sdk.devicesReadGovernor({ ...throwing, path: { id } }));
export const pause = (id: string, until: string) =>
  data(sdk.devicesPauseSending({ ...throwing, path: { id }, body: { until } }));
export const resume = (id: string) => data(sdk.devicesResumeSending({ ...throwing, path: { id } }));
export const sends = (id: string, cursor?: string | null) =>
  data(sdk.devicesListSends({ ...throwing, path: { id }, query: { cursor, limit: 50 } }));
export const cancel = (id: string, message: string) =>
  data(sdk.devicesCancelSend({ ...throwing, path: { id, message } }));
export const cancelAll = (id: string) => data(sdk.devicesCancelSends({ ...throwing, path: { id } }));
export const history = (id: string, cursor?: string | null) =>
  data(sdk.devicesListEvents({ ...throwing, path: { id }, query: { cursor, limit: 30 } }));
