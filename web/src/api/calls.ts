import { call, get, send } from "./http";
import type { Chat, Device, Me, Message, Meta, Page } from "./types";

const query = (values: Record<string, string | number | boolean | undefined | null>) => {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return entries.length ? `?${new URLSearchParams(entries.map(([key, value]) => [key, String(value)]))}` : "";
};

export const meta = () => get<Meta>("/api/meta");

export const me = () => get<Me>("/api/auth/me");
export const login = (body: { email: string; password: string }) =>
  call<Me>("POST", "/api/auth/login", { ...body, session: "cookie" });
export const register = (body: { email: string; password: string; name: string; account: string }) =>
  call<Me>("POST", "/api/auth/register", {
    ...body,
    session: "cookie",
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    locale: document.documentElement.lang.slice(0, 2),
  });
export const logout = () => call<void>("POST", "/api/auth/logout");
export const ticket = () => call<{ ticket: string; expires_in: number }>("POST", "/api/auth/ticket");

export const devices = () => get<Page<Device>>("/api/devices?limit=100");
export const createDevice = (name: string) =>
  call<Device>("POST", "/api/devices", { name }, { "idempotency-key": crypto.randomUUID() });
export const deviceAct = (id: string, action: "connect" | "disconnect" | "logout") =>
  call<Device>("POST", `/api/devices/${id}/${action}`);
export const deleteDevice = (id: string) => call<void>("DELETE", `/api/devices/${id}`);
export const pairingCode = (id: string, phone: string) =>
  call<{ code: string }>("POST", `/api/devices/${id}/pairing-code`, { phone });
export const qrImage = (id: string) =>
  send("GET", `/api/devices/${id}/qr`, undefined, { accept: "image/svg+xml" }).then((r) => r.blob());

export type ChatFilter = { q?: string; unread?: boolean; device_id?: string };
export const chats = (filter: ChatFilter, cursor?: string | null) =>
  get<Page<Chat>>(`/api/chats${query({ ...filter, unread: filter.unread || undefined, cursor, limit: 50 })}`);
export const chat = (id: string) => get<Chat>(`/api/chats/${id}`);
export const messages = (id: string, cursor?: string | null) =>
  get<Page<Message>>(`/api/chats/${id}/messages${query({ cursor, limit: 50 })}`);
export const markRead = (id: string) => call<void>("POST", `/api/chats/${id}/read`);
export const sendText = (
  body: { chat_id: string; text: string } | { device_id: string; to: string; text: string },
  key: string,
) => call<Message>("POST", "/api/messages/send", body, { "idempotency-key": key });
