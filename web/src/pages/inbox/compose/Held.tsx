import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import type { Chat, Device } from "@/api/types";
import { useWriters } from "@/realtime/useWriters";
import type { Company } from "@/session/company";
import { useAhead } from "@/shell/time";
import classes from "../Composer.module.css";

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
  const { t } = useTranslation();
  const clock = useAhead();
  const writers = useWriters(chat.id);
  const { data: governor } = useQuery({
    queryKey: ["governor", chat.device_id],
    queryFn: () => api.governor(chat.device_id),
    staleTime: 60_000,
    retry: false,
  });
  const colleague = writers.find((one) => one.who !== "customer" && one.who !== me);
  const ahead = (at: string | null | undefined) => !!at && Date.parse(at) > Date.now();
  const words = [
    colleague && t("compose.answering", { name: company.user.get(colleague.who)?.name ?? t("around.somebody") }),
    !note && device && device.state !== "connected" && t("inbox.disconnected", { device: device.name }),
    !note && company.known && !device && t("compose.noDevice"),
    !note &&
      (governor?.paused_reason || ahead(governor?.paused_until)) &&
      (ahead(governor?.paused_until)
        ? t("compose.pausedUntil", { at: clock(new Date(governor?.paused_until as string)) })
        : t("compose.paused")),
    !note &&
      ahead(governor?.quiet_until) &&
      t("compose.quiet", { at: clock(new Date(governor?.quiet_until as string)) }),
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
