import {
  ActionIcon,
  Button,
  ColorInput,
  Divider,
  Group,
  Modal,
  NumberInput,
  Select,
  Stack,
  Switch,
  Text,
  TextInput,
} from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Board, Stage } from "@/api/board";
import * as api from "@/api/board";
import { OneOf } from "@/shell/choose";
import { useShowProblem } from "@/shell/problems";
import { BOARD } from "./useBoard";

type Pipeline = Board["pipeline"];
const COLORS = ["#228be6", "#15aabf", "#40c057", "#fab005", "#fd7e14", "#fa5252", "#be4bdb", "#868e96"];

/** The stages of a pipeline: names, colours, chances, order; for who administers the account. */
export function StageSettings({ pipeline, onClose }: { pipeline: Pipeline; onClose: () => void }) {
  const { t } = useTranslation();
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [name, setName] = useState("");
  const [removing, setRemoving] = useState<Stage>();
  const [target, setTarget] = useState<string | null>(null);
  const told = () => {
    void client.invalidateQueries({ queryKey: [BOARD] });
    void client.invalidateQueries({ queryKey: ["pipelines"] });
  };
  const act = useMutation({
    mutationFn: (work: () => Promise<unknown>) => work(),
    onSuccess: told,
    onError: showProblem,
  });
  const order = pipeline.stages.map((stage) => stage.id);
  const swap = (index: number, other: number) => {
    const next = [...order];
    const [moved] = next.splice(index, 1);
    if (moved) next.splice(other, 0, moved);
    act.mutate(() => api.arrangeStages(pipeline.id, next));
  };
  return (
    <Modal opened onClose={onClose} title={t("board.stages")} size="xl" fullScreen={phone} centered>
      <Stack>
        {pipeline.stages.map((stage, index) => (
          <StageRow
            key={`${stage.id}.${pipeline.revision}`}
            stage={stage}
            busy={act.isPending}
            onSave={(change) => act.mutate(() => api.changeStage(pipeline.id, stage.id, change))}
            onUp={index > 0 ? () => swap(index, index - 1) : undefined}
            onDown={index < order.length - 1 ? () => swap(index, index + 1) : undefined}
            onDelete={() => {
              setTarget(null);
              setRemoving(stage);
            }}
          />
        ))}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!name.trim()) return;
            act.mutate(() => api.addStage(pipeline.id, { name: name.trim() }));
            setName("");
          }}
        >
          <Group gap="xs" wrap="nowrap">
            <TextInput
              flex={1}
              aria-label={t("board.newStage")}
              placeholder={t("board.newStage")}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              maxLength={100}
            />
            <Button type="submit" variant="light" leftSection={<IconPlus size={16} />} disabled={!name.trim()}>
              {t("board.addStage")}
            </Button>
          </Group>
        </form>
        <Divider />
        <Switch
          label={t("board.ownerFollowsChat")}
          checked={pipeline.owner_follows_chat !== false}
          onChange={(event) => {
            const owner_follows_chat = event.currentTarget.checked;
            act.mutate(() => api.changePipeline(pipeline.id, { owner_follows_chat }));
          }}
        />
        <Switch
          label={t("board.chatFollowsOwner")}
          checked={pipeline.chat_follows_owner !== false}
          onChange={(event) => {
            const chat_follows_owner = event.currentTarget.checked;
            act.mutate(() => api.changePipeline(pipeline.id, { chat_follows_owner }));
          }}
        />
      </Stack>
      <Modal
        opened={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        title={t("board.deleteStageTitle", { name: removing?.name ?? "" })}
        centered
      >
        <Stack>
          <Text size="sm">{t("board.deleteStageText")}</Text>
          <OneOf
            label={t("board.moveTo")}
            data={pipeline.stages
              .filter((stage) => stage.id !== removing?.id)
              .map((stage) => ({ value: stage.id, label: stage.name }))}
            value={target}
            onChange={setTarget}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setRemoving(undefined)}>
              {t("common.cancel")}
            </Button>
            <Button
              color="red"
              onClick={() => {
                const stage = removing;
                setRemoving(undefined);
                if (stage) act.mutate(() => api.deleteStage(pipeline.id, stage.id, target ?? undefined));
              }}
            >
              {t("board.deleteStage")}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Modal>
  );
}

type RowProps = {
  stage: Stage;
  busy: boolean;
  onSave: (change: Parameters<typeof api.changeStage>[2]) => void;
  onUp: (() => void) | undefined;
  onDown: (() => void) | undefined;
  onDelete: () => void;
};

function StageRow({ stage, busy, onSave, onUp, onDown, onDelete }: RowProps) {
  const { t } = useTranslation();
  const [name, setName] = useState(stage.name);
  return (
    <Group gap="xs" align="flex-end" data-testid="stage-row">
      <TextInput
        flex={1}
        miw={130}
        size="xs"
        label={t("board.stageName")}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        onBlur={() => name.trim() && name.trim() !== stage.name && onSave({ name: name.trim() })}
        maxLength={100}
      />
      <Select
        size="xs"
        w={105}
        label={t("board.kind")}
        data={(["open", "won", "lost"] as const).map((kind) => ({ value: kind, label: t(`board.kinds.${kind}`) }))}
        value={stage.kind}
        onChange={(kind) => kind && onSave({ kind: kind as Stage["kind"] })}
        allowDeselect={false}
      />
      <ColorInput
        size="xs"
        w={110}
        label={t("board.color")}
        swatches={COLORS}
        defaultValue={stage.color}
        onChangeEnd={(color) => /^#[0-9a-f]{6}$/i.test(color) && onSave({ color })}
      />
      <NumberInput
        size="xs"
        w={70}
        label={t("board.probability")}
        min={0}
        max={100}
        hideControls
        defaultValue={stage.probability}
        onBlur={(event) => {
          const probability = Number(event.currentTarget.value);
          if (Number.isInteger(probability) && probability !== stage.probability) onSave({ probability });
        }}
      />
      <NumberInput
        size="xs"
        w={80}
        label={t("board.rotting")}
        min={1}
        max={3650}
        hideControls
        defaultValue={stage.rotting_days ?? ""}
        onBlur={(event) => {
          const rotting_days = event.currentTarget.value === "" ? null : Number(event.currentTarget.value);
          if (rotting_days !== (stage.rotting_days ?? null)) onSave({ rotting_days });
        }}
      />
      <ActionIcon.Group>
        <ActionIcon
          variant="default"
          aria-label={t("board.up", { name: stage.name })}
          disabled={!onUp || busy}
          onClick={onUp}
        >
          <IconArrowUp size={16} />
        </ActionIcon>
        <ActionIcon
          variant="default"
          aria-label={t("board.down", { name: stage.name })}
          disabled={!onDown || busy}
          onClick={onDown}
        >
          <IconArrowDown size={16} />
        </ActionIcon>
        <ActionIcon
          variant="default"
          c="red"
          aria-label={t("board.deleteStageTitle", { name: stage.name })}
          disabled={busy}
          onClick={onDelete}
        >
          <IconTrash size={16} />
        </ActionIcon>
      </ActionIcon.Group>
    </Group>
  );
}
