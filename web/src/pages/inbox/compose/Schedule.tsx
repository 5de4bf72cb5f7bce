import { ActionIcon, Alert, Collapse, Group, Image, Modal, Stack, Text, UnstyledButton } from "@mantine/core";
import { IconCalendarClock, IconChevronDown, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import { KEYS } from "@/realtime/apply";
import { useShowProblem } from "@/shell/problems";
import { useInOneLine } from "../kinds/useKind";
import { Later } from "../Later";

/** Asks when what is written is to be sent. */
export function ScheduleDialog({
  opened,
  onClose,
  onPick,
}: {
  opened: boolean;
  onClose: () => void;
  onPick: (at: Date) => void;
}) {
  const { t } = useTranslation();
  const pick = (at: Date) => {
    onClose();
    onPick(at);
  };
  return (
    <Modal opened={opened} onClose={onClose} title={t("compose.schedule")} centered size="sm">
      <Stack gap="xs">
        <Later action={t("compose.schedule")} onPick={pick} />
      </Stack>
    </Modal>
  );
}

/** What waits for its time in this chat. */
export function ScheduledHere({ chat }: { chat: string }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const inOneLine = useInOneLine();
  const [open, setOpen] = useState(false);
  const { data } = useQuery({ queryKey: KEYS.scheduled(chat), queryFn: () => api.scheduled(chat) });
  const cancel = useMutation({
    mutationFn: api.cancelScheduled,
    onError: showProblem,
    onSettled: () => client.invalidateQueries({ queryKey: KEYS.scheduled(chat) }),
  });
  const items = data?.items ?? [];
  if (!items.length) return null;
  return (
    <Alert variant="light" color="blue" p={8} mb={8} icon={<IconCalendarClock size={18} />}>
      <UnstyledButton fz="sm" fw={600} w="100%" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Group justify="space-between">
          {t("compose.scheduled", { count: items.length })}
          <IconChevronDown size={16} aria-hidden style={{ rotate: open ? "180deg" : undefined }} />
        </Group>
      </UnstyledButton>
      <Collapse expanded={open}>
        <Stack gap={6} mt={6} mah={180} style={{ overflowY: "auto" }}>
          {items.map((one) => (
            <Group key={one.id} wrap="nowrap" gap="xs">
              {one.media?.thumbnail_url && (
                <Image src={one.media.thumbnail_url} w={36} h={36} radius="sm" fit="cover" alt="" flex="none" />
              )}
              <div style={{ flex: 1, minWidth: 0 }}>
                <Text size="sm" lineClamp={2} dir="auto" data-testid="scheduled">
                  {[one.media?.file_name, one.text].filter(Boolean).join(" · ") ||
                    inOneLine({ kind: one.kind ?? "text", text: null })}
                </Text>
                <Text size="xs" c="dimmed">
                  {new Date(one.send_at).toLocaleString(i18n.language, { dateStyle: "medium", timeStyle: "short" })}
                </Text>
              </div>
              <ActionIcon
                variant="subtle"
                color="red"
                aria-label={t("compose.cancelScheduled")}
                onClick={() => cancel.mutate(one.id)}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </Group>
          ))}
        </Stack>
      </Collapse>
    </Alert>
  );
}
