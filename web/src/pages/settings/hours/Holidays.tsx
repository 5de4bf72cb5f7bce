import { ActionIcon, Button, Checkbox, Fieldset, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Parts } from "./HoursDialog";
import type { Part } from "./week";

export type HolidayLine = { key: string; date: string; name: string; spans: Part[] };

type Props = { lines: HolidayLine[]; onChange: (lines: HolidayLine[]) => void };

/** The dates on which other hours hold than in an ordinary week, or none. */
export function Holidays({ lines, onChange }: Props) {
  const { t } = useTranslation();
  const set = (key: string, change: Partial<HolidayLine>) =>
    onChange(lines.map((line) => (line.key === key ? { ...line, ...change } : line)));
  return (
    <Fieldset legend={t("hours.holidays")}>
      <Stack gap="sm">
        {lines.length === 0 && (
          <Text size="sm" c="dimmed">
            {t("hours.noHolidays")}
          </Text>
        )}
        {lines.map((line) => {
          const called = line.name || line.date || t("hours.holiday");
          return (
            <Group key={line.key} align="flex-start" gap="xs">
              <TextInput
                type="date"
                aria-label={t("hours.date")}
                value={line.date}
                required
                onChange={(event) => set(line.key, { date: event.currentTarget.value })}
              />
              <TextInput
                aria-label={t("hours.holiday")}
                placeholder={t("hours.holiday")}
                value={line.name}
                maxLength={100}
                flex={1}
                miw={140}
                onChange={(event) => set(line.key, { name: event.currentTarget.value })}
              />
              <Checkbox
                label={t("hours.allDay")}
                mt={8}
                checked={line.spans.length === 0}
                onChange={(event) =>
                  set(line.key, { spans: event.currentTarget.checked ? [] : [{ opens: "10:00", closes: "14:00" }] })
                }
              />
              <ActionIcon
                variant="subtle"
                color="red"
                mt={4}
                aria-label={t("hours.removeHoliday", { name: called })}
                onClick={() => onChange(lines.filter((other) => other !== line))}
              >
                <IconTrash size={16} />
              </ActionIcon>
              {line.spans.length > 0 && (
                <Stack gap={6} w="100%">
                  <Parts of={called} parts={line.spans} onChange={(spans) => set(line.key, { spans })} />
                </Stack>
              )}
            </Group>
          );
        })}
        <Group>
          <Button
            size="xs"
            variant="light"
            leftSection={<IconPlus size={14} />}
            onClick={() => onChange([...lines, { key: crypto.randomUUID(), date: "", name: "", spans: [] }])}
          >
            {t("hours.addHoliday")}
          </Button>
        </Group>
      </Stack>
    </Fieldset>
  );
}
