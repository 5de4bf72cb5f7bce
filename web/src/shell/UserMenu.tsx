import { Avatar, Menu, SegmentedControl, Text, UnstyledButton, useMantineColorScheme } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { LANGUAGES } from "@/i18n";
import { useSession, useSignOut } from "@/session/session";

export function UserMenu() {
  const { t, i18n } = useTranslation();
  const session = useSession();
  const signOut = useSignOut();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  if (!session) return null;
  return (
    <Menu position="right-end" width={260} withArrow>
      <Menu.Target>
        <UnstyledButton aria-label={t("nav.menu")}>
          <Avatar name={session.user.name} color="clarin" radius="xl" />
        </UnstyledButton>
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
        <SegmentedControl
          fullWidth
          size="xs"
          aria-label={t("nav.theme")}
          value={colorScheme}
          onChange={(value) => setColorScheme(value as typeof colorScheme)}
          data={[
            { value: "light", label: t("nav.light") },
            { value: "dark", label: t("nav.dark") },
            { value: "auto", label: t("nav.auto") },
          ]}
        />
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void signOut()}>
          {t("nav.logout")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
