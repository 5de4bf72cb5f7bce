import { ActionIcon, Button, Card, Checkbox, Group, Radio, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Menu } from "@/api/bot";
import { reply } from "./BotPage";

type Option = Menu["options"][number];

/** Numbered options below a text; `0` always leads to a person. */
export function Menus({ menus, first, onFirst, onChange }: MenusProps) {
  const { t } = useTranslation();
  const set = (id: string, part: Partial<Menu>) =>
    onChange(menus.map((menu) => (menu.id === id ? { ...menu, ...part } : menu)));
  const setOption = (menu: Menu, key: string, part: Partial<Option>) =>
    set(menu.id, { options: menu.options.map((option) => (option.key === key ? { ...option, ...part } : option)) });
  const removeOption = (menu: Menu, key: string) =>
    set(menu.id, {
      options: menu.options
        .filter((option) => option.key !== key)
        .map((option, place) => ({ ...option, key: String(place + 1) })),
    });
  const addOption = (menu: Menu) =>
    set(menu.id, {
      options: [...menu.options, { key: String(menu.options.length + 1), label: "", reply: null, action: {} }],
    });
  const add = () => {
    const options = [{ key: "1", label: t("bot.firstOption"), reply: null, action: { hand_over: true } }];
    onChange([...menus, { id: `m${crypto.randomUUID().slice(0, 8)}`, text: t("bot.menuExample"), options }]);
  };
  const remove = (id: string) => {
    if (first === id) onFirst(null);
    onChange(menus.filter((menu) => menu.id !== id));
  };
  return (
    <Stack gap="sm">
      {menus.map((menu) => (
        <Card key={menu.id} withBorder component="article" aria-label={menu.text}>
          <Stack gap="xs">
            <Group wrap="nowrap" align="flex-start">
              <Textarea
                label={t("bot.menuText")}
                autosize
                minRows={1}
                maxLength={4096}
                flex={1}
                value={menu.text}
                onChange={(event) => set(menu.id, { text: event.currentTarget.value })}
              />
              <ActionIcon
                mt={26}
                variant="subtle"
                color="red"
                aria-label={t("bot.removeMenu", { name: menu.text })}
                onClick={() => remove(menu.id)}
              >
                <IconTrash size={18} />
              </ActionIcon>
            </Group>
            {menu.options.map((option) => (
              <Group key={option.key} align="center" wrap="wrap" gap="xs">
                <Text fw={600} w={24} ta="right">
                  {option.key}.
                </Text>
                <TextInput
                  aria-label={t("bot.optionLabel", { key: option.key })}
                  placeholder={t("bot.optionExample")}
                  maxLength={100}
                  w={180}
                  value={option.label}
                  onChange={(event) => setOption(menu, option.key, { label: event.currentTarget.value })}
                />
                <TextInput
                  aria-label={t("bot.optionReply", { key: option.key })}
                  placeholder={t("bot.answer")}
                  maxLength={4096}
                  flex="1 1 200px"
                  value={option.reply?.text ?? ""}
                  onChange={(event) =>
                    setOption(menu, option.key, { reply: reply(option.reply, event.currentTarget.value) })
                  }
                />
                <Checkbox
                  label={t("bot.handOver")}
                  checked={option.action?.hand_over ?? false}
                  onChange={(event) =>
                    setOption(menu, option.key, {
                      action: { ...option.action, hand_over: event.currentTarget.checked },
                    })
                  }
                />
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  disabled={menu.options.length === 1}
                  aria-label={t("bot.removeOption", { key: option.key })}
                  onClick={() => removeOption(menu, option.key)}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              </Group>
            ))}
            <Text size="sm" c="dimmed">
              {t("bot.zero")}
            </Text>
            <Group>
              <Button
                size="xs"
                variant="default"
                disabled={menu.options.length >= 20}
                leftSection={<IconPlus size={16} />}
                onClick={() => addOption(menu)}
              >
                {t("bot.addOption")}
              </Button>
              <Radio
                label={t("bot.withWelcome")}
                checked={first === menu.id}
                onChange={() => onFirst(menu.id)}
                onClick={() => first === menu.id && onFirst(null)}
              />
            </Group>
          </Stack>
        </Card>
      ))}
      <Button variant="light" leftSection={<IconPlus size={18} />} onClick={add} w="fit-content">
        {t("bot.addMenu")}
      </Button>
    </Stack>
  );
}

type MenusProps = {
  menus: Menu[];
  first: string | null;
  onFirst: (id: string | null) => void;
  onChange: (menus: Menu[]) => void;
};
