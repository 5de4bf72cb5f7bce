/** What an agent does all day: chats and where they stand, messages of every kind, notes, canned replies, who is on the other side. */
import { data, throwing } from "./calls";
import type {
  Assign,
  ChatsChangeChatData,
  ContactField,
  ContactNote,
  ContactState,
  ContactsChangeContactData,
  Counts,
  Hit,
  Scheduled,
} from "./generated";
import * as sdk from "./generated";
import type { Chat, Message } from "./types";

export type { ContactField, ContactNote, ContactState, Counts, Hit, Scheduled };

export type ChatChange = ChatsChangeChatData["body"];
export type ContactChange = ContactsChangeContactData["body"];

const with_ = (key: string) => ({ "Idempotency-Key": key });
const once = () => with_(crypto.randomUUID());

export const counts = () => data(sdk.chatsCountChats(throwing));
export const changeChat = (id: string, body: ChatChange): Promise<Chat> =>
  data(sdk.chatsChangeChat({ ...throwing, path: { id }, body }));
export const assign = (id: string, body: Assign): Promise<Chat> =>
  data(sdk.chatsAssign({ ...throwing, path: { id }, body }));
export const take = (id: string): Promise<Chat> => data(sdk.chatsTake({ ...throwing, path: { id }, body: {} }));
export const markUnread = (id: string) => data(sdk.chatsMarkUnread({ ...throwing, path: { id } }));

export const message = (id: string) => data(sdk.messagesGetMessage({ ...throwing, path: { id } }));
export const react = (id: string, emoji: string) =>
  data(sdk.messagesReact({ ...throwing, path: { id }, body: { emoji }, headers: once() }));
export const edit = (id: string, text: string) =>
  data(sdk.messagesEdit({ ...throwing, path: { id }, body: { text }, headers: once() }));
export const edits = (id: string) => data(sdk.messagesListEdits({ ...throwing, path: { id } }));
export const takeBack = (id: string) => data(sdk.messagesDelete({ ...throwing, path: { id }, headers: once() }));
export const resend = (id: string) =>
  data(sdk.messagesResend({ ...throwing, path: { id }, headers: once() })) as Promise<Message>;
export const settle = (id: string, outcome: "sent" | "not_sent") =>
  data(sdk.messagesSettle({ ...throwing, path: { id }, body: { outcome } }));

export const sendText = (body: { chat_id: string; text: string; reply_to?: string }, key: string) =>
  data(sdk.messagesSend({ ...throwing, body, headers: with_(key) })) as Promise<Message>;
export const sendCard = (chat_id: string, contacts: { name: string; phones: string[] }[]) =>
  data(sdk.messagesSend({ ...throwing, body: { chat_id, contacts }, headers: once() })) as Promise<Message>;
type WithFile = { chat_id: string; media_id: string; caption?: string; reply_to?: string; send_at?: string };
export const sendMedia = (body: WithFile, key: string) =>
  data(
    sdk.messagesSendMedia({
      ...throwing,
      body: body as never,
      bodySerializer: JSON.stringify,
      headers: { ...with_(key), "Content-Type": "application/json" } as never,
    }),
  ) as Promise<Message>;
export const note = (chat: string, text: string, mentions: string[], key: string) =>
  data(sdk.chatsAddNote({ ...throwing, path: { id: chat }, body: { text, mentions }, headers: with_(key) }));

export const schedule = (body: { chat_id: string; text: string; send_at: string; reply_to?: string }, key: string) =>
  data(sdk.messagesSend({ ...throwing, body, headers: with_(key) })) as Promise<unknown> as Promise<Scheduled>;
export const scheduleMedia = (body: WithFile & { send_at: string }, key: string) =>
  sendMedia(body, key) as Promise<unknown> as Promise<Scheduled>;
export const scheduled = (chat_id: string) =>
  data(sdk.messagesListScheduled({ ...throwing, query: { chat_id, limit: 50 } }));
export const cancelScheduled = (id: string) => data(sdk.messagesCancelScheduled({ ...throwing, path: { id } }));
export const changeScheduled = (id: string, body: { text?: string; send_at?: string }) =>
  data(sdk.messagesChangeScheduled({ ...throwing, path: { id }, body }));

export const retryMedia = (id: string) => data(sdk.mediaRetry({ ...throwing, path: { id } }));
/** Asks for a file of an old message, which is fetched when it is first asked for; that it is not here yet is no problem. */
export const wantMedia = async (id: string) => {
  await sdk
    .mediaGetMedia({ ...throwing, path: { id }, headers: { range: "bytes=0-0" } as never, parseAs: "stream" })
    .catch(() => {});
};

export const replies = () => data(sdk.repliesListReplies(throwing));
export const fillReply = (id: string, chat_id: string) =>
  data(sdk.repliesFillReply({ ...throwing, path: { id }, body: { chat_id } }));

export const tags = () => data(sdk.tagsListTags(throwing));
export const makeTag = (name: string, color: string) =>
  data(sdk.tagsCreateTag({ ...throwing, body: { name, color }, headers: once() }));

export const contact = (id: string) => data(sdk.contactsGetContact({ ...throwing, path: { id } }));
export const changeContact = (id: string, body: ContactChange) =>
  data(sdk.contactsChangeContact({ ...throwing, path: { id }, body }));
export const contactStates = () => data(sdk.contactsListContactStates(throwing));
export const contactFields = () => data(sdk.contactsListContactFields(throwing));
export const contactNotes = (id: string) =>
  data(sdk.contactsListContactNotes({ ...throwing, path: { id }, query: { limit: 50 } }));
export const addContactNote = (id: string, text: string) =>
  data(sdk.contactsAddContactNote({ ...throwing, path: { id }, body: { text }, headers: once() }));
export const deleteContactNote = (id: string, note: string) =>
  data(sdk.contactsDeleteContactNote({ ...throwing, path: { id, note_id: note } }));
export const enterContact = (phone: string, name: string) =>
  data(sdk.contactsEnter({ ...throwing, body: { phone, name }, headers: once() }));

export const governor = (id: string) => data(sdk.devicesReadGovernor({ ...throwing, path: { id } }));
export const chatBot = (id: string) => data(sdk.botReadChat({ ...throwing, path: { id } }));

type Searched = NonNullable<NonNullable<Parameters<typeof sdk.searchSearch>[0]>["query"]>;

/** Looks for contacts, files and messages *within* some chats and days; a word may be unfinished. */
export const search = (q: string, within: Omit<Searched, "q" | "cursor" | "limit">, cursor?: string | null) =>
  data(sdk.searchSearch({ ...throwing, query: { ...within, q, cursor, limit: 30 } }));
