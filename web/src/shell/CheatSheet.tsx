import { Anchor, Group, Kbd, Modal, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import classes from "./Shell.module.css";
import { type Shortcut, useEveryShortcut } from "./shortcuts";

const MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);
const NAMES: Record<string, string> = {
  mod: MAC ? "⌘" : "Ctrl",
  alt: MAC ? "⌥" : "Alt",
  shift: "⇧",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Enter: "↵",
  Escape: "Esc",
};

/** Every key that works on the page behind it. */
export default function CheatSheet({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const groups = new Map<string, Shortcut[]>();
  const every = useEveryShortcut();
  for (const one of every) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return (
    <Modal opened onClose={onClose} title={t("shortcuts.title")} size="xl" centered>
      <Stack>
        <div className={classes.groups}>
          {[...groups].map(([group, shortcuts]) => (
            <section key={group} aria-label={t(group)} className={classes.group}>
              <Title order={3} size="h6" mb="xs">
                {t(group)}
              </Title>
              <Stack gap={6}>
                {shortcuts.map(({ id, keys, label }) => (
                  <Group key={id} justify="space-between" wrap="nowrap">
                    <Text size="sm">{t(label)}</Text>
                    <Pressed keys={keys} />
                  </Group>
                ))}
              </Stack>
            </section>
          ))}
        </div>
        <Anchor component={Link} to="/settings/notices" size="sm" onClick={onClose}>
          {t("shortcuts.settings")}
        </Anchor>
      </Stack>
    </Modal>
  );
}

function Pressed({ keys }: { keys: string }) {
  const { t } = useTranslation();
  return (
    <Group gap={4} wrap="nowrap">
      {keys.split(" ").map((one, index) => (
        <Fragment key={one}>
          {index > 0 && (
            <Text size="xs" c="dimmed">
              {t("shortcuts.then")}
            </Text>
          )}
          {one.split("+").map((key) => (
            <Kbd key={key} className={classes.key ?? ""}>
              {NAMES[key] ?? key.toUpperCase()}
            </Kbd>
          ))}
        </Fragment>
      ))}
    </Group>
  );
}
