import { Button, Group, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { unblock } from "@/api/contacts";
import * as api from "@/api/inbox";
import type { Chat } from "@/api/types";
import { KEYS } from "@/realtime/apply";
import { useShowProblem } from "@/shell/problems";
import classes from "../Composer.module.css";

/** Whether nothing is sent to whom the chat is with until somebody unblocks them. */
export function useBlocked(chat: Chat): boolean {
  const id = chat.contact?.id ?? "";
  const { data } = useQuery({
    queryKey: KEYS.contact(id),
    queryFn: () => api.contact(id),
    enabled: id !== "",
    staleTime: 60_000,
  });
  return data?.blocked ?? false;
}

/** Says so where a message would be written, with the way out. */
export function Blocked({ contact }: { contact: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const free = useMutation({
    mutationFn: () => unblock(contact),
    onSuccess: (next) => client.setQueryData(KEYS.contact(contact), next),
    onError: showProblem,
  });
  return (
    <Group role="status" gap="xs" mb={6} justify="space-between" wrap="nowrap" data-testid="blocked">
      <Text size="xs" className={classes.blocked}>
        {t("error.contact-blocked")}
      </Text>
      <Button size="compact-xs" variant="light" flex="none" loading={free.isPending} onClick={() => free.mutate()}>
        {t("contacts.unblock")}
      </Button>
    </Group>
  );
}
