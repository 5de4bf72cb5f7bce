import { Checkbox, Group, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { data, throwing } from "@/api/calls";
import * as sdk from "@/api/generated";
import { useDays } from "@/pages/settings/hours/days";
import { useShowProblem } from "@/shell/problems";
import { Quick } from "./Quick";

/** The same hours on the days that are chosen, for the whole account; what is finer is set under settings. */
export function QuickHours() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const names = useDays("short");
  const [days, setDays] = useState(["0", "1", "2", "3", "4"]);
  const [opens, setOpens] = useState("09:00");
  const [closes, setCloses] = useState("18:00");
  const save = useMutation({
    mutationFn: () =>
      data(
        sdk.hoursCreateHours({
          ...throwing,
          body: {
            name: t("hours.first"),
            everywhere: true,
            weekly: days.map(Number).map((day) => ({ day, opens, closes })),
          },
          headers: { "Idempotency-Key": crypto.randomUUID() },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["hours"] }),
    onError: showProblem,
  });
  return (
    <Quick
      hint={t("start.hours.hint")}
      action={t("start.hours.do")}
      ready={days.length > 0}
      saving={save.isPending}
      save={() => save.mutate()}
      more="/settings/hours"
    >
      <Checkbox.Group value={days} onChange={setDays} label={t("hours.days")}>
        <Group gap="md" mt={6}>
          {names.map((name, day) => (
            <Checkbox key={name} value={String(day)} label={name} />
          ))}
        </Group>
      </Checkbox.Group>
      <Group>
        <TextInput
          type="time"
          label={t("hours.opens")}
          value={opens}
          required
          onChange={(e) => setOpens(e.currentTarget.value)}
        />
        <TextInput
          type="time"
          label={t("hours.closes")}
          value={closes}
          required
          onChange={(e) => setCloses(e.currentTarget.value)}
        />
      </Group>
    </Quick>
  );
}
