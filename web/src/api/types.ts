/** The API's shapes as the panel uses them. */
export type Role = "owner" | "admin" | "agent";
export type User = { id: string; name: string; email: string; role: Role };
export type Account = { id: string; name: string; time_zone: string; locale: string; currency: string };
export type Me = { user: User; account: Account };

export type DeviceState =
  | "new"
  | "pairing"
  | "connecting"
  | "connected"
  | "disconnected"
  | "logged_out"
  | "banned"
  | "replaced"
  | "failed";
export type Device = {
  id: string;
  name: string;
  state: DeviceState;
  reason?: string | null;
  action?: string | null;
  phone?: string | null;
  until?: string | null;
  revision?: number;
};

export type Contact = { id: string; name: string | null; phone: string | null };
export type MessageKind = string;
export type MessageStatus =
  | "received"
  | "queued"
  | "sending"
  | "sent"
  | "delivered"
  | "read"
  | "played"
  | "failed"
  | "unknown";
export type Message = {
  id: string;
  chat_id: string;
  device_id: string;
  contact_id?: string | null;
  author_id?: string | null;
  from_me: boolean;
  kind: MessageKind;
  status: MessageStatus;
  at: string;
  text?: string | null;
  sender_name?: string | null;
  reason?: string | null;
};
export type Chat = {
  id: string;
  device_id: string;
  contact: Contact | null;
  last_message: Message | null;
  last_message_at: string | null;
  unread: number;
};
export type Page<T> = { items: T[]; next_cursor: string | null };
export type Meta = { version: string; registration: "open" | "invite" | "closed"; sim_url?: string | null };
