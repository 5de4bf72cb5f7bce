import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import * as api from "@/api/calls";
import type { Device, Message, MessageStatus, Page } from "@/api/types";
import { SESSION } from "@/session/session";
import { findChat, KEYS, type Pages, touchChats, withChat, withDevice, withMessage, withStatus } from "./apply";
import { type Connection, type Frame, Socket } from "./socket";

export type QrFrame = { device_id: string; qr: string; expires_at: string };
export const qrKey = (device: string) => ["qr", device] as const;

/** Keeps everything on the screen as the server has it, for as long as the component lives. */
export function useRealtime(): Connection {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>("connecting");

  useEffect(() => {
    const arrived = async (message: Message & { replaces?: string | null }, unread: boolean) => {
      client.setQueryData<Pages<Message>>(KEYS.messages(message.chat_id), (pages) =>
        withMessage(pages, message, message.replaces ?? undefined),
      );
      if (touchChats(client, message, { unread })) return;
      // A chat that no list shows yet: the server says what it is, unread count included.
      const chat = await api.chat(message.chat_id).catch(() => undefined);
      if (!chat) return;
      for (const [key, pages] of client.getQueriesData<Pages<typeof chat>>({ queryKey: KEYS.chats })) {
        const filter = key[1] as api.ChatFilter | undefined;
        if (filter?.q || (filter?.unread && !chat.unread)) continue;
        if (!findChat(pages, chat.id)) client.setQueryData(key, withChat(pages, chat));
      }
    };
    const apply = (frame: Frame) => {
      switch (frame.event) {
        case "new_message": {
          const message = frame.data as Message;
          void arrived(message, !message.from_me);
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
          for (const [key, pages] of client.getQueriesData<Pages<{ id: string; last_message: Message | null }>>({
            queryKey: KEYS.chats,
          })) {
            const chat = findChat(pages as never, change.chat_id);
            if (chat?.last_message?.id === change.id) {
              const last = withStatus(
                { pages: [{ items: [chat.last_message], next_cursor: null }], pageParams: [] },
                change,
              );
              client.setQueryData(
                key,
                withChat(pages as never, { ...chat, last_message: last?.pages[0]?.items[0] ?? null }),
              );
            }
          }
          break;
        }
        case "chat_read": {
          const read = frame.data as { id: string; unread: number };
          for (const [key, pages] of client.getQueriesData({ queryKey: KEYS.chats })) {
            const chat = findChat(pages as never, read.id);
            if (chat) client.setQueryData(key, withChat(pages as never, { ...chat, unread: read.unread }));
          }
          break;
        }
        case "contact_changed":
          void client.invalidateQueries({ queryKey: KEYS.chats });
          break;
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
    const socket = new Socket({
      ticket: async () => (await api.ticket()).ticket,
      frame: apply,
      resync: () => void client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== SESSION[0] }),
      connection: setConnection,
    });
    socket.start();
    return socket.stop;
  }, [client]);

  return connection;
}
