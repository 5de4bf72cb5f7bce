import { Alert, Button, Group, Paper, Radio, Stack, Switch, Text, Title } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Preferences, prefer, usePreferences } from "@/shell/preferences";
import { chime } from "@/shell/sound";

/** How this browser tells its user of new messages, and which keys it takes. */
export function NoticesPage() {
  const { t } = useTranslation();
  const set = usePreferences();
  const [allowed, setAllowed] = useState(() => ("Notification" in window ? Notification.permission : "denied"));
  const choose = async (notify: Preferences["notify"]) => {
    prefer({ notify });
    if (notify !== "off" && allowed === "default") setAllowed(await Notification.requestPermission());
  };
  return (
    <Stack gap="lg" maw={640}>
      <div>
        <Title order={2} size="h4">
          {t("notices.title")}
        </Title>
        <Text size="sm" c="dimmed">
          {t("notices.subtitle")}
        </Text>
      </div>
      <Paper withBorder p="md" component="section" aria-label={t("notices.messages")}>
        <Stack>
          <Radio.Group
            label={t("notices.messages")}
            description={t("notices.quiet")}
            value={set.notify}
            onChange={(value) => void choose(value as Preferences["notify"])}
          >
            <Stack gap="xs" mt="sm">
              <Radio value="all" label={t("notices.all")} />
              <Radio value="mine" label={t("notices.mine")} />
              <Radio value="off" label={t("notices.off")} />
            </Stack>
          </Radio.Group>
          {set.notify !== "off" && allowed !== "granted" && (
            <Alert color="yellow" role="status">
              <Stack gap="xs" align="flex-start">
                {t(allowed === "denied" ? "notices.denied" : "notices.ask")}
                {allowed === "default" && (
                  <Button size="xs" variant="default" onClick={() => void choose(set.notify)}>
                    {t("notices.allow")}
                  </Button>
                )}
              </Stack>
            </Alert>
          )}
          <Group justify="space-between">
            <Switch
              label={t("notices.sound")}
              checked={set.sound}
              onChange={(event) => prefer({ sound: event.currentTarget.checked })}
            />
            <Button size="xs" variant="default" leftSection={<IconPlayerPlay size={14} />} onClick={chime}>
              {t("notices.try")}
            </Button>
          </Group>
        </Stack>
      </Paper>
      <Paper withBorder p="md" component="section" aria-label={t("notices.keys")}>
        <Switch
          label={t("notices.single")}
          description={t("notices.singleHint")}
          checked={set.singleKeys}
          onChange={(event) => prefer({ singleKeys: event.currentTarget.checked })}
        />
      </Paper>
    </Stack>
  );
}
