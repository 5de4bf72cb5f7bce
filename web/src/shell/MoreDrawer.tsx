import { Divider, Drawer, Group, NavLink, Stack, Text } from "@mantine/core";
import { IconListCheck, IconLogout, IconSearch } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useSession, useSignOut } from "@/session/session";
import { LanguageChoice, ThemeChoice } from "./choices";
import { elsewhere } from "./places";

type Props = { path: string; opened: boolean; close: () => void; onSearch: () => void };

/** The places that a phone's bar has no room for, and what is the user's own. */
export default function MoreDrawer({ path, opened, close, onSearch }: Props) {
  const { t } = useTranslation();
  const session = useSession();
  const signOut = useSignOut();
  return (
    <Drawer opened={opened} onClose={close} position="bottom" size="auto" title={session?.user.name}>
      <Stack gap="xs">
        <Text size="xs" c="dimmed" mt={-12}>
          {session?.account.name}
        </Text>
        <NavLink
          component="button"
          label={t("palette.search")}
          leftSection={<IconSearch size={20} aria-hidden />}
          onClick={() => {
            close();
            onSearch();
          }}
        />
        {elsewhere(session?.installation).map(({ to, label, Icon }) => (
          <NavLink
            key={to}
            component={Link}
            to={to}
            label={t(label)}
            active={path.startsWith(to)}
            leftSection={<Icon size={20} aria-hidden />}
            onClick={close}
          />
        ))}
        <NavLink
          component={Link}
          to="/start"
          label={t("start.title")}
          leftSection={<IconListCheck size={20} aria-hidden />}
          onClick={close}
        />
        <Divider />
        <Group grow align="flex-start">
          <LanguageChoice />
        </Group>
        <ThemeChoice />
        <Divider />
        <NavLink
          component="button"
          label={t("nav.logout")}
          leftSection={<IconLogout size={20} aria-hidden />}
          onClick={() => void signOut()}
        />
      </Stack>
    </Drawer>
  );
}
