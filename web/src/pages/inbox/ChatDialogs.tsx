import { Button, ColorSwatch, Group, Modal, Stack, Text, Textarea, TextInput, UnstyledButton } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import type { Chat } from "@/api/types";
import { KEYS } from "@/realtime/apply";
import type { Company } from "@/session/company";
import { useSession } from "@/session/session";
import { OneOf } from "@/shell/choose";
import { plain } from "@/shell/plain";
import { useShowProblem } from "@/shell/problems";
import { useChatActions } from "./actions";
import { toEach } from "./each";
import { Later } from "./Later";

export type Dialog = "assign" | "snooze" | "tags" | null;
type Props = { chats: Chat[]; dialog: Dialog; onClose: () => void; company: Company };

/** What needs a choice before it is done, to one chat or to several. */
export function ChatDialogs({ chats, dialog, onClose, company }: Props) {
  const { t } = useTranslation();
  const several = chats.length > 1 ? ` (${chats.length})` : "";
  return (
    <>
      <Modal opened={dialog === "assign"} onClose={onClose} title={t("act.assign") + several} centered>
        {dialog === "assign" && <Assign chats={chats} onClose={onClose} company={company} />}
      </Modal>
      <Modal opened={dialog === "snooze"} onClose={onClose} title={t("act.snooze") + several} centered size="sm">
        {dialog === "snooze" && <Snooze chats={chats} onClose={onClose} />}
      </Modal>
      <Modal opened={dialog === "tags"} onClose={onClose} title={t("act.tags") + several} centered size="sm">
        {dialog === "tags" && <Tags chats={chats} onClose={onClose} company={company} />}
      </Modal>
    </>
  );
}

function Assign({ chats, onClose, company }: Omit<Props, "dialog">) {
  const { t } = useTranslation();
  const actions = useChatActions();
  const me = useSession()?.user.id;
  const one = chats.length === 1 ? chats[0] : undefined;
  const [agent, setAgent] = useState<string | null>(null);
  const [team, setTeam] = useState<string | null>(null);
  const [note, setNote] = useState("");
  const people = company.users.filter((user) => user.active && user.id !== one?.assignee_id);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onClose();
        const to = { ...(agent ? { assignee: agent } : {}), ...(team ? { team } : {}) };
        void toEach(chats, (chat) => actions.give(chat, to, note.trim() || undefined));
      }}
    >
      <Stack>
        <OneOf
          label={t("act.agent")}
          data={people.map((user) => ({
            value: user.id,
            label: user.id === me ? `${user.name} (${t("inbox.you")})` : user.name,
          }))}
          value={agent}
          onChange={setAgent}
          clearable
          data-autofocus
          openOnFocus={false}
          nothingFoundMessage={t("act.nobody")}
        />
        {company.teams.length > 0 && (
          <OneOf
            label={t("act.team")}
            data={company.teams.map((one) => ({ value: one.id, label: one.name }))}
            value={team}
            onChange={setTeam}
            clearable
          />
        )}
        <Textarea
          label={t("act.note")}
          description={t("act.noteHint")}
          autosize
          minRows={2}
          maxRows={6}
          maxLength={4000}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
        <Group justify="space-between">
          {chats.some((chat) => chat.assignee_id) ? (
            <Button
              variant="subtle"
              color="red"
              onClick={() => {
                onClose();
                void toEach(chats, (chat) => actions.give(chat, { assignee: null }));
              }}
            >
              {t("act.unassign")}
            </Button>
          ) : (
            <span />
          )}
          <Button type="submit" disabled={!agent && !team}>
            {t("act.assign")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Snooze({ chats, onClose }: { chats: Chat[]; onClose: () => void }) {
  const { t } = useTranslation();
  const actions = useChatActions();
  const until = (at: Date) => {
    onClose();
    void toEach(chats, (chat) => actions.stand(chat, "snoozed", at.toISOString()));
  };
  return (
    <Stack gap="xs">
      <Later action={t("act.snooze")} onPick={until} focused />
      <Text size="xs" c="dimmed">
        {t("act.snoozeHint")}
      </Text>
    </Stack>
  );
}

const COLORS = ["#0d7a6f", "#1c7ed6", "#7048e8", "#c2255c", "#e8590c", "#f08c00", "#2b8a3e", "#868e96"];

/** Which tags a chat bears; with several chats, one that is chosen is put on all of them. */
function Tags({ chats, onClose, company }: Omit<Props, "dialog">) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const actions = useChatActions();
  const [q, setQ] = useState("");
  const [at, setAt] = useState(0);
  const [on, setOn] = useState(
    () => new Set(company.tags.map((tag) => tag.id).filter((id) => chats.every((chat) => chat.tags.includes(id)))),
  );
  const found = company.tags.filter((tag) => plain(tag.name).includes(plain(q.trim())));
  const fresh = q.trim() && !company.tags.some((tag) => tag.name.toLowerCase() === q.trim().toLowerCase());
  const count = found.length + (fresh ? 1 : 0);
  useEffect(() => setAt((before) => Math.min(before, Math.max(0, count - 1))), [count]);

  const toggle = (id: string) => {
    const put = !on.has(id);
    setOn((before) => new Set(put ? [...before, id] : [...before].filter((one) => one !== id)));
    void toEach(chats, (chat) =>
      actions.tag(chat, put ? [...new Set([...chat.tags, id])] : chat.tags.filter((one) => one !== id)),
    );
  };
  const make = async () => {
    try {
      const tag = await api.makeTag(q.trim(), COLORS[company.tags.length % COLORS.length] ?? "#868e96");
      await client.invalidateQueries({ queryKey: KEYS.tags });
      setQ("");
      toggle(tag.id);
    } catch (error) {
      showProblem(error);
    }
  };
  const choose = (index: number) => {
    const tag = found[index];
    if (tag) toggle(tag.id);
    else if (fresh) void make();
  };
  return (
    <Stack gap="xs">
      <TextInput
        data-autofocus
        aria-label={t("act.findTag")}
        placeholder={t("act.findTag")}
        value={q}
        maxLength={100}
        onChange={(event) => setQ(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") choose(at);
          else if (event.key === "ArrowDown") setAt(Math.min(count - 1, at + 1));
          else if (event.key === "ArrowUp") setAt(Math.max(0, at - 1));
          else return;
          event.preventDefault();
        }}
      />
      <fieldset
        aria-label={t("act.tags")}
        style={{ maxHeight: 280, overflowY: "auto", border: 0, margin: 0, padding: 0, minWidth: 0 }}
      >
        {found.map((tag, index) => (
          <UnstyledButton
            key={tag.id}
            w="100%"
            p={8}
            bdrs="sm"
            bg={index === at ? "light-dark(var(--mantine-color-gray-1), var(--mantine-color-dark-5))" : undefined}
            role="checkbox"
            aria-checked={on.has(tag.id)}
            onClick={() => toggle(tag.id)}
          >
            <Group gap="xs" wrap="nowrap">
              <ColorSwatch color={tag.color} size={14} withShadow={false} />
              <Text size="sm" flex={1} truncate>
                {tag.name}
              </Text>
              {on.has(tag.id) && <IconCheck size={16} aria-hidden />}
            </Group>
          </UnstyledButton>
        ))}
        {fresh && (
          <UnstyledButton
            w="100%"
            p={8}
            bdrs="sm"
            fz="sm"
            fw={550}
            bg={
              at === found.length ? "light-dark(var(--mantine-color-gray-1), var(--mantine-color-dark-5))" : undefined
            }
            onClick={() => void make()}
          >
            {t("act.makeTag", { name: q.trim() })}
          </UnstyledButton>
        )}
        {!count && (
          <Text size="sm" c="dimmed" p={8}>
            {t("act.noTags")}
          </Text>
        )}
      </fieldset>
      <Button onClick={onClose} variant="light">
        {t("common.done")}
      </Button>
    </Stack>
  );
}
