import { Alert, Anchor, Badge, Button, Divider, Drawer, Group, Skeleton, Stack, Text, TextInput } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconArrowMerge, IconBan, IconMessagePlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import * as board from "@/api/board";
import * as api from "@/api/contacts";
import * as inbox from "@/api/inbox";
import { Notes, OfContact, Section } from "@/pages/inbox/details/Details";
import { NewChat } from "@/pages/inbox/NewChat";
import { PrivacyActions } from "@/pages/privacy/PrivacyActions";
import { KEYS } from "@/realtime/apply";
import type { Company } from "@/session/company";
import { Confirm } from "@/shell/Confirm";
import { Failure } from "@/shell/Failure";
import { phoneText } from "@/shell/phone";
import { useShowProblem } from "@/shell/problems";
import { useDayOrTime } from "@/shell/time";
import { MergeDialog } from "./MergeDialog";
import { CONTACTS } from "./useContacts";

type Props = { id: string; company: Company; onClose: () => void; show: (id: string) => void };

/** One person: who it is, what is known, the chats and leads, and whether it is somebody else too. */
export function ContactDrawer({ id, company, onClose, show }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const [dialog, setDialog] = useState<"block" | "merge" | "write" | null>(null);
  const contact = useQuery({ queryKey: KEYS.contact(id), queryFn: () => inbox.contact(id) });
  const person = contact.data;
  const changed = (next: api.Contact) => {
    client.setQueryData(KEYS.contact(id), next);
    setDialog(null);
    return client.invalidateQueries({ queryKey: CONTACTS });
  };
  const block = useMutation({
    mutationFn: () => (person?.blocked ? api.unblock(id) : api.block(id)),
    onSuccess: changed,
    onError: showProblem,
  });
  const name = person?.name || (person?.phone ? phoneText(person.phone) : t("contacts.nobody"));
  return (
    <Drawer
      opened
      onClose={() => {
        void client.invalidateQueries({ queryKey: CONTACTS });
        onClose();
      }}
      position="right"
      size={phone ? "100%" : 440}
      title={t("contacts.one")}
    >
      {contact.isError && !person ? (
        <Failure error={contact.error} reset={() => void contact.refetch()} />
      ) : !person ? (
        <Stack align="center" role="status" aria-busy aria-label={t("common.loading")}>
          <Skeleton circle h={72} />
          <Skeleton h={14} w="60%" />
          <Skeleton h={32} />
          <Skeleton h={32} />
        </Stack>
      ) : (
        <Stack gap="md">
          {person.blocked && (
            <Alert color="red" variant="light" icon={<IconBan size={18} />} title={t("contacts.blocked")}>
              {t("contacts.blockedHint")}
            </Alert>
          )}
          <OfContact id={person.id} company={company} fallback={name} />
          <Mail contact={person} />
          <Group gap="xs" grow>
            <Button
              size="xs"
              variant="light"
              leftSection={<IconMessagePlus size={16} />}
              disabled={!person.phone || person.blocked || !company.devices.length}
              onClick={() => setDialog("write")}
            >
              {t("contacts.write")}
            </Button>
            <Button
              size="xs"
              variant="default"
              leftSection={<IconArrowMerge size={16} />}
              onClick={() => setDialog("merge")}
            >
              {t("contacts.merge.title")}
            </Button>
            <Button
              size="xs"
              variant={person.blocked ? "light" : "default"}
              color={person.blocked ? "clarin" : "red"}
              leftSection={<IconBan size={16} />}
              loading={block.isPending}
              onClick={() => (person.blocked ? block.mutate() : setDialog("block"))}
            >
              {t(person.blocked ? "contacts.unblock" : "contacts.block")}
            </Button>
          </Group>
          <Alike id={person.id} open={() => setDialog("merge")} />
          <Divider />
          <Chats contact={person.id} company={company} />
          <Leads contact={person.id} />
          <Divider />
          <Notes contact={person.id} company={company} />
          <PrivacyActions
            contactId={person.id}
            name={name}
            onErased={() => {
              void client.invalidateQueries({ queryKey: CONTACTS });
              onClose();
            }}
          />
        </Stack>
      )}
      {dialog === "block" && (
        <Confirm
          title={t("contacts.blockTitle", { name })}
          text={t("contacts.blockText")}
          action={t("contacts.block")}
          loading={block.isPending}
          onConfirm={() => block.mutate()}
          onClose={() => setDialog(null)}
        />
      )}
      {dialog === "merge" && person && (
        <MergeDialog
          contact={person}
          onClose={() => setDialog(null)}
          onMerged={(next) => {
            client.setQueryData(KEYS.contact(next.id), next);
            void changed(next);
            show(next.id);
          }}
        />
      )}
      <NewChat
        opened={dialog === "write"}
        onClose={() => setDialog(null)}
        devices={company.devices}
        to={person?.phone ? `+${person.phone}` : undefined}
      />
    </Drawer>
  );
}

/** The address of mail; it is saved when it is left. */
function Mail({ contact }: { contact: api.Contact }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [text, setText] = useState(contact.email ?? "");
  useEffect(() => setText(contact.email ?? ""), [contact.email]);
  const save = useMutation({
    mutationFn: () => inbox.changeContact(contact.id, { email: text.trim() || null }),
    onSuccess: (next) => client.setQueryData(KEYS.contact(contact.id), next),
    onError: showProblem,
  });
  return (
    <TextInput
      size="xs"
      type="email"
      label={t("contacts.column.email")}
      value={text}
      maxLength={200}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => text.trim().toLowerCase() !== (contact.email ?? "") && save.mutate()}
      onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
    />
  );
}

function Alike({ id, open }: { id: string; open: () => void }) {
  const { t } = useTranslation();
  const found = useQuery({ queryKey: ["contact-duplicates", id], queryFn: () => api.duplicates(id) });
  const count = found.data?.items.length ?? 0;
  if (!count) return null;
  return (
    <Alert color="yellow" variant="light" p="xs">
      <Group justify="space-between" gap="xs">
        <Text size="sm">{t("contacts.merge.found", { count })}</Text>
        <Button size="compact-xs" variant="default" onClick={open}>
          {t("contacts.merge.look")}
        </Button>
      </Group>
    </Alert>
  );
}

function Chats({ contact, company }: { contact: string; company: Company }) {
  const { t } = useTranslation();
  const when = useDayOrTime();
  const chats = useQuery({ queryKey: ["chats-of", contact, "all"], queryFn: () => api.chatsOf(contact) });
  return (
    <Section title={t("contacts.chats")}>
      {chats.isPending && <Skeleton h={32} />}
      {chats.data?.items.map((chat) => (
        <Group key={chat.id} justify="space-between" wrap="nowrap" gap="xs">
          <Anchor component={Link} to="/inbox/$chatId" params={{ chatId: chat.id } as never} size="sm" truncate>
            {company.device.get(chat.device_id)?.name ?? t("inbox.unknown")}
          </Anchor>
          <Text size="xs" c="dimmed" style={{ flex: "none" }}>
            {t(`inbox.status.${chat.status}`)} · {when(chat.last_message_at)}
          </Text>
        </Group>
      ))}
      {chats.data && !chats.data.items.length && (
        <Text size="sm" c="dimmed">
          {t("contacts.noChats")}
        </Text>
      )}
    </Section>
  );
}

function Leads({ contact }: { contact: string }) {
  const { t } = useTranslation();
  const leads = useQuery({ queryKey: ["leads-of", contact], queryFn: () => api.leadsOf(contact) });
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: board.pipelines, staleTime: 60_000 });
  if (!leads.data?.items.length) return null;
  const stages = pipelines.data?.items.flatMap((one) => one.stages) ?? [];
  return (
    <Section title={t("details.leads")}>
      {leads.data.items.map((lead) => (
        <Group key={lead.id} justify="space-between" wrap="nowrap" gap="xs">
          <Anchor
            component={Link}
            to="/board"
            search={{ lead: lead.id } as never}
            size="sm"
            truncate
            dir="auto"
            title={lead.title}
          >
            {lead.title}
          </Anchor>
          <Badge variant="light" tt="none" style={{ flex: "none" }}>
            {stages.find((one) => one.id === lead.stage_id)?.name ?? ""}
          </Badge>
        </Group>
      ))}
    </Section>
  );
}
