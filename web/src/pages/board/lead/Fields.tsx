import { ActionIcon, Button, Group, NumberInput, Stack, TextInput } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Board, Card } from "@/api/board";
import * as api from "@/api/board";
import { asProblem } from "@/api/problem";
import { Confirm } from "@/shell/Confirm";
import { OneOf, SomeOf } from "@/shell/choose";
import { useShowProblem } from "@/shell/problems";
import { decimals, toMajor, toMinor } from "../money";
import { BOARD, LEAD } from "../useBoard";

type Props = {
  lead: Card;
  pipeline: Board["pipeline"];
  people: { id: string; name: string }[];
  onClose: () => void;
};

/** What a lead says of itself, to be changed and saved as a whole; and the way to be rid of it. */
export function Fields({ lead, pipeline, people, onClose }: Props) {
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
          <OneOf
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
          <OneOf
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
          <SomeOf
            label={t("board.tags")}
            data={(tags.data?.items ?? []).map((tag) => ({ value: tag.id, label: tag.name }))}
            value={bears}
            onChange={setBears}
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
      {sure && (
        <Confirm
          title={t("board.deleteTitle", { title: lead.title })}
          text={t("board.deleteText")}
          action={t("board.delete")}
          loading={remove.isPending}
          onConfirm={() => remove.mutate()}
          onClose={() => setSure(false)}
        />
      )}
    </form>
  );
}
