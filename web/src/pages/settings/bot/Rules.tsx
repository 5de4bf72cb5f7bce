import {
  ActionIcon,
  Button,
  Card,
  Checkbox,
  Group,
  Select,
  SimpleGrid,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Match, Menu, Rule } from "@/api/bot";
import { OneOf } from "@/shell/choose";
import { reply } from "./BotPage";

const MATCHES: Match[] = ["any_of", "contains", "exact", "starts", "regex"];

/** Keywords and their answers; the first that a message meets answers. */
export function Rules({ rules, menus, onChange }: RulesProps) {
  const { t } = useTranslation();
  const set = (place: number, part: Partial<Rule>) =>
    onChange(rules.map((rule, at) => (at === place ? { ...rule, ...part } : rule)));
  const move = (from: number, to: number) => {
    const moved = [...rules];
    moved.splice(to, 0, ...moved.splice(from, 1));
    onChange(moved);
  };
  const add = () => {
    const id = `r${crypto.randomUUID().slice(0, 8)}`;
    onChange([...rules, { id, name: t("bot.newRule"), match: "any_of", phrases: [], reply: { text: "" }, action: {} }]);
  };
  return (
    <Stack gap="sm">
      {rules.length === 0 && (
        <Text size="sm" c="dimmed">
          {t("bot.noRules")}
        </Text>
      )}
      {rules.map((rule, place) => (
        <Card key={rule.id} withBorder component="article" aria-label={rule.name}>
          <Stack gap="xs">
            <Group wrap="nowrap" align="flex-end">
              <TextInput
                label={t("bot.ruleName")}
                value={rule.name}
                maxLength={100}
                flex={1}
                onChange={(event) => set(place, { name: event.currentTarget.value })}
              />
              <Group gap={2} wrap="nowrap">
                <ActionIcon
                  size={36}
                  variant="subtle"
                  color="gray"
                  disabled={place === 0}
                  aria-label={t("bot.up", { name: rule.name })}
                  onClick={() => move(place, place - 1)}
                >
                  <IconArrowUp size={18} />
                </ActionIcon>
                <ActionIcon
                  size={36}
                  variant="subtle"
                  color="gray"
                  disabled={place === rules.length - 1}
                  aria-label={t("bot.down", { name: rule.name })}
                  onClick={() => move(place, place + 1)}
                >
                  <IconArrowDown size={18} />
                </ActionIcon>
                <ActionIcon
                  size={36}
                  variant="subtle"
                  color="red"
                  aria-label={t("bot.removeRule", { name: rule.name })}
                  onClick={() => onChange(rules.filter((_, at) => at !== place))}
                >
                  <IconTrash size={18} />
                </ActionIcon>
              </Group>
            </Group>
            <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md" verticalSpacing="xs">
              <Select
                label={t("bot.match")}
                data={MATCHES.map((value) => ({ value, label: t(`bot.matches.${value}`) }))}
                value={rule.match}
                allowDeselect={false}
                onChange={(value) => value && set(place, { match: value as Match })}
              />
              <TagsInput
                label={t("bot.phrases")}
                placeholder={rule.phrases.length ? "" : t("bot.phrasesHint")}
                value={rule.phrases}
                maxTags={50}
                acceptValueOnBlur
                onChange={(phrases) => set(place, { phrases })}
              />
            </SimpleGrid>
            <Textarea
              label={t("bot.answer")}
              autosize
              minRows={2}
              maxLength={4096}
              value={rule.reply?.text ?? ""}
              onChange={(event) => set(place, { reply: reply(rule.reply, event.currentTarget.value) })}
            />
            <Group>
              <Checkbox
                label={t("bot.handOver")}
                checked={rule.action?.hand_over ?? false}
                onChange={(event) =>
                  set(place, { action: { ...rule.action, hand_over: event.currentTarget.checked, menu: null } })
                }
              />
              {menus.length > 0 && (
                <OneOf
                  aria-label={t("bot.thenMenu")}
                  placeholder={t("bot.thenMenu")}
                  clearable
                  data={menus.map((menu) => ({ value: menu.id, label: menu.text.slice(0, 60) || menu.id }))}
                  value={rule.action?.menu ?? null}
                  onChange={(menu) => set(place, { action: { ...rule.action, menu, hand_over: false } })}
                />
              )}
            </Group>
          </Stack>
        </Card>
      ))}
      <Button variant="light" leftSection={<IconPlus size={18} />} onClick={add} w="fit-content">
        {t("bot.addRule")}
      </Button>
    </Stack>
  );
}

type RulesProps = { rules: Rule[]; menus: Menu[]; onChange: (rules: Rule[]) => void };
