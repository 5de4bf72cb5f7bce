import {
  ActionIcon,
  Badge,
  Button,
  Checkbox,
  Divider,
  Drawer,
  Group,
  Modal,
  MultiSelect,
  NumberInput,
  Select,
  Skeleton,
  Stack,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconMessage, IconSend, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Board, Card } from "@/api/board";
import * as api from "@/api/board";
import { asProblem } from "@/api/problem";
import { onFrame } from "@/realtime/frames";
import { Failure } from "@/shell/Failure";
import { phoneText } from "@/shell/phone";
import { useShowProblem } from "@/shell/problems";
import { decimals, toMajor, toMinor, useMoney } from "./money";
import { BOARD } from "./useBoard";

type Props = {
  id: string;
  pipeline: Board["pipeline"];
  people: { id: string; name: string }[];
  onClose: () => void;
};

const LEAD = "lead";

/** All that is known of a lead, and the way to its chat. */
export function LeadDrawer({ id, pipeline, people, onClose }: Props) {
  const { t } = useTranslation();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const client = useQueryClient();
  const lead = useQuery({ queryKey: [LEAD, id], queryFn: () => api.lead(id), staleTime: 0 });
  useEffect(
    () =>
      onFrame((frame) => {
        const about = frame.data as { id?: string; lead_id?: string } | undefined;
        if (about?.id === id || about?.lead_id === id) void client.invalidateQueries({ queryKey: [LEAD, id] });
      }),
    [client, id],
  );
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size={phone ? "100%" : 440}
      title={lead.data?.title ?? t("common.loading")}
      styles={{ title: { fontWeight: 650 } }}
    >
      {lead.isError ? (
        <Failure error={lead.error} reset={() => void lead.refetch()} />
      ) : lead.data ? (
        <Stack gap="md">
          <Chat lead={lead.data} />
          <Fields key={lead.data.version} lead={lead.data} pipeline={pipeline} people={people} onClose={onClose} />
          <Divider label={t("board.tasks")} labelPosition="left" />
          <Tasks lead={lead.data} />
          <Divider label={t("board.notes")} labelPosition="left" />
          <Notes lead={lead.data} />
          <Divider label={t("board.history")} labelPosition="left" />
          <History lead={lead.data} people={people} pipeline={pipeline} />
        </Stack>
      ) : (
        <Skeleton h={300} aria-label={t("common.loading")} />
      )}
    </Drawer>
  );
}

function Chat({ lead }: { lead: Card }) {
  const { t } = useTranslation();
  const who = lead.contact?.name ?? lead.chat?.name;
  return (
    <Group justify="space-between" wrap="nowrap">
      <div style={{ minWidth: 0 }}>
        <Text fw={600} truncate dir="auto">
          {who ?? t("board.noContact")}
        </Text>
        {lead.contact?.phone && (
          <Text size="sm" c="dimmed">
            {phoneText(lead.contact.phone)}
          </Text>
        )}
      </div>
      {lead.chat && (
        <Button
          component={Link}
          to={`/inbox/${lead.chat.id}`}
          variant="light"
          leftSection={<IconMessage size={16} />}
          rightSection={lead.chat.unread > 0 ? <Badge circle>{lead.chat.unread}</Badge> : undefined}
        >
          {t("board.openChat")}
        </Button>
      )}
    </Group>
  );
}

function Fields({ lead, pipeline, people, onClose }: Omit<Props, "id"> & { lead: Card }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [title, setTitle] = useState(lead.title);
  const [value, setValue] = useState<number | string>(toMajor(lead.value, lead.currency));
  const [stage, setStage] = useState(lead.stage_id);
  const [owner, setOwner] = useState(lead.owner_id ?? null);
  const [close, setClose] = useState(lead.expected_close ?? "");
  const [source, setSource] = useState(lead.source ?? "");
  const [reason, setReason] = useState(lead.lost_reason ?? "");
  const [bears, setBears] = useState(lead.tags ?? []);
  const [sure, setSure] = useState(false);
  const tags = useQuery({ queryKey: ["tags"], queryFn: api.tags, staleTime: 60_000 });
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: api.pipelines, staleTime: 60_000 });
  const boards = pipelines.data?.items ?? [];
  const lost = [pipeline, ...boards].flatMap((one) => one.stages).find((one) => one.id === stage)?.kind === "lost";
  const told = () => {
    void client.invalidateQueries({ queryKey: [LEAD, lead.id] });
    void client.invalidateQueries({ queryKey: [BOARD] });
  };
  const save = useMutation({
    mutationFn: () =>
      api.changeLead(lead.id, {
        title: title.trim(),
        value: toMinor(Number(value) || 0, lead.currency),
        stage_id: stage,
        owner_id: owner,
        expected_close: close || null,
        source: source.trim() || null,
        tags: bears,
        ...(lost ? { lost_reason: reason.trim() || null } : {}),
        version: lead.version,
      }),
    onSuccess: told,
    onError: (error) => {
      showProblem(error);
      if (asProblem(error).code === "lead-moved-on") told();
    },
  });
  const remove = useMutation({
    mutationFn: () => api.deleteLead(lead.id),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: [BOARD] });
      onClose();
    },
    onError: showProblem,
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (title.trim()) save.mutate();
      }}
    >
      <Stack gap="sm">
        <TextInput
          label={t("board.leadTitle")}
          value={title}
          onChange={(event) => setTitle(event.currentTarget.value)}
          maxLength={200}
          required
        />
        <Group grow align="flex-start">
          <NumberInput
            label={t("board.value", { currency: lead.currency })}
            value={value}
            onChange={setValue}
            min={0}
            max={99_999_999_999}
            decimalScale={decimals(lead.currency)}
            thousandSeparator=" "
            hideControls
          />
          <Select
            label={t("board.stage")}
            data={
              boards.length > 1
                ? boards.map((board) => ({
                    group: board.name,
                    items: board.stages.map((one) => ({ value: one.id, label: one.name })),
                  }))
                : pipeline.stages.map((one) => ({ value: one.id, label: one.name }))
            }
            value={stage}
            onChange={(chosen) => chosen && setStage(chosen)}
            allowDeselect={false}
          />
        </Group>
        {lost && (
          <TextInput
            label={t("board.lostReason")}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={200}
          />
        )}
        <Group grow align="flex-start">
          <Select
            label={t("board.owner")}
            placeholder={t("board.nobody")}
            data={people.map((person) => ({ value: person.id, label: person.name }))}
            value={owner}
            onChange={setOwner}
            clearable
          />
          <TextInput
            type="date"
            label={t("board.expected")}
            value={close}
            onChange={(event) => setClose(event.currentTarget.value)}
          />
        </Group>
        {((tags.data?.items.length ?? 0) > 0 || bears.length > 0) && (
          <MultiSelect
            label={t("board.tags")}
            data={(tags.data?.items ?? []).map((tag) => ({ value: tag.id, label: tag.name }))}
            value={bears}
            onChange={setBears}
            searchable
            maxValues={50}
          />
        )}
        <TextInput
          label={t("board.source")}
          value={source}
          onChange={(event) => setSource(event.currentTarget.value)}
          maxLength={200}
        />
        <Group justify="space-between">
          <Button type="submit" loading={save.isPending} disabled={!title.trim()}>
            {t("common.save")}
          </Button>
          <ActionIcon
            variant="subtle"
            color="red"
            size="lg"
            aria-label={t("board.delete")}
            onClick={() => setSure(true)}
          >
            <IconTrash size={18} />
          </ActionIcon>
        </Group>
      </Stack>
      <Modal
        opened={sure}
        onClose={() => setSure(false)}
        title={t("board.deleteTitle", { title: lead.title })}
        centered
      >
        <Stack>
          <Text size="sm">{t("board.deleteText")}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setSure(false)}>
              {t("common.cancel")}
            </Button>
            <Button color="red" loading={remove.isPending} onClick={() => remove.mutate()}>
              {t("board.delete")}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </form>
  );
}

function Tasks({ lead }: { lead: Card }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const key = [LEAD, lead.id, "tasks"];
  const tasks = useQuery({ queryKey: key, queryFn: () => api.tasks(lead.id) });
  const [title, setTitle] = useState("");
  const [due, setDue] = useState("");
  const told = () => {
    void client.invalidateQueries({ queryKey: [LEAD, lead.id] });
    void client.invalidateQueries({ queryKey: [BOARD] });
  };
  const make = useMutation({
    mutationFn: () => api.makeTask(lead.id, title.trim(), due ? new Date(due).toISOString() : null),
    onSuccess: () => {
      setTitle("");
      setDue("");
      told();
    },
    onError: showProblem,
  });
  const finish = useMutation({
    mutationFn: (task: { id: string; done: boolean }) => api.finishTask(task.id, task.done),
    onSuccess: told,
    onError: showProblem,
  });
  return (
    <Stack gap="xs">
      {(tasks.data?.items ?? []).map((task) => (
        <Checkbox
          key={task.id}
          checked={Boolean(task.done_at)}
          onChange={(event) => finish.mutate({ id: task.id, done: event.currentTarget.checked })}
          label={task.title}
          description={
            task.due_at
              ? new Date(task.due_at).toLocaleString(i18n.language, { dateStyle: "medium", timeStyle: "short" })
              : undefined
          }
        />
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (title.trim()) make.mutate();
        }}
      >
        <Group gap="xs" wrap="nowrap" align="flex-end">
          <TextInput
            flex={1}
            aria-label={t("board.newTask")}
            placeholder={t("board.newTask")}
            value={title}
            onChange={(event) => setTitle(event.currentTarget.value)}
            maxLength={200}
          />
          <TextInput
            type="datetime-local"
            aria-label={t("board.due")}
            value={due}
            onChange={(event) => setDue(event.currentTarget.value)}
            w={170}
          />
          <ActionIcon
            type="submit"
            size="lg"
            variant="light"
            aria-label={t("board.addTask")}
            loading={make.isPending}
            disabled={!title.trim()}
          >
            <IconSend size={16} />
          </ActionIcon>
        </Group>
      </form>
    </Stack>
  );
}

function Notes({ lead }: { lead: Card }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const key = [LEAD, lead.id, "notes"];
  const notes = useQuery({ queryKey: key, queryFn: () => api.notes(lead.id) });
  const [text, setText] = useState("");
  const add = useMutation({
    mutationFn: () => api.addNote(lead.id, text.trim()),
    onSuccess: () => {
      setText("");
      void client.invalidateQueries({ queryKey: key });
    },
    onError: showProblem,
  });
  return (
    <Stack gap="xs">
      <Group gap="xs" wrap="nowrap" align="flex-end">
        <Textarea
          flex={1}
          aria-label={t("board.newNote")}
          placeholder={t("board.newNote")}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          autosize
          maxRows={6}
          maxLength={10_000}
        />
        <ActionIcon
          size="lg"
          variant="light"
          aria-label={t("board.addNote")}
          loading={add.isPending}
          disabled={!text.trim()}
          onClick={() => add.mutate()}
        >
          <IconSend size={16} />
        </ActionIcon>
      </Group>
      {(notes.data?.items ?? []).map((note) => (
        <div key={note.id}>
          <Text size="sm" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }} dir="auto">
            {note.text}
          </Text>
          <Text size="xs" c="dimmed">
            {new Date(note.at).toLocaleString(i18n.language, { dateStyle: "medium", timeStyle: "short" })}
          </Text>
        </div>
      ))}
    </Stack>
  );
}

function History({ lead, people, pipeline }: { lead: Card } & Pick<Props, "people" | "pipeline">) {
  const { t, i18n } = useTranslation();
  const money = useMoney();
  const lines = useQuery({ queryKey: [LEAD, lead.id, "history"], queryFn: () => api.history(lead.id) });
  const name = (id: unknown) => people.find((person) => person.id === id)?.name ?? t("board.nobody");
  const pipelines = useQuery({ queryKey: ["pipelines"], queryFn: api.pipelines, staleTime: 60_000 });
  const stages = [pipeline, ...(pipelines.data?.items ?? [])].flatMap((one) => one.stages);
  const stage = (id: unknown) => stages.find((one) => one.id === id)?.name ?? "…";
  const value = (field: string, what: unknown) =>
    field === "value" ? money(Number(what), lead.currency) : field === "owner" ? name(what) : String(what ?? "–");
  const say = (what: string, changes: Record<string, unknown>) => {
    const [from, to] = (changes.stage as unknown[] | undefined) ?? [];
    if (what === "moved") return t("board.wasMoved", { from: stage(from), to: stage(to) });
    if (what === "created") return t("board.wasCreated");
    return Object.entries(changes)
      .map(([field, pair]) => {
        const label = t(`board.field.${field}` as "board.field.title");
        const shown =
          Array.isArray(pair) &&
          ["title", "value", "owner", "source", "currency", "lost_reason", "expected_close"].includes(field);
        return shown ? `${label}: ${value(field, pair[0])} → ${value(field, pair[1])}` : label;
      })
      .join(" · ");
  };
  return (
    <Stack gap={6}>
      {(lines.data?.items ?? []).map((line) => (
        <div key={line.id}>
          <Text size="xs">{say(line.what, line.changes as Record<string, unknown>)}</Text>
          <Text size="xs" c="dimmed">
            {new Date(line.at).toLocaleString(i18n.language, { dateStyle: "medium", timeStyle: "short" })}
            {line.actor_id ? ` · ${name(line.actor_id)}` : line.rule_id ? ` · ${t("board.byRule")}` : ""}
          </Text>
        </div>
      ))}
    </Stack>
  );
}
