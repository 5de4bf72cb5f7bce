import { ScrollArea, Stack, Tabs, Text, Title } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useMayManage } from "@/session/session";
import { PARTS } from "./places";
import classes from "./SettingsPage.module.css";

export function SettingsPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const mayManage = useMayManage();
  const phone = useMediaQuery("(max-width: 62em)", false, { getInitialValueInEffect: false });
  const path = useRouterState({ select: (state) => state.location.pathname });
  const list = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another part is shown
  useEffect(() => {
    const tab = list.current?.querySelector("[role=tab][data-active]");
    if (phone) tab?.scrollIntoView({ inline: "center", block: "nearest" });
  }, [path, phone]);
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
        <div className={classes.parts}>
          <Tabs
            value={PARTS.find((part) => path.startsWith(part.path))?.path ?? null}
            onChange={(to) => to && void navigate({ to })}
            keepMounted={false}
            orientation={phone ? "horizontal" : "vertical"}
            variant={phone ? "default" : "pills"}
            className={classes.tabs}
          >
            <Tabs.List ref={list} className={classes.list} aria-label={t("settings.title")}>
              {PARTS.filter((part) => mayManage || !part.managers).map(({ path: to, label, Icon }) => (
                <Tabs.Tab
                  key={to}
                  value={to}
                  className={classes.tab}
                  leftSection={<Icon size={18} stroke={1.7} aria-hidden />}
                >
                  {t(label)}
                </Tabs.Tab>
              ))}
            </Tabs.List>
          </Tabs>
          <div className={classes.part}>
            <Outlet />
          </div>
        </div>
      </Stack>
    </ScrollArea>
  );
}
