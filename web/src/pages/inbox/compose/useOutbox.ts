import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import * as api from "@/api/inbox";
import type { Message } from "@/api/types";
import { KEYS, type Pages, touchChats, withMessage } from "@/realtime/apply";
import { keptFor, outbox } from "./outbox";

/** What was written is sent, for as long as the page is open; what a page before has left is sent too. */
export function useOutbox(me: string | undefined) {
  const client = useQueryClient();
  useEffect(() => {
    if (!me) return;
    outbox.start({
      send: ({ chat_id, text, reply_to, media, key }) => {
        const answered = reply_to ? { reply_to } : {};
        return media
          ? api.sendMedia({ chat_id, media_id: media.id, ...(text ? { caption: text } : {}), ...answered }, key)
          : api.sendText({ chat_id, text: text ?? "", ...answered }, key);
      },
      sent: (message) => {
        client.setQueryData<Pages<Message>>(KEYS.messages(message.chat_id), (pages) => withMessage(pages, message));
        touchChats(client, message, { unread: false, me });
      },
      kept: keptFor(me),
    });
    const again = () => outbox.again();
    window.addEventListener("online", again);
    return () => window.removeEventListener("online", again);
  }, [client, me]);
}
