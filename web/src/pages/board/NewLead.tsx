import { Button, Group, Modal, NumberInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Board } from "@/api/board";
import * as api from "@/api/board";
import { OneOf } from "@/shell/choose";
import { useShowProblem } from "@/shell/problems";
import { decimals, toMinor } from "./money";
import { BOARD } from "./useBoard";

/** Enters a lead; a title is enough. */
export function NewLead({ board, onClose }: { board: Board; onClose: (made: boolean) => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const currency = board.pipeline.currency;
  const [title, setTitle] = useState("");
  const [value, setValue] = useState<number | string>("");
  const [stage, setStage] = useState(board.items.find((column) => column.kind === "open")?.id ?? board.items[0]?.id);
  const make = useMutation({
    mutationFn: () =>
      api.enterLead({
        title: title.trim(),
        stage_id: stage,
        value: typeof value === "number" ? toMinor(value, currency) : 0,
        currency,
      }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: [BOARD] });
      onClose(true);
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={() => onClose(false)} title={t("board.new")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (title.trim()) make.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("board.leadTitle")}
            placeholder={t("board.leadTitleHint")}
            value={title}
            onChange={(event) => setTitle(event.currentTarget.value)}
            maxLength={200}
            required
            data-autofocus
          />
          <Group grow align="flex-start">
            <NumberInput
              label={t("board.value", { currency })}
              value={value}
              onChange={setValue}
              min={0}
              max={99_999_999_999}
              decimalScale={decimals(currency)}
              thousandSeparator=" "
              hideControls
            />
            <OneOf
              label={t("board.stage")}
              data={board.items.map((column) => ({ value: column.id, label: column.name }))}
              value={stage ?? null}
              onChange={(chosen) => chosen && setStage(chosen)}
              allowDeselect={false}
            />
          </Group>
          <Button type="submit" loading={make.isPending} disabled={!title.trim()}>
            {t("board.create")}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
