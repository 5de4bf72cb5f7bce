import {
  ActionIcon,
  Anchor,
  Avatar,
  Badge,
  Divider,
  Group,
  Skeleton,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { IconPencil, IconPhone } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as calls from "@/api/calls";
import * as api from "@/api/inbox";
import type { Chat } from "@/api/types";
import { KEYS } from "@/realtime/apply";
import type { Company } from "@/session/company";
import { useMayManage, useSession } from "@/session/session";
import { OneOf } from "@/shell/choose";
import { Failure } from "@/shell/Failure";
import { useLater } from "@/shell/later";
import { Notebook } from "@/shell/Notebook";
import { phoneText } from "@/shell/phone";
import { useShowProblem } from "@/shell/problems";
import { useDayOrTime } from "@/shell/time";
import { useChatName } from "../names";
import { FieldValue } from "./FieldValue";
import { Leads } from "./Leads";
import { OnWhatsApp } from "./OnWhatsApp";

/** Whom the chat is with: what the team knows of them, their leads, and where else they write. */
export function Details({ chatId, company }: { chatId: string; company: Company }) {
  const { t } = useTranslation();
  const nameOf = useChatName();
  const later = useLater();
  const chat = useQuery({ queryKey: KEYS.chat(chatId), queryFn: () => calls.chat(chatId) });
  if (chat.isError && !chat.data) return <Failure error={chat.error} reset={() => void chat.refetch()} />;
  if (!chat.data || !later) {
    return (
      <Stack p="md" align="center" role="status" aria-busy aria-label={t("common.loading")}>
        <Skeleton circle h={72} />
        <Skeleton h={14} w="60%" />
        <Skeleton h={10} w="40%" />
      </Stack>
    );
  }
  const name = nameOf(chat.data);
  const assignee = company.user.get(chat.data.assignee_id ?? "")?.name;
  const team = company.team.get(chat.data.team_id ?? "")?.name;
  return (
    <Stack p="md" gap="md">
      {chat.data.contact ? (
        <OfContact id={chat.data.contact.id} company={company} fallback={name} />
      ) : (
        <Stack align="center" gap={4}>
          <Avatar name={name} color="initials" size={72} radius={72} />
          <Title order={3} size="h4" ta="center" lineClamp={3} dir="auto" title={name}>
            {name}
          </Title>
          <Text size="sm" c="dimmed">
            {t("inbox.group")}
          </Text>
        </Stack>
      )}
      <Divider />
      <Section title={t("details.chat")}>
        <Line label={t("act.agent")} value={assignee ?? t("details.nobody")} />
        {team && <Line label={t("act.team")} value={team} />}
        <Line label={t("filter.state")} value={t(`inbox.status.${chat.data.status}`)} />
        <Group gap={4}>
          {chat.data.tags.map((id) => {
            const tag = company.tag.get(id);
            return (
              tag && (
                <Badge key={id} variant="dot" color={tag.color} tt="none">
                  {tag.name}
                </Badge>
              )
            );
          })}
        </Group>
      </Section>
      <Divider />
      <Leads chatId={chatId} name={name} />
      {chat.data.contact && (
        <>
          <Divider />
          <Notes contact={chat.data.contact.id} company={company} />
          <Elsewhere chat={chat.data} company={company} />
        </>
      )}
    </Stack>
  );
}

export function Section({
  title,
  children,
  action,
}: {
  title: string;
  children: React.ReactNode;
  action?: React.ReactNode;
}) {
  return (
    <Stack gap={8}>
      <Group justify="space-between">
        <Title order={3} size="xs" c="dimmed" tt="uppercase" lts={0.4}>
          {title}
        </Title>
        {action}
      </Group>
      {children}
    </Stack>
  );
}

function Line({ label, value }: { label: string; value: string }) {
  return (
    <Group justify="space-between" wrap="nowrap" gap="xs">
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text size="sm" truncate title={value} dir="auto">
        {value}
      </Text>
    </Group>
  );
}

/** What the team knows of somebody, to be changed in place. */
export function OfContact({ id, company, fallback }: { id: string; company: Company; fallback: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const mayManage = useMayManage();
  const contact = useQuery({ queryKey: KEYS.contact(id), queryFn: () => api.contact(id) });
  const states = useQuery({ queryKey: ["contact-states"], queryFn: api.contactStates, staleTime: 300_000 });
  const fields = useQuery({ queryKey: ["contact-fields"], queryFn: api.contactFields, staleTime: 300_000 });
  const [naming, setNaming] = useState<string>();
  const change = useMutation({
    mutationFn: (body: api.ContactChange) => api.changeContact(id, body),
    onSuccess: (next) => client.setQueryData(KEYS.contact(id), next),
    onError: showProblem,
  });
  const person = contact.data;
  const name = person?.name || fallback;
  const rename = () => {
    const next = naming?.trim();
    setNaming(undefined);
    if (next && next !== person?.name) change.mutate({ name: next });
  };
  return (
    <Stack gap="sm">
      <Stack align="center" gap={4}>
        <Avatar name={name} color="initials" size={72} radius={72} />
        {naming === undefined ? (
          <Group gap={4} wrap="nowrap" maw="100%" justify="center">
            <Title
              order={3}
              size="h4"
              ta="center"
              lineClamp={3}
              dir="auto"
              title={name}
              style={{ overflowWrap: "anywhere" }}
            >
              {name}
            </Title>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              aria-label={t("details.rename")}
              onClick={() => setNaming(name)}
            >
              <IconPencil size={15} />
            </ActionIcon>
          </Group>
        ) : (
          <TextInput
            aria-label={t("details.name")}
            value={naming}
            maxLength={100}
            autoFocus
            dir="auto"
            onChange={(event) => setNaming(event.currentTarget.value)}
            onBlur={rename}
            onKeyDown={(event) => {
              if (event.key === "Enter") rename();
              if (event.key === "Escape") setNaming(undefined);
            }}
          />
        )}
        {person?.phone ? (
          <Anchor href={`tel:+${person.phone}`} size="sm" c="dimmed">
            <Group gap={4}>
              <IconPhone size={14} aria-hidden />
              {phoneText(person.phone)}
            </Group>
          </Anchor>
        ) : (
          person && (
            <Text size="sm" c="dimmed">
              {t("details.noPhone")}
            </Text>
          )
        )}
        {person && <OnWhatsApp contact={person} company={company} />}
      </Stack>
      <OneOf
        size="xs"
        label={t("details.state")}
        placeholder={t("details.noState")}
        data={(states.data?.items ?? []).map((one) => ({ value: one.id, label: one.name }))}
        value={person?.state_id ?? null}
        onChange={(state_id) => change.mutate({ state_id })}
        clearable
        disabled={!states.data?.items.length}
      />
      <Tags tags={person?.tags ?? []} company={company} change={(body) => change.mutate(body)} />
      {fields.data?.items.map((field) => (
        <FieldValue
          key={field.key}
          field={field}
          value={person?.fields?.[field.key]}
          save={(value) => change.mutate({ fields: { [field.key]: value } })}
        />
      ))}
      {mayManage && fields.data && !fields.data.items.length && (
        <Text size="xs" c="dimmed">
          {t("details.noFields")}
        </Text>
      )}
    </Stack>
  );
}

function Tags({
  tags,
  company,
  change,
}: {
  tags: readonly string[];
  company: Company;
  change: (body: api.ContactChange) => void;
}) {
  const { t } = useTranslation();
  return (
    <Stack gap={4}>
      <Text size="xs" fw={500}>
        {t("details.tags")}
      </Text>
      <Group gap={4}>
        {tags.map((id) => {
          const tag = company.tag.get(id);
          return (
            tag && (
              <Badge
                key={id}
                variant="dot"
                color={tag.color}
                tt="none"
                rightSection={
                  <ActionIcon
                    variant="transparent"
                    color="gray"
                    size={14}
                    aria-label={t("details.untag", { name: tag.name })}
                    onClick={() => change({ remove_tags: [id] })}
                  >
                    ×
                  </ActionIcon>
                }
              >
                {tag.name}
              </Badge>
            )
          );
        })}
        <OneOf
          size="xs"
          variant="unstyled"
          w={120}
          aria-label={t("details.addTag")}
          placeholder={`+ ${t("details.addTag")}`}
          data={company.tags.filter((tag) => !tags.includes(tag.id)).map((tag) => ({ value: tag.id, label: tag.name }))}
          value={null}
          onChange={(id) => id && change({ add_tags: [id] })}
          nothingFoundMessage={t("act.noTags")}
        />
      </Group>
    </Stack>
  );
}

/** What was written about somebody. */
export function Notes({ contact, company }: { contact: string; company: Company }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const when = useDayOrTime();
  const me = useSession()?.user.id;
  const notes = useQuery({ queryKey: KEYS.contactNotes(contact), queryFn: () => api.contactNotes(contact) });
  const refresh = () => client.invalidateQueries({ queryKey: KEYS.contactNotes(contact) });
  const drop = useMutation({
    mutationFn: (id: string) => api.deleteContactNote(contact, id),
    onSuccess: refresh,
    onError: showProblem,
  });
  return (
    <Section title={t("details.notes")}>
      <Notebook
        field={t("details.addNote")}
        action={t("details.addNote")}
        most={4000}
        add={(text) => api.addContactNote(contact, text).then(refresh)}
        notes={(notes.data?.items ?? []).map((one) => ({
          id: one.id,
          text: one.text,
          by: `${company.user.get(one.author_id)?.name ?? t("inbox.somebody")} · ${when(one.created_at)}`,
          drop: one.author_id === me ? { label: t("details.dropNote"), run: () => drop.mutate(one.id) } : undefined,
        }))}
      />
    </Section>
  );
}

/** The same person's chats on other numbers. */
function Elsewhere({ chat, company }: { chat: Chat; company: Company }) {
  const { t } = useTranslation();
  const when = useDayOrTime();
  const contact = chat.contact?.id;
  const several = company.devices.length > 1;
  const others = useQuery({
    queryKey: ["chats-of", contact],
    queryFn: () => calls.chats({ contact_id: contact ?? "" }),
    enabled: !!contact && several,
  });
  const items = others.data?.items.filter((one) => one.id !== chat.id && one.contact?.id === chat.contact?.id) ?? [];
  if (!items.length) return null;
  return (
    <>
      <Divider />
      <Section title={t("details.elsewhere")}>
        {items.map((one) => (
          <Anchor key={one.id} component={Link} to="/inbox/$chatId" params={{ chatId: one.id } as never} size="sm">
            {company.device.get(one.device_id)?.name ?? t("inbox.unknown")} · {when(one.last_message_at)}
          </Anchor>
        ))}
      </Section>
    </>
  );
}
