import { notifyManager, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import * as api from "@/api/calls";
import { asProblem } from "@/api/problem";
import type { Chat, Device, Happening, Me, Message, MessageStatus, Page } from "@/api/types";
import { SESSION } from "@/session/session";
import {
  findChat,
  KEYS,
  knownChat,
  merge,
  type Pages,
  type Standing,
  showChat,
  standsElsewhere,
  touchChats,
  touchLast,
  withChat,
  withDevice,
  withHappened,
  withMessage,
  without,
  withStanding,
  withStatus,
} from "./apply";
import { tellFrame } from "./frames";
import { Freshness } from "./freshness";
import { type Colleague, type Colleagues, everybody, here, PRESENCE, withColleague } from "./presence";
import { type Connection, type Frame, Socket } from "./socket";
import { Together } from "./together";
import { writers } from "./writers";

export type QrFrame = { device_id: string; qr: string; expires_at: string };
export const qrKey = (device: string) => ["qr", device] as const;

/** What the server tells by itself, and nobody fetches. */
const KEPT: ReadonlySet<unknown> = new Set([SESSION[0], PRESENCE[0]]);

/** Who does not touch anything for so long is away. */
const IDLE_MS = 5 * 60_000;

/** Follows whether somebody looks at this page. */
function watch() {
  let idle: ReturnType<typeof setTimeout> | undefined;
  const active = () => {
    clearTimeout(idle);
    here.look(document.visibilityState === "visible");
    idle = setTimeout(() => here.look(false), IDLE_MS);
  };
  const events = ["visibilitychange", "pointerdown", "keydown"] as const;
  for (const event of events) document.addEventListener(event, active);
  active();
  return () => {
    clearTimeout(idle);
    for (const event of events) document.removeEventListener(event, active);
  };
}

/** Keeps everything on the screen as the server has it, for as long as the component lives. */
export function useRealtime(): Connection {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>("connecting");

  useEffect(() => {
    const me = () => client.getQueryData<Me | null>(SESSION)?.user.id;
    const arrived = async (message: Message & { replaces?: string | null }, unread: boolean) => {
      client.setQueryData<Pages<Message>>(KEYS.messages(message.chat_id), (pages) =>
        withMessage(pages, message, message.replaces ?? undefined),
      );
      if (touchChats(client, message, { unread, me: me() })) return;
      // A chat that no list shows yet: the server says what it is, unread count included.
      const chat = await api.chat(message.chat_id).catch(() => undefined);
      if (chat) showChat(client, chat, me());
    };
    // A message that is here already stands otherwise now: another text, an emoji, its file, or nothing of it any more.
    const stood = (message: Message) => {
      client.setQueryData<Pages<Message>>(KEYS.messages(message.chat_id), (pages) =>
        pages?.pages.some((page) => page.items.some((item) => item.id === message.id))
          ? withMessage(pages, message)
          : pages,
      );
      touchLast(client, message.chat_id, (last) => merge(last, message), message.id);
    };
    const writes = (chat: string, who: string, state: string) => writers.tell(chat, who, state, Date.now());
    // In which lists a chat is only the server knows; a busy minute asks it now and then.
    let asking: ReturnType<typeof setTimeout> | undefined;
    const ask = () => {
      asking ??= setTimeout(() => {
        asking = undefined;
        void client.invalidateQueries({ queryKey: KEYS.chats });
      }, 5_000);
    };
    let counting: ReturnType<typeof setTimeout> | undefined;
    const count = () => {
      counting ??= setTimeout(() => {
        counting = undefined;
        void client.invalidateQueries({ queryKey: KEYS.counts });
      }, 3_000);
    };
    const stands = (told: Standing & { happened?: Happening[] }) => {
      client.setQueryData<Pages<Message>>(KEYS.messages(told.id), (pages) =>
        withHappened(pages, (told.happened ?? []).toReversed()),
      );
      const chat = knownChat(client, told.id);
      if (!chat) return;
      if (standsElsewhere(chat, told)) ask();
      // Who has it pinned is told to nobody.
      showChat(client, { ...withStanding(chat, told), pinned: chat.pinned }, me());
    };
    // Whose chat it is decides who sees it: the server says whether that is us.
    const given = async (id: string) => {
      const chat = await api.chat(id).catch((error: unknown) => (asProblem(error).status === 404 ? null : undefined));
      if (chat === undefined) return;
      if (chat) {
        client.setQueryData(KEYS.chat(id), chat);
        showChat(client, chat, me());
      } else {
        for (const [key, pages] of client.getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats }))
          client.setQueryData(key, without(pages, id));
        client.removeQueries({ queryKey: KEYS.messages(id) });
      }
      ask();
    };
    const fresh = new Freshness(client);
    const apply = (frame: Frame) => {
      // Of what is said of a chat itself, the chat is what it is about: an answer that left before it was read would undo that.
      const about = (frame.data ?? {}) as { chat_id?: string; id?: string };
      const chat = about.chat_id ?? (frame.event.startsWith("chat_") ? about.id : undefined);
      if (chat && frame.event !== "typing" && frame.event !== "agent_typing") {
        fresh.told(KEYS.messages(chat));
        fresh.told(KEYS.chat(chat));
        if (client.isFetching({ queryKey: KEYS.chats })) ask();
      }
      switch (frame.event) {
        case "new_message": {
          const message = frame.data as Message;
          void arrived(message, !message.from_me && !(message as { history?: boolean }).history);
          count();
          if (!message.from_me) writes(message.chat_id, "customer", "paused");
          break;
        }
        case "message_queued":
        case "message_sent":
        case "message_replaced":
          void arrived(frame.data as Message, false);
          break;
        case "message_status": {
          const change = frame.data as { id: string; chat_id: string; status: MessageStatus; reason?: string };
          client.setQueryData<Pages<Message>>(KEYS.messages(change.chat_id), (pages) => withStatus(pages, change));
          const { status, reason } = change;
          touchLast(client, change.chat_id, (last) => merge(last, { status, reason }), change.id);
          break;
        }
        case "message_edited":
        case "message_deleted":
        case "message_reacted":
        case "message_media":
          stood(frame.data as Message);
          break;
        case "new_note": {
          const note = frame.data as Message;
          client.setQueryData<Pages<Message>>(KEYS.messages(note.chat_id), (pages) => withMessage(pages, note));
          break;
        }
        case "schedule_changed":
          void client.invalidateQueries({ queryKey: KEYS.scheduled((frame.data as { chat_id: string }).chat_id) });
          break;
        case "tag_changed":
          void client.invalidateQueries({ queryKey: KEYS.tags });
          break;
        case "sending_paused":
        case "sending_resumed":
          void client.invalidateQueries({ queryKey: ["governor"] });
          break;
        case "chat_read": {
          const read = frame.data as { id: string; unread: number };
          for (const [key, pages] of client.getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats })) {
            const chat = findChat(pages, read.id);
            if (chat) client.setQueryData(key, withChat(pages, { ...chat, unread: read.unread }));
          }
          client.setQueryData<Chat>(KEYS.chat(read.id), (chat) => chat && { ...chat, unread: read.unread });
          count();
          break;
        }
        case "chat_marked": {
          const { id, user_id, unread } = frame.data as { id: string; user_id: string; unread: boolean };
          const chat = user_id === me() ? knownChat(client, id) : undefined;
          if (chat) showChat(client, { ...chat, marked_unread: unread }, me());
          if (user_id === me()) count();
          break;
        }
        case "chat_created":
        case "chat_changed":
          stands(frame.data as Standing & { happened?: Happening[] });
          count();
          break;
        case "chat_assigned":
          void given((frame.data as { id: string }).id);
          count();
          break;
        case "presence_state":
          client.setQueryData<Colleagues>(PRESENCE, everybody((frame.data as { items: Colleague[] }).items));
          break;
        case "presence":
          client.setQueryData<Colleagues>(PRESENCE, (known) => withColleague(known, frame.data as Colleague));
          break;
        case "typing": {
          const typing = frame.data as { chat_id: string; state: string };
          writes(typing.chat_id, "customer", typing.state);
          break;
        }
        case "agent_typing": {
          const typing = frame.data as { chat_id: string; user_id: string; state: string };
          writes(typing.chat_id, typing.user_id, typing.state);
          break;
        }
        case "contact_changed":
          ask();
          void client.invalidateQueries({ queryKey: KEYS.contact((frame.data as { id: string }).id) });
          break;
        case "contact_erased": {
          const gone = frame.data as { id: string; chat_ids: string[] };
          client.removeQueries({ queryKey: KEYS.contact(gone.id) });
          client.removeQueries({ queryKey: KEYS.contactNotes(gone.id) });
          for (const chat of gone.chat_ids) {
            client.setQueriesData<Pages<Chat>>({ queryKey: KEYS.chats }, (pages) => without(pages, chat));
            for (const key of [KEYS.chat(chat), KEYS.messages(chat), KEYS.scheduled(chat)])
              client.removeQueries({ queryKey: key });
          }
          for (const key of [["contacts"], KEYS.counts, ["erasures"]]) void client.invalidateQueries({ queryKey: key });
          break;
        }
        case "device_status":
          client.setQueryData<Page<Device>>(KEYS.devices, (page) => withDevice(page, frame.data as Device));
          break;
        case "device_deleted":
          client.setQueryData<Page<Device>>(KEYS.devices, (page) =>
            page
              ? { ...page, items: page.items.filter((item) => item.id !== (frame.data as { id: string }).id) }
              : page,
          );
          break;
        case "qr_code": {
          const qr = frame.data as QrFrame;
          client.setQueryData(qrKey(qr.device_id), qr);
          break;
        }
      }
    };
    // A busy minute is drawn some times a second, not once for each frame.
    const drawing = new Together<Frame>((frames) => notifyManager.batch(() => frames.forEach(apply)));
    const heard = (frame: Frame) => {
      tellFrame(frame);
      drawing.add(frame);
    };
    // A first answer that is on its way is not asked for again by an invalidation, and may be as old as the rest.
    const anew = () => {
      for (const { queryKey } of client.getQueryCache().findAll()) if (!KEPT.has(queryKey[0])) fresh.again(queryKey);
    };
    const socket = new Socket({
      ticket: async () => (await api.ticket()).ticket,
      frame: heard,
      opened: anew,
      resync: anew,
      connection: setConnection,
      present: here.present,
    });
    here.say = socket.say;
    client.setQueryDefaults(PRESENCE, { gcTime: Number.POSITIVE_INFINITY });
    const unheard = here.listen(socket.present);
    const unwatched = watch();
    socket.start();
    return () => {
      clearTimeout(asking);
      clearTimeout(counting);
      drawing.stop();
      fresh.stop();
      unwatched();
      unheard();
      here.say = () => {};
      socket.stop();
    };
  }, [client]);

  return connection;
}
