import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

type Props = {
  hint: string;
  action: string;
  ready: boolean;
  saving: boolean;
  save: () => void;
  /** Where the same is set in full. */
  more: "/settings/bot" | "/settings/hours";
  children: ReactNode;
};

/** A step that is done on the spot, with the way to all that can be set. */
export function Quick({ hint, action, ready, saving, save, more, children }: Props) {
  const { t } = useTranslation();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {hint}
        </Text>
        {children}
        <Group>
          <Button type="submit" loading={saving} disabled={!ready}>
            {action}
          </Button>
          <Anchor component={Link} to={more} size="sm">
            {t("start.more")}
          </Anchor>
        </Group>
      </Stack>
    </form>
  );
}
