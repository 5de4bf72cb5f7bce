import { Alert, Button, Code, CopyButton, Group, Modal, Stack, Text, Title } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Confirm, type ConfirmProps } from "@/shell/Confirm";
import { useShowProblem } from "@/shell/problems";

/** What a part of the settings is called and what it is for, with what can be done about it. */
export function Head({ title, subtitle, children }: { title: string; subtitle: string; children: ReactNode }) {
  return (
    <Group justify="space-between" mb="sm" align="flex-end">
      <div>
        <Title order={2} size="h4">
          {title}
        </Title>
        <Text size="sm" c="dimmed" maw={520}>
          {subtitle}
        </Text>
      </div>
      {children}
    </Group>
  );
}

/** Something that is shown this once: it can be copied, and is gone when the dialog closes. */
export function ShownOnce({ title, hint, value, onClose }: OnceProps) {
  const { t } = useTranslation();
  return (
    <Modal opened onClose={onClose} title={title} size="lg" centered closeOnClickOutside={false}>
      <Stack>
        <Alert color="yellow">{hint}</Alert>
        <Code block data-testid="shown-once" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
          {value}
        </Code>
        <Group justify="flex-end">
          <CopyButton value={value}>
            {({ copied, copy }) => (
              <Button
                variant="light"
                leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
                onClick={copy}
              >
                {t(copied ? "common.copied" : "common.copy")}
              </Button>
            )}
          </CopyButton>
          <Button onClick={onClose}>{t("common.done")}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

type OnceProps = { title: string; hint: string; value: string; onClose: () => void };

type RemovalProps = Omit<ConfirmProps, "loading" | "onConfirm"> & { remove: () => Promise<unknown>; lists: string[] };

/** Asks, removes, and has the lists that it stood in read anew. */
export function Removal({ remove, lists, onClose, ...said }: RemovalProps) {
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const act = useMutation({
    mutationFn: remove,
    onSuccess: () => {
      onClose();
      return Promise.all(lists.map((list) => client.invalidateQueries({ queryKey: [list] })));
    },
    onError: showProblem,
  });
  return <Confirm {...said} loading={act.isPending} onConfirm={() => act.mutate()} onClose={onClose} />;
}
