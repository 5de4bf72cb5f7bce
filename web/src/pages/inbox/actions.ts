import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import * as calls from "@/api/calls";
import * as api from "@/api/inbox";
import { asProblem } from "@/api/problem";
import type { Chat } from "@/api/types";
import { KEYS, knownChat, showChat } from "@/realtime/apply";
import { useSession } from "@/session/session";
import { useShowProblem } from "@/shell/problems";

/** What an agent does to chats. It shows at once, and is taken back where the server refuses. */
export function useChatActions() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const me = useSession()?.user.id;
  const navigate = useNavigate();
  const open = useRef<string>(undefined);
  open.current = useParams({ strict: false }).chatId;
  return useMemo(() => {
    const optimistic = async (id: string, change: Partial<Chat>, call: () => Promise<Chat>) => {
      const before = knownChat(client, id);
      const shown = before && { ...before, ...change };
      if (shown) showChat(client, shown, me);
      try {
        showChat(client, await call(), me);
        void client.invalidateQueries({ queryKey: KEYS.counts });
        return true;
      } catch (error) {
        const problem = asProblem(error);
        const now = problem.members.chat as Chat | undefined;
        const still = knownChat(client, id);
        // Only what was changed here goes back: a message may have come meanwhile.
        const back = before && Object.fromEntries(Object.keys(change).map((key) => [key, before[key as keyof Chat]]));
        if (now) showChat(client, now, me);
        else if (still && back) showChat(client, { ...still, ...back }, me);
        if (problem.code === "chat-moved") {
          notifications.show({ color: "orange", title: t("act.moved"), message: t("act.movedHint") });
        } else showProblem(error);
        return false;
      }
    };
    return {
      stand: (chat: Chat, status: Chat["status"], until: string | null = null) =>
        optimistic(
          chat.id,
          { status, snoozed_until: until, ...(status === "closed" ? { waiting_since: null } : {}) },
          () => api.changeChat(chat.id, { status, snoozed_until: until }),
        ),
      tag: (chat: Chat, tags: string[]) => optimistic(chat.id, { tags }, () => api.changeChat(chat.id, { tags })),
      pin: (chat: Chat, pinned: boolean) => optimistic(chat.id, { pinned }, () => api.changeChat(chat.id, { pinned })),
      give: (chat: Chat, to: { assignee?: string | null; team?: string | null }, note?: string) => {
        const given = {
          ...(to.assignee !== undefined ? { assignee_id: to.assignee } : {}),
          ...(to.team !== undefined ? { team_id: to.team } : {}),
        };
        const shown = "team_id" in given && !("assignee_id" in given) ? { ...given, assignee_id: null } : given;
        return optimistic(chat.id, shown, () => api.assign(chat.id, { ...given, ...(note ? { note } : {}) }));
      },
      take: (chat: Chat) => optimistic(chat.id, { assignee_id: me ?? null }, () => api.take(chat.id)),
      read: (chat: Chat) => optimistic(chat.id, { unread: 0, marked_unread: false }, () => calls.markRead(chat.id)),
      // Whoever looks at a chat reads it: it is left first.
      unread: async (chat: Chat) => {
        if (open.current === chat.id) await navigate({ to: "/inbox" });
        return optimistic(chat.id, { marked_unread: true }, () => api.markUnread(chat.id));
      },
    };
  }, [client, me, navigate, showProblem, t]);
}
export type ChatActions = ReturnType<typeof useChatActions>;
