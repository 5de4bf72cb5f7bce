import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouterState } from "@tanstack/react-router";
import i18n from "i18next";
import { useEffect } from "react";
import * as api from "@/api/calls";
import type { Chat, Message, Page } from "@/api/types";
import { findChat, KEYS, type Pages } from "@/realtime/apply";
import { onFrame } from "@/realtime/frames";
import { useSession } from "@/session/session";
import { concerns, worthTelling } from "./concerns";
import { phoneText } from "./phone";
import { type Preferences, preferences } from "./preferences";
import { chime, rings } from "./sound";

/** So long a tab holds what it has told, so that no other tells it too. */
const TOLD_MS = 30_000;

const shows = ({ notify }: Pick<Preferences, "notify">) =>
  notify !== "off" && "Notification" in window && Notification.permission === "granted";

const looking = (chat: string) => `clarin.looking.${chat}`;

/** Whether some tab has the chat before somebody's eyes: such a tab holds its lock. */
const watched = async (chat: string) =>
  !!navigator.locks && (await navigator.locks.request(looking(chat), { ifAvailable: true }, (free) => free === null));

/** Tells of what comes in, once over all tabs of the browser, and never of a chat that somebody has before his eyes. */
export function useAlerts() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const me = useSession()?.user.id ?? "";
  const chat = useRouterState({ select: (state) => state.location.pathname.match(/^\/inbox\/([^/]+)/)?.[1] });

  useEffect(() => {
    if (!chat || !navigator.locks) return;
    let away: (() => void) | undefined;
    const look = () => {
      const here = document.visibilityState === "visible" && document.hasFocus();
      if (here === (away !== undefined)) return;
      if (!here) {
        away?.();
        away = undefined;
        return;
      }
      void navigator.locks.request(
        looking(chat),
        { mode: "shared" },
        () =>
          new Promise<void>((leave) => {
            away = leave;
          }),
      );
    };
    look();
    document.addEventListener("visibilitychange", look);
    window.addEventListener("focus", look);
    window.addEventListener("blur", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      window.removeEventListener("focus", look);
      window.removeEventListener("blur", look);
      away?.();
    };
  }, [chat]);

  useEffect(() => {
    const known = (id: string) => {
      for (const [, pages] of client.getQueriesData<Pages<Chat>>({ queryKey: KEYS.chats })) {
        const found = findChat(pages, id);
        if (found) return found;
      }
      return client.getQueryData<Chat>(KEYS.chat(id));
    };
    const tell = async (message: Message, { notify, sound }: Preferences) => {
      if (await watched(message.chat_id)) return;
      const about = known(message.chat_id) ?? (await api.chat(message.chat_id).catch(() => undefined));
      if (!about || !concerns(about, notify === "off" ? "mine" : notify, me)) return;
      if (sound) chime();
      if (!shows({ notify })) return;
      const who = about.name ?? (about.contact?.phone ? phoneText(about.contact.phone) : i18n.t("inbox.unknown"));
      const devices = client.getQueryData<Page<{ id: string; name: string }>>(KEYS.devices)?.items ?? [];
      const via = devices.length > 1 ? devices.find(({ id }) => id === about.device_id)?.name : undefined;
      const told = {
        body: message.text?.slice(0, 140) || i18n.t("notices.file"),
        icon: "/icon-192.png",
        tag: message.chat_id,
        data: { path: `/inbox/${message.chat_id}` },
      };
      const title = via ? `${who} · ${via}` : who;
      // A phone shows only what the service worker tells.
      const worker = await navigator.serviceWorker?.getRegistration();
      if (worker?.active) return worker.showNotification(title, told);
      const notice = new Notification(title, told);
      notice.onclick = () => {
        window.focus();
        void navigate({ to: told.data.path });
        notice.close();
      };
    };
    const clicked = (event: MessageEvent) => {
      const path = (event.data as { open?: string } | null)?.open;
      if (path) void navigate({ to: path });
    };
    navigator.serviceWorker?.addEventListener("message", clicked);
    const forget = onFrame((frame) => {
      if (frame.event !== "new_message") return;
      const message = frame.data as Message;
      const chosen = preferences();
      if (!(shows(chosen) || (chosen.sound && rings())) || !worthTelling(message, Date.now())) return;
      if (!navigator.locks) return void tell(message, chosen);
      // The first tab to hear of it tells; the others find it taken.
      void navigator.locks.request(`clarin.told.${message.id}`, { ifAvailable: true }, async (mine) => {
        if (!mine) return;
        // Where nothing can be shown, it is not for another tab to try.
        await tell(message, chosen).catch(() => {});
        await new Promise((over) => setTimeout(over, TOLD_MS));
      });
    });
    return () => {
      forget();
      navigator.serviceWorker?.removeEventListener("message", clicked);
    };
  }, [client, navigate, me]);
}
