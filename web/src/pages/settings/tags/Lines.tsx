import { ActionIcon, Button, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { useShowProblem } from "@/shell/problems";
import { Head } from "../parts";

type Keyed<T> = T & { line: string };

type Props<T> = {
  title: string;
  subtitle: string;
  none: string;
  /** What the server has. */
  items: T[];
  queryKey: string;
  fresh: () => T;
  name: (item: T) => string;
  valid: (item: T) => boolean;
  save: (items: T[]) => Promise<unknown>;
  children: (item: T, set: (change: Partial<T>) => void) => ReactNode;
};

/** A list in an order, which is edited and saved as a whole. */
export function Lines<T extends object>({
  title,
  subtitle,
  none,
  items,
  queryKey,
  fresh,
  name,
  valid,
  save,
  children,
}: Props<T>) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const keyed = (): Keyed<T>[] => items.map((item) => ({ ...item, line: crypto.randomUUID() }));
  const [lines, setLines] = useState(keyed);
  const bare = lines.map(({ line: _, ...item }) => item as unknown as T);
  const dirty = JSON.stringify(bare) !== JSON.stringify(items);
  const put = useMutation({
    mutationFn: () => save(bare),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: [queryKey] });
      notifications.show({ color: "teal", message: t("common.saved") });
    },
    onError: showProblem,
  });
  const move = (from: number, to: number) =>
    setLines((before) => {
      const next = [...before];
      const [taken] = next.splice(from, 1);
      if (taken) next.splice(to, 0, taken);
      return next;
    });
  return (
    <section aria-label={title}>
      <Head title={title} subtitle={subtitle}>
        <Group gap="xs">
          <Button
            variant="light"
            leftSection={<IconPlus size={18} />}
            onClick={() => setLines((before) => [...before, { ...fresh(), line: crypto.randomUUID() }])}
          >
            {t("lines.add")}
          </Button>
          <Button loading={put.isPending} disabled={!dirty || !bare.every(valid)} onClick={() => put.mutate()}>
            {t("common.save")}
          </Button>
        </Group>
      </Head>
      <Stack gap="xs">
        {lines.length === 0 && (
          <Text size="sm" c="dimmed">
            {none}
          </Text>
        )}
        {lines.map((item, index) => {
          const called = name(item) || String(index + 1);
          return (
            <Group key={item.line} gap="xs" align="flex-start" wrap="nowrap" role="group" aria-label={called}>
              <Group gap="xs" flex={1} align="flex-start">
                {children(item, (change) =>
                  setLines((before) => before.map((old) => (old.line === item.line ? { ...old, ...change } : old))),
                )}
              </Group>
              <Group gap={0} wrap="nowrap" mt={4}>
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  disabled={index === 0}
                  aria-label={t("lines.up", { name: called })}
                  onClick={() => move(index, index - 1)}
                >
                  <IconArrowUp size={16} />
                </ActionIcon>
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  disabled={index === lines.length - 1}
                  aria-label={t("lines.down", { name: called })}
                  onClick={() => move(index, index + 1)}
                >
                  <IconArrowDown size={16} />
                </ActionIcon>
                <ActionIcon
                  variant="subtle"
                  color="red"
                  aria-label={t("lines.remove", { name: called })}
                  onClick={() => setLines((before) => before.filter((old) => old !== item))}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              </Group>
            </Group>
          );
        })}
      </Stack>
    </section>
  );
}
