import * as sdk from "./generated";
import type { Chat, Message } from "./types";
import "./http";

/** Unwraps an answer: what is no success has been thrown as a Problem. */
export const data = async <T>(answer: Promise<{ data: T }>): Promise<T> => (await answer).data;

export const throwing = { throwOnError: true } as const;

export const meta = () => data(sdk.meta(throwing));

export const me = () => data(sdk.authMe(throwing));
export const login = (body: { email: string; password: string }) =>
  data(sdk.authLogin({ ...throwing, body: { ...body, session: "cookie" } }));
export const register = (body: {
  email: string;
  password: string;
  name: string;
  account?: string;
  invitation?: string;
}) =>
  data(
    sdk.authRegister({
      ...throwing,
      body: {
        ...body,
        session: "cookie",
        time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        locale: document.documentElement.lang.slice(0, 2) as "es",
      },
    }),
  );
export const logout = () => data(sdk.authLogout(throwing));
export const ticket = () => data(sdk.authTicket(throwing));

/** Every number of the account, however many pages they are. */
export async function devices() {
  const part = (cursor?: string) => data(sdk.devicesListAll({ ...throwing, query: { limit: 100, cursor } }));
  const all = await part();
  while (all.next_cursor) {
    const { items, next_cursor } = await part(all.next_cursor);
    Object.assign(all, { items: [...all.items, ...items], next_cursor });
  }
  return all;
}
export const createDevice = (name: string) =>
  data(sdk.devicesCreate({ ...throwing, body: { name }, headers: { "Idempotency-Key": crypto.randomUUID() } }));
export const connectDevice = (id: string) => data(sdk.devicesConnect({ ...throwing, path: { id } }));
export const disconnectDevice = (id: string) => data(sdk.devicesDisconnect({ ...throwing, path: { id } }));
export const unlinkDevice = (id: string) => data(sdk.devicesLogout({ ...throwing, path: { id } }));
export const deleteDevice = (id: string) => data(sdk.devicesDelete({ ...throwing, path: { id } }));
export const pairingCode = (id: string, phone: string) =>
  data(sdk.devicesPairingCode({ ...throwing, path: { id }, body: { phone } }));
export const qrImage = (id: string): Promise<Blob> =>
  data(
    sdk.devicesQr({ ...throwing, path: { id }, headers: { accept: "image/svg+xml" }, parseAs: "blob" }),
  ) as Promise<unknown> as Promise<Blob>;

export type ChatFilter = {
  q?: string;
  unread?: boolean;
  pinned?: boolean;
  device_id?: string;
  status?: Chat["status"];
  /** `usr_…`, `me`, or `none`. */
  assignee?: string;
  team_id?: string;
  tag_id?: string;
  contact_id?: string;
};
export const chats = (filter: ChatFilter, cursor?: string | null) =>
  data(sdk.chatsListChats({ ...throwing, query: { ...filter, cursor, limit: 50 } }));
export const chat = (id: string) => data(sdk.chatsGetChat({ ...throwing, path: { id } }));
export const messages = (id: string, cursor?: string | null) =>
  data(sdk.chatsListMessages({ ...throwing, path: { id }, query: { cursor, limit: 50 } }));
export const markRead = (id: string) => data(sdk.chatsRead({ ...throwing, path: { id } }));
export const sendText = (
  body: { chat_id: string; text: string } | { device_id: string; to: string; text: string },
  key: string,
) => data(sdk.messagesSend({ ...throwing, body, headers: { "Idempotency-Key": key } })) as Promise<Message>;
