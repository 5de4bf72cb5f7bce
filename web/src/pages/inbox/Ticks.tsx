import { IconAlertCircle, IconCheck, IconChecks, IconClock, IconQuestionMark } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { MessageStatus } from "@/api/types";
import classes from "./Ticks.module.css";

const ICON = {
  received: IconCheck,
  queued: IconClock,
  sending: IconClock,
  sent: IconCheck,
  delivered: IconChecks,
  read: IconChecks,
  played: IconChecks,
  failed: IconAlertCircle,
  unknown: IconQuestionMark,
};

/** How far a message of ours came, as WhatsApp shows it; the words are there for who cannot see it. */
export function Ticks({ status }: { status: MessageStatus }) {
  const { t } = useTranslation();
  const Icon = ICON[status];
  const label = t(`message.status.${status}`);
  return (
    <span role="img" aria-label={label} title={label} className={classes.ticks} data-status={status}>
      <Icon size={16} stroke={2} aria-hidden />
    </span>
  );
}
