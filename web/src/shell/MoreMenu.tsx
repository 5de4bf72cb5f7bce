import { Divider, Drawer, Group, NavLink, Stack, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconListCheck, IconLogout, IconMenu2, IconSearch } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useSession, useSignOut } from "@/session/session";
import { LanguageChoice, ThemeChoice } from "./choices";
import { OPS, PLACES } from "./places";
import classes from "./Shell.module.css";

/** On a phone: the places that the bar has no room for, and what is the user's own. */
export function MoreMenu({ path, onSearch }: { path: string; onSearch: () => void }) {
  const { t } = useTranslation();
  const session = useSession();
  const signOut = useSignOut();
  const [opened, { open, close }] = useDisclosure();
  const rest = [...PLACES.filter(({ bar }) => !bar), ...(session?.installation ? [OPS] : [])];
  const here = rest.some(({ to }) => path.startsWith(to));
  return (
    <>
      <UnstyledButton
        className={classes.place}
        onClick={open}
        aria-haspopup="dialog"
        aria-expanded={opened}
        data-active={here || undefined}
      >
        <IconMenu2 size={22} stroke={1.7} aria-hidden />
        <span className={classes.label}>{t("nav.more")}</span>
      </UnstyledButton>
      <Drawer
        opened={opened}
        onClose={close}
        position="bottom"
        size="auto"
        title={session?.user.name}
        closeButtonProps={{ "aria-label": t("common.close") }}
      >
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
          {rest.map(({ to, label, Icon }) => (
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
    </>
  );
}
