import { UnstyledButton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { type CSSProperties, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { hideStart, STEPS, useStart, useStartShown } from "@/pages/start/useStart";
import { useSession } from "@/session/session";
import classes from "./Shell.module.css";

/** The way to the first steps, with how many are taken; gone once all are. */
export function StartPlace({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const shown = useStartShown();
  const account = useSession()?.account.id ?? "";
  const { count, ready } = useStart(shown);
  const over = ready && count === STEPS.length;
  useEffect(() => {
    if (shown && over && !active) hideStart(account, true);
  }, [shown, over, active, account]);
  if (!shown || !ready) return null;
  return (
    <UnstyledButton
      title={t("start.progress", { count, all: STEPS.length })}
      component={Link}
      to="/start"
      className={classes.place}
      data-active={active || undefined}
      aria-current={active ? "page" : undefined}
    >
      <span
        className={classes.ring}
        style={{ "--done": `${(count / STEPS.length) * 100}%` } as CSSProperties}
        aria-hidden
      />
      <span className={classes.label}>{t("start.short")}</span>
    </UnstyledButton>
  );
}
