import { CloseButton, Group, Paper, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as inbox from "@/api/inbox";
import { KEYS } from "@/realtime/apply";
import type { Company } from "@/session/company";
import { OneOf } from "@/shell/choose";
import { useShowProblem } from "@/shell/problems";
import { CONTACTS, type Profile } from "./useContacts";

const AT_ONCE = 5;

type Props = { ids: string[]; company: Company; profile: Profile; clear: () => void };

/** What is done to several at once, a few at a time. */
export function Bulk({ ids, company, profile, clear: done }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const change = useMutation({
    mutationFn: async (body: inbox.ContactChange) => {
      const left = [...ids];
      let changed = 0;
      let failed: unknown;
      const work = async () => {
        for (let id = left.pop(); id; id = left.pop())
          await inbox.changeContact(id, body).then(
            (next) => {
              changed += 1;
              client.setQueryData(KEYS.contact(next.id), next);
            },
            (error: unknown) => {
              failed = error;
            },
          );
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      return { changed, failed };
    },
    onSuccess: ({ changed, failed }) => {
      notifications.show({
        color: failed ? "orange" : "teal",
        message: t("contacts.bulk.done", { done: changed, count: ids.length }),
      });
      if (failed) showProblem(failed);
      else done();
    },
    onSettled: () => client.invalidateQueries({ queryKey: CONTACTS }),
  });
  const tags = company.tags.map((one) => ({ value: one.id, label: one.name }));
  return (
    <Paper withBorder px="sm" py={6} role="toolbar" aria-label={t("contacts.bulk.bar")}>
      <Group gap="xs">
        <Text size="sm" fw={600} role="status" style={{ flex: "1 1 120px" }}>
          {t("contacts.bulk.chosen", { count: ids.length })}
        </Text>
        <OneOf
          size="xs"
          w={150}
          aria-label={t("contacts.bulk.state")}
          placeholder={t("contacts.bulk.state")}
          data={profile.states.map((one) => ({ value: one.id, label: one.name }))}
          value={null}
          disabled={change.isPending}
          onChange={(value) => value && change.mutate({ state_id: value })}
        />
        <OneOf
          size="xs"
          w={150}
          aria-label={t("contacts.bulk.tag")}
          placeholder={t("contacts.bulk.tag")}
          data={tags}
          value={null}
          disabled={change.isPending}
          onChange={(value) => value && change.mutate({ add_tags: [value] })}
        />
        <OneOf
          size="xs"
          w={150}
          aria-label={t("contacts.bulk.untag")}
          placeholder={t("contacts.bulk.untag")}
          data={tags}
          value={null}
          disabled={change.isPending}
          onChange={(value) => value && change.mutate({ remove_tags: [value] })}
        />
        <CloseButton aria-label={t("contacts.bulk.clear")} onClick={done} />
      </Group>
    </Paper>
  );
}
