import { Box, ScrollArea, Stack, Tabs, Text, Title } from "@mantine/core";
import { IconHistory, IconKey, IconRobot, IconUserCircle, IconUsers, IconWebhook } from "@tabler/icons-react";
import { Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useMayManage } from "@/session/session";

/** The parts of the settings, in their order; `managers`: for owners and admins alone. */
export const PARTS = [
  { path: "/settings/account", label: "settings.account", Icon: IconUserCircle, managers: false },
  { path: "/settings/people", label: "settings.people", Icon: IconUsers, managers: false },
  { path: "/settings/bot", label: "settings.bot", Icon: IconRobot, managers: true },
  { path: "/settings/keys", label: "settings.keys", Icon: IconKey, managers: true },
  { path: "/settings/webhooks", label: "settings.webhooks", Icon: IconWebhook, managers: true },
  { path: "/settings/activity", label: "settings.activity", Icon: IconHistory, managers: true },
] as const;

export function SettingsPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const mayManage = useMayManage();
  const path = useRouterState({ select: (state) => state.location.pathname });
  return (
    <ScrollArea h="100%" type="auto">
      <Stack p={{ base: "md", sm: "xl" }} gap="md" maw={1180} mx="auto">
        <div>
          <Title order={1} size="h2">
            {t("settings.title")}
          </Title>
          <Text c="dimmed" size="sm">
            {t("settings.subtitle")}
          </Text>
        </div>
        <Tabs
          value={PARTS.find((part) => path.startsWith(part.path))?.path ?? null}
          onChange={(to) => to && void navigate({ to })}
          keepMounted={false}
        >
          <Box style={{ overflowX: "auto" }}>
            <Tabs.List style={{ flexWrap: "nowrap" }}>
              {PARTS.filter((part) => mayManage || !part.managers).map(({ path: to, label, Icon }) => (
                <Tabs.Tab
                  key={to}
                  value={to}
                  leftSection={<Icon size={18} stroke={1.7} aria-hidden />}
                  style={{ flex: "none" }}
                >
                  {t(label)}
                </Tabs.Tab>
              ))}
            </Tabs.List>
          </Box>
        </Tabs>
        <Outlet />
      </Stack>
    </ScrollArea>
  );
}
