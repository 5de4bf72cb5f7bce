/** The API's shapes by the names that the panel uses; they are generated from its description. */
import type {
  AccountOut,
  Chat,
  DeviceView,
  Happening,
  Me,
  Message,
  MessageStatus,
  Meta,
  Person,
  UserOut,
} from "./generated";

export type { Chat, Happening, Me, Message, MessageStatus, Meta };
export type Account = AccountOut;
export type User = UserOut;
export type Contact = Person;
export type Device = DeviceView;
export type DeviceState = DeviceView["state"];
export type Page<T> = {
  items: T[];
  next_cursor: string | null;
  /** Beside messages: what else happened to their chat. */
  happened?: Happening[] | undefined;
};
