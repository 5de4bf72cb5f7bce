import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import type { Chat, Device } from "@/api/types";
import { dates } from "@/formats";
import { useWriters } from "@/realtime/useWriters";
import classes from "../Composer.module.css";
import type { Company } from "../company";

/** What whoever is about to write should know: a colleague writes already, or the message would wait. */
export function Held({
  chat,
  device,
  company,
  me,
  note,
}: {
  chat: Chat;
  device: Device | undefined;
  company: Company;
  me: string;
  note: boolean;
}) {
  const { t, i18n } = useTranslation();
  const writers = useWriters(chat.id);
  const { data: governor } = useQuery({
    queryKey: ["governor", chat.device_id],
    queryFn: () => api.governor(chat.device_id),
    staleTime: 60_000,
    retry: false,
  });
  const colleague = writers.find((one) => one.who !== "customer" && one.who !== me);
  const clock = (at: string) =>
    dates(i18n.language, { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(at));
  const ahead = (at: string | null | undefined) => !!at && Date.parse(at) > Date.now();
  const words = [
    colleague && t("compose.answering", { name: company.user.get(colleague.who)?.name ?? t("around.somebody") }),
    !note && device && device.state !== "connected" && t("inbox.disconnected", { device: device.name }),
    !note && company.known && !device && t("compose.noDevice"),
    !note &&
      (governor?.paused_reason || ahead(governor?.paused_until)) &&
      (ahead(governor?.paused_until)
        ? t("compose.pausedUntil", { at: clock(governor?.paused_until as string) })
        : t("compose.paused")),
    !note && ahead(governor?.quiet_until) && t("compose.quiet", { at: clock(governor?.quiet_until as string) }),
  ].filter(Boolean);
  return (
    <div role="status">
      {words.map((one) => (
        <Text key={one as string} size="xs" className={classes.hint}>
          {one}
        </Text>
      ))}
    </div>
  );
}
