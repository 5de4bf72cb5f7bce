import { Anchor, Group, ScrollArea, Stack, Text, Title } from "@mantine/core";
import { IconArrowLeft } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

type Props = { title: string; subtitle?: string; width: number; actions: ReactNode; children: ReactNode };

/** A page that belongs to the board, with the way back to it. */
export function BelowBoard({ title, subtitle, width, actions, children }: Props) {
  const { t } = useTranslation();
  return (
    <ScrollArea h="100%" type="auto">
      <Stack p={{ base: "md", sm: "xl" }} gap="lg" maw={width} mx="auto">
        <div>
          <Anchor component={Link} to="/board" size="sm">
            <Group gap={4} component="span">
              <IconArrowLeft size={14} aria-hidden />
              {t("board.title")}
            </Group>
          </Anchor>
          <Group justify="space-between" align="flex-start" gap="sm">
            <div>
              <Title order={1} size="h2">
                {title}
              </Title>
              {subtitle && (
                <Text c="dimmed" size="sm">
                  {subtitle}
                </Text>
              )}
            </div>
            {actions}
          </Group>
        </div>
        {children}
      </Stack>
    </ScrollArea>
  );
}
