import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { data, throwing } from "@/api/calls";
import * as sdk from "@/api/generated";
import { onFrame } from "@/realtime/frames";

export const COUNTS = ["counts"] as const;

const COUNTED = new Set(["new_message", "chat_read", "chat_marked", "chat_changed", "chat_assigned", "chat_created"]);
/** A busy minute asks no more often. */
const AGAIN_MS = 1_500;

/** How many chats wait for somebody to look stands in the title, on the icon of the tab and on the installed app's. */
export function useUnreadBadge() {
  const client = useQueryClient();
  const { data: counts } = useQuery({ queryKey: COUNTS, queryFn: () => data(sdk.chatsCountChats(throwing)) });
  useEffect(() => {
    let due: ReturnType<typeof setTimeout> | undefined;
    const forget = onFrame((frame) => {
      if (!COUNTED.has(frame.event)) return;
      due ??= setTimeout(() => {
        due = undefined;
        void client.invalidateQueries({ queryKey: COUNTS });
      }, AGAIN_MS);
    });
    return () => {
      clearTimeout(due);
      forget();
    };
  }, [client]);
  const unread = counts?.unread ?? 0;
  const most = counts?.most ?? Number.POSITIVE_INFINITY;
  useEffect(() => {
    document.title = unread ? `(${unread >= most ? `${most}+` : unread}) Clarin` : "Clarin";
    const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    if (icon) icon.href = unread ? "/icon-unread.svg" : "/icon.svg";
    const told = unread ? navigator.setAppBadge?.(unread) : navigator.clearAppBadge?.();
    told?.catch(() => {});
    return () => {
      document.title = "Clarin";
    };
  }, [unread, most]);
}
