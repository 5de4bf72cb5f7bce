import { ActionIcon, Button, Card, Code, Group, Modal, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { IconPencil, IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { data, throwing } from "@/api/calls";
import type { Reply } from "@/api/generated";
import * as sdk from "@/api/generated";
import { Loaded } from "@/shell/Loaded";
import { plain } from "@/shell/plain";
import { useShowProblem } from "@/shell/problems";
import { Head, Removal } from "../parts";

const VARIABLES = ["contact.first_name", "contact.name", "contact.phone", "agent.name", "number.name"] as const;

/** Texts that are at hand in every chat under `/` and their shortcut. */
export function RepliesPage() {
  const { t } = useTranslation();
  const replies = useQuery({ queryKey: ["replies"], queryFn: () => data(sdk.repliesListReplies(throwing)) });
  const [search, setSearch] = useState("");
  const [editing, edit] = useState<Reply | "new">();
  const [removing, remove] = useState<Reply>();
  const sought = plain(search.trim());
  const found = ({ shortcut, text }: Reply) => plain(`${shortcut} ${text}`).includes(sought);
  return (
    <section aria-label={t("replies.title")}>
      <Head title={t("replies.title")} subtitle={t("replies.subtitle")}>
        <Button leftSection={<IconPlus size={18} />} onClick={() => edit("new")}>
          {t("replies.add")}
        </Button>
      </Head>
      <Loaded query={replies}>
        {({ items }) => (
          <Stack gap="xs">
            {items.length > 8 && (
              <TextInput
                type="search"
                aria-label={t("replies.search")}
                placeholder={t("replies.search")}
                value={search}
                onChange={(event) => setSearch(event.currentTarget.value)}
              />
            )}
            {items.length === 0 && (
              <Text size="sm" c="dimmed">
                {t("replies.empty")}
              </Text>
            )}
            {items.length > 0 && !items.some(found) && (
              <Text size="sm" c="dimmed">
                {t("common.nothing")}
              </Text>
            )}
            {items.filter(found).map((item) => (
              <Card key={item.id} withBorder padding="sm" component="article" aria-label={item.shortcut}>
                <Group wrap="nowrap" align="flex-start" justify="space-between">
                  <Stack gap={4} miw={0}>
                    <div>
                      <Code fw={600}>/{item.shortcut}</Code>
                    </div>
                    <Text size="sm" lineClamp={4} style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
                      {item.text}
                    </Text>
                  </Stack>
                  <Group gap={4} wrap="nowrap">
                    <ActionIcon
                      variant="subtle"
                      color="gray"
                      aria-label={`${t("people.edit")}: ${item.shortcut}`}
                      onClick={() => edit(item)}
                    >
                      <IconPencil size={16} />
                    </ActionIcon>
                    <ActionIcon
                      variant="subtle"
                      color="red"
                      aria-label={`${t("teams.delete")}: ${item.shortcut}`}
                      onClick={() => remove(item)}
                    >
                      <IconTrash size={16} />
                    </ActionIcon>
                  </Group>
                </Group>
              </Card>
            ))}
          </Stack>
        )}
      </Loaded>
      {editing && <ReplyDialog reply={editing === "new" ? undefined : editing} onClose={() => edit(undefined)} />}
      {removing && <Remove reply={removing} onClose={() => remove(undefined)} />}
    </section>
  );
}

function ReplyDialog({ reply, onClose }: { reply: Reply | undefined; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [shortcut, setShortcut] = useState(reply?.shortcut ?? "");
  const [text, setText] = useState(reply?.text ?? "");
  const field = useRef<HTMLTextAreaElement>(null);
  const save = useMutation({
    mutationFn: () => {
      const body = { shortcut, text };
      return reply
        ? data(sdk.repliesChangeReply({ ...throwing, path: { id: reply.id }, body }))
        : data(sdk.repliesCreateReply({ ...throwing, body, headers: { "Idempotency-Key": crypto.randomUUID() } }));
    },
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["replies"] });
    },
    onError: showProblem,
  });
  const insert = (variable: string) => {
    const at = field.current?.selectionStart ?? text.length;
    setText(`${text.slice(0, at)}{{${variable}}}${text.slice(at)}`);
    field.current?.focus();
  };
  return (
    <Modal opened onClose={onClose} title={t(reply ? "replies.edit" : "replies.add")} size="lg" centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("replies.shortcut")}
            description={t("replies.shortcutHint")}
            leftSection="/"
            value={shortcut}
            onChange={(event) => setShortcut(event.currentTarget.value.toLowerCase().replace(/[^a-z0-9_-]/g, ""))}
            maxLength={40}
            required
            data-autofocus
          />
          <Textarea
            ref={field}
            label={t("replies.text")}
            autosize
            minRows={4}
            maxRows={14}
            maxLength={4096}
            required
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Group gap={6} role="group" aria-label={t("replies.variables")}>
            {VARIABLES.map((variable) => (
              <Button key={variable} size="compact-xs" variant="default" onClick={() => insert(variable)}>
                {t(`replies.variable.${variable.replace(".", "_")}`)}
              </Button>
            ))}
          </Group>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t("common.cancel")}
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!shortcut.trim() || !text.trim()}>
              {t("common.save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Remove({ reply, onClose }: { reply: Reply; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Removal
      title={t("replies.deleteTitle", { name: reply.shortcut })}
      text={t("replies.deleteText")}
      action={t("teams.delete")}
      remove={() => data(sdk.repliesDeleteReply({ ...throwing, path: { id: reply.id } }))}
      lists={["replies"]}
      onClose={onClose}
    />
  );
}
