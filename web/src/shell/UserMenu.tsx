import { Menu, Text } from "@mantine/core";
import { IconBell, IconKeyboard, IconLogout, IconUserCircle } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { LANGUAGES } from "@/i18n";
import { useSession, useSignOut } from "@/session/session";
import { ThemeChoice } from "./choices";
import { UserButton } from "./UserButton";

/** What is the user's own: language, appearance, notices, the way out. Opened as soon as it is there. */
export default function UserMenu({ onHelp }: { onHelp: () => void }) {
  const { t, i18n } = useTranslation();
  const session = useSession();
  const signOut = useSignOut();
  if (!session) return null;
  return (
    <Menu position="right-end" width={260} withArrow defaultOpened>
      <Menu.Target>
        <UserButton name={session.user.name} />
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" fw={600} c="bright" truncate>
            {session.user.name}
          </Text>
          <Text size="xs" truncate>
            {session.account.name}
          </Text>
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} to="/settings/account" leftSection={<IconUserCircle size={16} />}>
          {t("settings.account")}
        </Menu.Item>
        <Menu.Item component={Link} to="/settings/notices" leftSection={<IconBell size={16} />}>
          {t("settings.notices")}
        </Menu.Item>
        <Menu.Item leftSection={<IconKeyboard size={16} />} onClick={onHelp}>
          {t("shortcuts.title")}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>{t("nav.language")}</Menu.Label>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <Menu.Item
            key={code}
            closeMenuOnClick={false}
            fw={i18n.language.startsWith(code) ? 600 : 400}
            aria-current={i18n.language.startsWith(code)}
            onClick={() => void i18n.changeLanguage(code)}
          >
            {name}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Label>{t("nav.theme")}</Menu.Label>
        <ThemeChoice />
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void signOut()}>
          {t("nav.logout")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
