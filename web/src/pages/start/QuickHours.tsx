import { Anchor, Button, Checkbox, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { data, throwing } from "@/api/calls";
import * as sdk from "@/api/generated";
import { useDays } from "@/pages/settings/hours/days";
import { useShowProblem } from "@/shell/problems";

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
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {t("start.hours.hint")}
        </Text>
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
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!days.length}>
            {t("start.hours.do")}
          </Button>
          <Anchor component={Link} to="/settings/hours" size="sm">
            {t("start.more")}
          </Anchor>
        </Group>
      </Stack>
    </form>
  );
}
