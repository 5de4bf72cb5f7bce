import { Alert, Button, Checkbox, Group, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDownload, IconEraser, IconPackageExport } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/privacy";
import { useMayManage } from "@/session/session";
import { useShowProblem } from "@/shell/problems";

export const ERASURES = ["erasures"] as const;
export const EXPORTS = ["exports"] as const;

type Props = { contactId: string; name: string; onErased?: () => void };

/** What the law lets a person ask for: all that is known of them as a file, and to be forgotten. For owners and admins. */
export function PrivacyActions({ contactId, name, onErased }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [asking, ask] = useDisclosure();
  const mayManage = useMayManage();
  const prepare = useMutation({
    mutationFn: () => api.prepare(contactId),
    onSuccess: () => client.invalidateQueries({ queryKey: EXPORTS }),
    onError: showProblem,
  });
  const made = useQuery({
    queryKey: [...EXPORTS, prepare.data?.id],
    queryFn: () => api.anExport(prepare.data?.id ?? ""),
    enabled: prepare.data !== undefined,
    refetchInterval: ({ state }) => (state.data && over(state.data) ? false : 1500),
  });
  if (!mayManage) return null;
  const now = made.data ?? prepare.data;
  return (
    <Stack gap="xs">
      <Text size="xs" c="dimmed">
        {t("privacy.ofContact")}
      </Text>
      <Group gap="xs">
        {now?.state === "ready" && now.url ? (
          <Button size="xs" variant="light" component="a" href={now.url} leftSection={<IconDownload size={16} />}>
            {t("privacy.download")}
          </Button>
        ) : (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPackageExport size={16} />}
            loading={prepare.isPending || (now !== undefined && !over(now))}
            onClick={() => prepare.mutate()}
          >
            {t("privacy.export")}
          </Button>
        )}
        <Button size="xs" variant="light" color="red" leftSection={<IconEraser size={16} />} onClick={ask.open}>
          {t("privacy.erase")}
        </Button>
      </Group>
      {now && !over(now) && (
        <Text size="xs" c="dimmed" role="status">
          {t("privacy.preparing", { done: now.messages, total: now.total })}
        </Text>
      )}
      {now?.state === "failed" && (
        <Text size="xs" c="red" role="alert">
          {t("privacy.failed")}
        </Text>
      )}
      {asking && <Erase contactId={contactId} name={name} onClose={ask.close} onErased={onErased} />}
    </Stack>
  );
}

const over = (one: api.ExportView) => one.state !== "waiting" && one.state !== "running";

function Erase({ contactId, name, onClose, onErased }: Props & { onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [sure, setSure] = useState(false);
  const erase = useMutation({
    mutationFn: () => api.erase(contactId),
    onSuccess: () => {
      onClose();
      onErased?.();
      void client.invalidateQueries({ queryKey: ERASURES });
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t("privacy.eraseTitle", { name })} centered>
      <Stack>
        <Text size="sm">{t("privacy.eraseText")}</Text>
        <Alert color="yellow" variant="light">
          <Text size="sm">{t("privacy.eraseHint")}</Text>
        </Alert>
        <Checkbox
          label={t("privacy.eraseSure")}
          checked={sure}
          onChange={(event) => setSure(event.currentTarget.checked)}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {t("common.cancel")}
          </Button>
          <Button color="red" disabled={!sure} loading={erase.isPending} onClick={() => erase.mutate()}>
            {t("privacy.erase")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
