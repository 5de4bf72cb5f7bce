import { Alert, Button, Group, Modal, Paper, Radio, Select, Stack, Table, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/contacts";
import * as inbox from "@/api/inbox";
import { KEYS } from "@/realtime/apply";
import { phoneText } from "@/shell/phone";
import { useShowProblem } from "@/shell/problems";
import { useProfile } from "./useContacts";

type Props = { contact: api.Contact; onClose: () => void; onMerged: (next: api.Contact) => void };

/** Makes two contacts one: whom, what of each is kept, and what cannot be undone. */
export function MergeDialog({ contact, onClose, onMerged }: Props) {
  const { t } = useTranslation();
  const showProblem = useShowProblem();
  const profile = useProfile();
  const [search, setSearch] = useState("");
  const [q] = useDebouncedValue(search.trim(), 250);
  const [other, setOther] = useState<string | null>(null);
  const [take, setTake] = useState<ReadonlySet<string>>(new Set());
  const alike = useQuery({ queryKey: ["contact-duplicates", contact.id], queryFn: () => api.duplicates(contact.id) });
  const found = useQuery({
    queryKey: ["contacts-to-merge", q],
    queryFn: () => api.contacts({ q }),
    enabled: q.length > 0,
  });
  const theirs = useQuery({
    queryKey: KEYS.contact(other ?? ""),
    queryFn: () => inbox.contact(other ?? ""),
    enabled: other !== null,
  });
  const called = (one: api.Contact) =>
    [one.name, one.phone && phoneText(one.phone)]
      .filter(Boolean)
      .map((part) => `\u2068${part}\u2069`) // each in its own direction
      .join(" · ") || t("contacts.nobody");
  const merge = useMutation({
    mutationFn: () => api.merge(other ?? "", contact.id, [...take]),
    onSuccess: onMerged,
    onError: showProblem,
  });
  const choices = new Map(
    [...(alike.data?.items.map((one) => one.contact) ?? []), ...(found.data?.items ?? []), theirs.data]
      .filter((one): one is api.Contact => !!one && one.id !== contact.id)
      .map((one) => [one.id, one]),
  );
  const state = (id: string | null | undefined) => profile.states.find((one) => one.id === id)?.name;
  const two = theirs.data;
  const lines = two
    ? [
        { key: "name", label: t("contacts.column.name"), a: contact.name, b: two.name },
        {
          key: "phone",
          label: t("contacts.column.phone"),
          a: contact.phone && phoneText(contact.phone),
          b: two.phone && phoneText(two.phone),
        },
        { key: "email", label: t("contacts.column.email"), a: contact.email, b: two.email },
        { key: "state_id", label: t("contacts.column.state"), a: state(contact.state_id), b: state(two.state_id) },
        ...profile.fields.map((field) => ({
          key: `fields.${field.key}`,
          label: field.name,
          a: contact.fields?.[field.key]?.toString(),
          b: two.fields?.[field.key]?.toString(),
        })),
      ].filter(({ a, b }) => a || b)
    : [];
  const choose = (key: string, theirs: boolean) => {
    const next = new Set(take);
    if (theirs) next.add(key);
    else next.delete(key);
    setTake(next);
  };
  return (
    <Modal opened onClose={onClose} title={t("contacts.merge.title")} size="lg" centered>
      <Stack>
        <Text size="sm">{t("contacts.merge.text", { name: called(contact) })}</Text>
        <Select
          label={t("contacts.merge.with")}
          placeholder={t("contacts.merge.search")}
          data={[...choices.values()].map((one) => ({ value: one.id, label: called(one) }))}
          value={other}
          onChange={setOther}
          searchable
          onSearchChange={setSearch}
          filter={({ options }) => options}
          nothingFoundMessage={t(q ? "contacts.none" : "contacts.merge.search")}
          data-autofocus
        />
        {two && (
          <>
            <Paper withBorder style={{ overflowX: "auto" }}>
              <Table verticalSpacing={6} layout="fixed">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th w="24%" />
                    <Table.Th>{t("contacts.merge.stays")}</Table.Th>
                    <Table.Th>{t("contacts.merge.goes")}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {lines.map(({ key, label, a, b }) => {
                    const other = take.has(key) || (!a && !!b);
                    const both = !!a && !!b && a !== b;
                    return (
                      <Table.Tr key={key}>
                        <Table.Th>
                          <Text size="sm" c="dimmed">
                            {label}
                          </Text>
                        </Table.Th>
                        {([a, b] as const).map((value, side) => (
                          <Table.Td key={side === 0 ? "a" : "b"}>
                            {value && (
                              <Radio
                                size="xs"
                                name={key}
                                label={value}
                                aria-label={`${label}: ${value}`}
                                checked={(side === 1) === other}
                                disabled={!both}
                                onChange={() => choose(key, side === 1)}
                              />
                            )}
                          </Table.Td>
                        ))}
                      </Table.Tr>
                    );
                  })}
                </Table.Tbody>
              </Table>
            </Paper>
            <Alert color="yellow" variant="light" icon={<IconAlertTriangle size={18} />}>
              {t("contacts.merge.warning")}
            </Alert>
          </>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("common.cancel")}
          </Button>
          <Button disabled={!two} loading={merge.isPending} onClick={() => merge.mutate()}>
            {t("contacts.merge.do")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
