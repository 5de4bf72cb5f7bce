import { Button, Group, Text, TextInput } from "@mantine/core";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Range } from "@/api/dashboard";
import { type Flaw, flaw, length, MOST_DAYS } from "./period";

type Props = { range: Range; today: string | undefined; onChoose: (range: Range) => void };

/** From when to when: days of the account, which are looked at once both make sense. */
export function OwnPeriod({ range, today, onChoose }: Props) {
  const { t } = useTranslation();
  const [of, setOf] = useState(range);
  const [draft, setDraft] = useState(range);
  const [wrong, setWrong] = useState<Flaw>();
  const form = useRef<HTMLFormElement>(null);
  // The address has changed, by the button here or by the way back.
  if (of.first !== range.first || of.last !== range.last) {
    setOf(range);
    setDraft(range);
    setWrong(undefined);
  }
  const said = wrong ?? flaw(range, today);
  const told = said && { "aria-describedby": "own-period-flaw", error: true };
  const day = (name: keyof Range) => (
    <TextInput
      {...told}
      type="date"
      name={name}
      label={t(`dashboard.${name}`)}
      value={draft[name]}
      max={today}
      onChange={(event) => setDraft({ ...draft, [name]: event.currentTarget.value })}
      flex={{ base: "1 1 130px", sm: "0 0 170px" }}
    />
  );
  return (
    <form
      ref={form}
      noValidate
      aria-label={t("dashboard.period")}
      onSubmit={(event) => {
        event.preventDefault();
        const found = flaw(draft, today);
        setWrong(found);
        if (!found) return onChoose(draft);
        const empty = found === "missing" && draft.first ? "[name=last]" : "[name=first]";
        form.current?.querySelector<HTMLInputElement>(empty)?.focus();
      }}
    >
      <Group gap="sm" align="flex-end">
        {day("first")}
        {day("last")}
        <Button type="submit" variant="light" flex={{ base: "1 1 100%", sm: "0 0 auto" }}>
          {t("dashboard.show")}
        </Button>
      </Group>
      {said && (
        <Text id="own-period-flaw" role="alert" size="sm" c="var(--mantine-color-error)" mt={6}>
          {t(`dashboard.flaw.${said}`, { most: MOST_DAYS, days: length(wrong ? draft : range) })}
        </Text>
      )}
    </form>
  );
}
