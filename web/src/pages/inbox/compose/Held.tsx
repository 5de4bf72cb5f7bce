import { Text } from "@mantine/core";
import { skipToken, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import type { Chat, Device } from "@/api/types";
import { typingKey, type Writer, writing } from "@/realtime/presence";
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
  const { data: writers } = useQuery<Writer[]>({ queryKey: typingKey(chat.id), queryFn: skipToken });
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    setNow(Date.now());
    if (!writers?.length) return;
    const timer = setInterval(() => setNow(Date.now()), 2_000);
    return () => clearInterval(timer);
  }, [writers]);
  const { data: governor } = useQuery({
    queryKey: ["governor", chat.device_id],
    queryFn: () => api.governor(chat.device_id),
    staleTime: 60_000,
    retry: false,
  });
  const colleague = writing(writers, now).find((one) => one.who !== "customer" && one.who !== me);
  const clock = (at: string) =>
    new Date(at).toLocaleString(i18n.language, { weekday: "short", hour: "2-digit", minute: "2-digit" });
  const ahead = (at: string | null | undefined) => !!at && Date.parse(at) > now;
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
