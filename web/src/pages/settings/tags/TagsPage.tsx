import { ActionIcon, Badge, Button, ColorInput, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { IconPencil, IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { data, throwing } from "@/api/calls";
import type { Tag } from "@/api/generated";
import * as sdk from "@/api/generated";
import { useMayManage } from "@/session/session";
import { Dot } from "@/shell/Dot";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { Head, Removal } from "../parts";
import { Fields } from "./Fields";
import { States } from "./States";

export const SWATCHES = [
  "#868e96",
  "#e03131",
  "#e8590c",
  "#f08c00",
  "#2f9e44",
  "#0c8599",
  "#1971c2",
  "#7048e8",
  "#c2255c",
];

/** What chats and customers are told apart by: tags, states, and fields of the account's own. */
export function TagsPage() {
  const mayManage = useMayManage();
  return (
    <Stack gap="xl">
      <Tags />
      {mayManage && <States />}
      {mayManage && <Fields />}
    </Stack>
  );
}

function Tags() {
  const { t } = useTranslation();
  const tags = useQuery({ queryKey: ["tags"], queryFn: () => data(sdk.tagsListTags(throwing)) });
  const [editing, edit] = useState<Tag | "new">();
  const [removing, remove] = useState<Tag>();
  return (
    <section aria-label={t("tags.title")}>
      <Head title={t("tags.title")} subtitle={t("tags.subtitle")}>
        <Button variant="light" leftSection={<IconPlus size={18} />} onClick={() => edit("new")}>
          {t("tags.add")}
        </Button>
      </Head>
      <Loaded query={tags}>
        {({ items }) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t("tags.empty")}
            </Text>
          ) : (
            <Group gap="xs">
              {items.map((tag) => (
                <Group key={tag.id} gap={2} wrap="nowrap" role="group" aria-label={tag.name}>
                  <Name tag={tag} />
                  <ActionIcon
                    size="sm"
                    variant="subtle"
                    color="gray"
                    aria-label={`${t("people.edit")}: ${tag.name}`}
                    onClick={() => edit(tag)}
                  >
                    <IconPencil size={14} />
                  </ActionIcon>
                  <ActionIcon
                    size="sm"
                    variant="subtle"
                    color="red"
                    aria-label={`${t("teams.delete")}: ${tag.name}`}
                    onClick={() => remove(tag)}
                  >
                    <IconTrash size={14} />
                  </ActionIcon>
                </Group>
              ))}
            </Group>
          )
        }
      </Loaded>
      {editing && <TagDialog tag={editing === "new" ? undefined : editing} onClose={() => edit(undefined)} />}
      {removing && <Remove tag={removing} onClose={() => remove(undefined)} />}
    </section>
  );
}

/** A name beside its colour: whatever the colour, the name can be read. */
export function Name({ tag }: { tag: { name: string; color: string } }) {
  return (
    <Badge
      variant="default"
      size="lg"
      style={{ textTransform: "none", maxWidth: 240 }}
      leftSection={<Dot color={tag.color} size={10} />}
    >
      {tag.name}
    </Badge>
  );
}

function TagDialog({ tag, onClose }: { tag: Tag | undefined; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [name, setName] = useState(tag?.name ?? "");
  const [color, setColor] = useState(tag?.color ?? "#1971c2");
  const save = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), color: color.toLowerCase() };
      return tag
        ? data(sdk.tagsChangeTag({ ...throwing, path: { id: tag.id }, body }))
        : data(sdk.tagsCreateTag({ ...throwing, body, headers: { "Idempotency-Key": crypto.randomUUID() } }));
    },
    onSuccess: () => {
      onClose();
      return client.invalidateQueries({ queryKey: ["tags"] });
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t(tag ? "tags.edit" : "tags.add")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("tags.name")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={100}
            required
            data-autofocus
          />
          <ColorInput label={t("tags.color")} format="hex" value={color} onChange={setColor} swatches={SWATCHES} />
          <Group justify="space-between">
            <Name tag={{ name: name || "…", color }} />
            <Button type="submit" loading={save.isPending} disabled={!name.trim() || !/^#[0-9a-f]{6}$/i.test(color)}>
              {t("common.save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Remove({ tag, onClose }: { tag: Tag; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Removal
      title={t("tags.deleteTitle", { name: tag.name })}
      text={t("tags.deleteText")}
      action={t("teams.delete")}
      remove={() => data(sdk.tagsDeleteTag({ ...throwing, path: { id: tag.id } }))}
      lists={["tags"]}
      onClose={onClose}
    />
  );
}
