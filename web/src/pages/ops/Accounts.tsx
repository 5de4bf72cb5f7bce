import { Badge, Button, Group, Modal, NumberInput, Stack, Switch, Table, Text } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/ops";
import { Failure } from "@/shell/Failure";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";

const LIMITS = ["devices", "agents", "messages_per_day"] as const;

/** Whose installation it is: every account, what it may have, and whether it may at all. */
export function Accounts() {
  const { t } = useTranslation();
  const moment = useMoment();
  const [editing, edit] = useState<api.AccountStanding>();
  const accounts = useInfiniteQuery({
    queryKey: ["ops", "accounts"],
    queryFn: ({ pageParam }) => api.accounts(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  if (accounts.isError) return <Failure error={accounts.error} reset={() => void accounts.refetch()} />;
  const items = accounts.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Stack>
      <Table.ScrollContainer
        minWidth={560}
        scrollAreaProps={{ viewportProps: { tabIndex: 0, role: "region", "aria-label": t("ops.accounts") } }}
      >
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("ops.account")}</Table.Th>
              <Table.Th>{t("ops.people")}</Table.Th>
              <Table.Th>{t("ops.limits")}</Table.Th>
              <Table.Th>{t("ops.opened")}</Table.Th>
              <Table.Th aria-label={t("people.edit")} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((item) => (
              <Table.Tr key={item.id}>
                <Table.Td>
                  <Group gap="xs">
                    <Text size="sm" fw={600}>
                      {item.name}
                    </Text>
                    {item.suspended && (
                      <Badge color="red" variant="light" style={{ textTransform: "none" }}>
                        {t("ops.suspended")}
                      </Badge>
                    )}
                  </Group>
                </Table.Td>
                <Table.Td>{item.agents}</Table.Td>
                <Table.Td>{LIMITS.map((limit) => item.limits[limit] ?? "∞").join(" · ")}</Table.Td>
                <Table.Td>{moment(item.created_at)}</Table.Td>
                <Table.Td>
                  <Button
                    size="compact-xs"
                    variant="default"
                    aria-label={`${t("people.edit")}: ${item.name}`}
                    onClick={() => edit(item)}
                  >
                    {t("people.edit")}
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {accounts.hasNextPage && (
        <Button variant="default" loading={accounts.isFetchingNextPage} onClick={() => void accounts.fetchNextPage()}>
          {t("common.more")}
        </Button>
      )}
      {editing && <Standing account={editing} onClose={() => edit(undefined)} />}
    </Stack>
  );
}

function Standing({ account, onClose }: { account: api.AccountStanding; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [suspended, setSuspended] = useState(account.suspended);
  const [limits, setLimits] = useState(account.limits);
  const save = useMutation({
    mutationFn: () => api.judge(account.id, { limits, ...(suspended !== account.suspended ? { suspended } : {}) }),
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["ops", "accounts"] });
    },
    onError: showProblem,
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title={account.name}
      centered
      closeButtonProps={{ "aria-label": t("common.close") }}
    >
      <Stack>
        {LIMITS.map((limit) => (
          <NumberInput
            key={limit}
            label={t(`ops.limit.${limit}`)}
            placeholder="∞"
            min={0}
            value={limits[limit] ?? ""}
            onChange={(value) =>
              setLimits((before) => ({ ...before, [limit]: typeof value === "number" ? value : null }))
            }
          />
        ))}
        <Switch
          label={t("ops.suspend")}
          description={t("ops.suspendHint")}
          checked={suspended}
          onChange={(event) => setSuspended(event.currentTarget.checked)}
        />
        <Group justify="flex-end">
          <Button loading={save.isPending} onClick={() => save.mutate()}>
            {t("common.save")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
