import { ActionIcon, Button, Group, Image, Paper, Progress, ScrollArea, Text } from "@mantine/core";
import { IconRefresh, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useProblemText } from "@/shell/problems";
import { iconOf } from "../kinds/icons";
import { type Attached, remove, retry, sizeText } from "./tray";

/** The files that go with the next message: how far each is, and the way to take it out. */
export function Tray({ chat, items }: { chat: string; items: readonly Attached[] }) {
  const { t, i18n } = useTranslation();
  const problemText = useProblemText();
  if (!items.length) return null;
  return (
    <ScrollArea.Autosize mah={220} mb={8} type="auto">
      <Group gap={8} role="list" aria-label={t("compose.files")}>
        {items.map((one) => {
          const Icon = iconOf(one.kind);
          return (
            <Paper
              key={one.key}
              withBorder
              p={6}
              w={210}
              role="listitem"
              data-testid="attached"
              data-ready={!!one.media || undefined}
            >
              <Group gap={8} wrap="nowrap">
                {one.preview && one.kind === "image" ? (
                  <Image src={one.preview} w={44} h={44} radius="sm" fit="cover" alt="" />
                ) : (
                  <Icon size={30} stroke={1.4} aria-hidden style={{ flex: "none" }} />
                )}
                <div style={{ flex: 1, minWidth: 0 }}>
                  <Text size="xs" fw={550} truncate title={one.file.name} dir="auto">
                    {one.file.name}
                  </Text>
                  <Text size="xs" c={one.problem ? "red" : "dimmed"} lineClamp={2}>
                    {one.problem ? problemText(one.problem) : sizeText(one.file.size, i18n.language)}
                  </Text>
                </div>
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size="sm"
                  aria-label={t("compose.remove", { name: one.file.name })}
                  onClick={() => remove(chat, one.key)}
                >
                  <IconX size={14} />
                </ActionIcon>
              </Group>
              {!one.media && !one.problem && (
                <Progress
                  mt={6}
                  size="xs"
                  value={one.part * 100}
                  aria-label={t("compose.uploading", { name: one.file.name })}
                />
              )}
              {one.problem && (
                <Group gap={4} mt={4}>
                  <Button
                    size="compact-xs"
                    variant="light"
                    leftSection={<IconRefresh size={12} />}
                    onClick={() => retry(chat, one.key)}
                  >
                    {t("common.retry")}
                  </Button>
                  {one.kind !== "document" && one.problem.status === 422 && (
                    <Button size="compact-xs" variant="subtle" onClick={() => retry(chat, one.key, "document")}>
                      {t("compose.asDocument")}
                    </Button>
                  )}
                </Group>
              )}
            </Paper>
          );
        })}
      </Group>
    </ScrollArea.Autosize>
  );
}
