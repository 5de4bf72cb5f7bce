import { AppShell, Box, Button, Group, Indicator, Stack, Text, UnstyledButton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconCommand, IconDeviceMobileMessage } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { told } from "@/i18n";
import type { Connection } from "@/realtime/socket";
import { useRealtime } from "@/realtime/useRealtime";
import { useAsking } from "@/session/again";
import { useSession } from "@/session/session";
import { useAlerts } from "./alerts";
import { MoreMenu } from "./MoreMenu";
import { OPS, PLACES } from "./places";
import { preferencesOf } from "./preferences";
import classes from "./Shell.module.css";
import { StartPlace } from "./StartPlace";
import { useShortcuts } from "./shortcuts";
import { UserCorner } from "./UserButton";
import { useUnreadBadge } from "./unread";

const Palette = lazy(told(() => import("./Palette")));
const SignInAgain = lazy(told(() => import("./SignInAgain")));
const CheatSheet = lazy(told(() => import("./CheatSheet")));

/** A rail on a laptop, a bar at the bottom on a phone; both lead to the same places. */
export function Shell() {
  const { t } = useTranslation();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const session = useSession();
  preferencesOf(session?.user.id ?? "");
  const connection = useRealtime();
  // The place, not the chat in it: nothing here is another for another chat.
  const path = useRouterState({ select: (state) => state.location.pathname.replace(/^(\/inbox\/).*/, "$1") });
  const reading = phone && path === "/inbox/";
  const asked = useAsking();
  const [palette, setPalette] = useState(false);
  const [used, setUsed] = useState(false);
  if (palette && !used) setUsed(true);
  const [sheet, setSheet] = useState(false);
  const navigate = useNavigate();
  // It is at hand when it is needed, whatever has been installed on the server meanwhile.
  useEffect(() => {
    const later = setTimeout(() => void told(() => import("./SignInAgain"))().catch(() => {}), 10_000);
    return () => clearTimeout(later);
  }, []);
  useAlerts();
  useUnreadBadge();
  useShortcuts([
    { id: "palette", keys: "mod+k", label: "shortcut.palette", group: "shortcuts.app", run: () => setPalette(true) },
    { id: "help", keys: "?", label: "shortcut.help", group: "shortcuts.app", run: () => setSheet(true) },
    ...PLACES.map(({ to, keys, key }) => ({
      id: `go ${to}`,
      keys,
      label: key,
      group: "shortcuts.go",
      run: () => void navigate({ to }),
    })),
  ]);

  const places = [...PLACES, ...(session?.installation ? [OPS] : [])];
  const place = ({ to, label, Icon }: (typeof places)[number]) => (
    <UnstyledButton
      key={to}
      component={Link}
      to={to}
      className={classes.place}
      data-active={path.startsWith(to) || undefined}
      aria-current={path.startsWith(to) ? "page" : undefined}
    >
      <Icon size={22} stroke={1.7} aria-hidden />
      <span className={classes.label}>{t(label)}</span>
    </UnstyledButton>
  );

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
              <StartPlace active={path === "/start"} />
              {places.map(place)}
            </Stack>
            <Network />
            <UnstyledButton
              className={classes.place}
              aria-label={t("shortcut.palette")}
              title={`${t("shortcut.palette")} (Ctrl K)`}
              onClick={() => setPalette(true)}
            >
              <IconCommand size={20} stroke={1.7} aria-hidden />
            </UnstyledButton>
            <Live connection={connection} />
            <UserCorner onHelp={() => setSheet(true)} />
          </AppShell.Navbar>
        )}
        <AppShell.Main className={classes.main} id="content" tabIndex={-1}>
          <Away connection={connection} />
          <Outlet />
        </AppShell.Main>
        {phone && !reading && (
          <AppShell.Footer component="nav" aria-label={t("nav.main")}>
            <Group h="100%" grow gap={0} px={4} wrap="nowrap" preventGrowOverflow={false}>
              {PLACES.filter(({ bar }) => bar).map(place)}
              <MoreMenu path={path} onSearch={() => setPalette(true)} />
            </Group>
          </AppShell.Footer>
        )}
      </AppShell>
      <Suspense>
        {used && <Palette opened={palette} onClose={() => setPalette(false)} onHelp={() => setSheet(true)} />}
        {sheet && <CheatSheet onClose={() => setSheet(false)} />}
        {asked && <SignInAgain />}
      </Suspense>
    </>
  );
}

/** The way to the phones that play the customers, where the WhatsApp network is the one on loopback. */
function Network() {
  const { t } = useTranslation();
  const { data: meta } = useQuery({ queryKey: ["meta"], queryFn: api.meta, staleTime: Number.POSITIVE_INFINITY });
  if (!meta?.sim_url) return null;
  return (
    <UnstyledButton
      title={t("nav.phonesHint")}
      component="a"
      href={meta.sim_url}
      target="_blank"
      rel="noopener"
      className={classes.place}
    >
      <IconDeviceMobileMessage size={22} stroke={1.7} aria-hidden />
      <span className={classes.label}>{t("nav.phones")}</span>
    </UnstyledButton>
  );
}

/** Says that nothing comes in, and for a moment that all that was missed is there again. */
function Away({ connection }: { connection: Connection }) {
  const { t } = useTranslation();
  const [was, setWas] = useState(false);
  const [back, setBack] = useState(false);
  const away = connection === "offline" || connection === "outdated";
  useEffect(() => {
    if (away) {
      setWas(true);
      setBack(false);
    } else if (was && connection === "live") {
      setWas(false);
      setBack(true);
    }
  }, [away, was, connection]);
  useEffect(() => {
    if (!back) return;
    const over = setTimeout(() => setBack(false), 4_000);
    return () => clearTimeout(over);
  }, [back]);
  return (
    <div role="status">
      {away && (
        <Group className={classes.offline} justify="center" gap="sm">
          {t(`connection.${connection}`)}
          <Button
            size="compact-xs"
            variant="default"
            onClick={() =>
              connection === "outdated" ? window.location.reload() : window.dispatchEvent(new Event("online"))
            }
          >
            {t(connection === "outdated" ? "connection.reload" : "connection.now")}
          </Button>
        </Group>
      )}
      {back && <Box className={classes.back}>{t("connection.back")}</Box>}
    </div>
  );
}

function Live({ connection }: { connection: Connection }) {
  const { t } = useTranslation();
  const color = { live: "teal", connecting: "yellow", offline: "red", outdated: "red" }[connection];
  return (
    <Box p={6} title={t(`connection.${connection}`)} role="img" aria-label={t(`connection.${connection}`)}>
      <Indicator color={color} size={10} position="middle-center" processing={connection === "connecting"}>
        <Text w={12} h={12} />
      </Indicator>
    </Box>
  );
}
