import { AppShell, Box, Group, Indicator, Stack, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import {
  IconChartBar,
  IconDeviceMobile,
  IconDeviceMobileMessage,
  IconLayoutKanban,
  IconMessages,
  IconSettings,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import type { Connection } from "@/realtime/socket";
import { useRealtime } from "@/realtime/useRealtime";
import classes from "./Shell.module.css";
import { UserMenu } from "./UserMenu";

const PLACES = [
  { to: "/inbox", label: "nav.inbox", Icon: IconMessages },
  { to: "/board", label: "nav.board", Icon: IconLayoutKanban },
  { to: "/dashboard", label: "nav.dashboard", Icon: IconChartBar },
  { to: "/devices", label: "nav.devices", Icon: IconDeviceMobile },
  { to: "/settings", label: "nav.settings", Icon: IconSettings },
] as const;

/** A rail on a laptop, a bar at the bottom on a phone; both lead to the same places. */
export function Shell() {
  const { t } = useTranslation();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const connection = useRealtime();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const reading = phone && path.startsWith("/inbox/");

  const places = PLACES.map(({ to, label, Icon }) => (
    <Tooltip key={to} label={t(label)} position="right" disabled={phone}>
      <UnstyledButton
        component={Link}
        to={to}
        className={classes.place}
        data-active={path.startsWith(to) || undefined}
        aria-current={path.startsWith(to) ? "page" : undefined}
      >
        <Icon size={22} stroke={1.7} aria-hidden />
        <span className={classes.label}>{t(label)}</span>
      </UnstyledButton>
    </Tooltip>
  ));

  return (
    <>
      <a className="skip" href="#content">
        {t("nav.skip")}
      </a>
      <AppShell
        navbar={{ width: 76, breakpoint: "sm", collapsed: { mobile: true } }}
        footer={{ height: phone && !reading ? 60 : 0 }}
        transitionDuration={0}
      >
        {!phone && (
          <AppShell.Navbar className={classes.rail} aria-label={t("nav.main")}>
            <img src="/icon.svg" alt="Clarin" width={36} height={36} />
            <Stack gap={6} flex={1} align="center">
              {places}
            </Stack>
            <Network />
            <Live connection={connection} />
            <UserMenu />
          </AppShell.Navbar>
        )}
        <AppShell.Main className={classes.main} id="content" tabIndex={-1}>
          {(connection === "offline" || connection === "outdated") && (
            <Box className={classes.offline} role="status">
              {t(`connection.${connection}`)}
            </Box>
          )}
          <Outlet />
        </AppShell.Main>
        {phone && !reading && (
          <AppShell.Footer component="nav" aria-label={t("nav.main")}>
            <Group h="100%" grow gap={0} px="xs">
              {places}
              <Group justify="center">
                <UserMenu />
              </Group>
            </Group>
          </AppShell.Footer>
        )}
      </AppShell>
    </>
  );
}

/** The way to the phones that play the customers, where the WhatsApp network is the one on loopback. */
function Network() {
  const { t } = useTranslation();
  const { data: meta } = useQuery({ queryKey: ["meta"], queryFn: api.meta, staleTime: Number.POSITIVE_INFINITY });
  if (!meta?.sim_url) return null;
  return (
    <Tooltip label={t("nav.phonesHint")} position="right">
      <UnstyledButton component="a" href={meta.sim_url} target="_blank" rel="noopener" className={classes.place}>
        <IconDeviceMobileMessage size={22} stroke={1.7} aria-hidden />
        <span className={classes.label}>{t("nav.phones")}</span>
      </UnstyledButton>
    </Tooltip>
  );
}

function Live({ connection }: { connection: Connection }) {
  const { t } = useTranslation();
  const color = { live: "teal", connecting: "yellow", offline: "red", outdated: "red" }[connection];
  return (
    <Tooltip label={t(`connection.${connection}`)} position="right">
      <Box p={6} role="status" aria-label={t(`connection.${connection}`)}>
        <Indicator color={color} size={10} position="middle-center" processing={connection === "connecting"}>
          <Text w={12} h={12} />
        </Indicator>
      </Box>
    </Tooltip>
  );
}
