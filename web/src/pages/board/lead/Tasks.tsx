import { ActionIcon, Checkbox, Group, Stack, TextInput } from "@mantine/core";
import { IconClockExclamation, IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Card } from "@/api/board";
import * as api from "@/api/board";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";
import { overdue } from "../apply";
import { BOARD, LEAD } from "../useBoard";

/** What is to be done about a lead, and by when. */
export function Tasks({ lead }: { lead: Card }) {
  const { t } = useTranslation();
  const moment = useMoment();
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
            task.due_at && <Due at={moment(task.due_at)} late={!task.done_at && overdue(task.due_at, Date.now())} />
          }
        />
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (title.trim()) make.mutate();
        }}
      >
        <Group gap="xs" align="flex-end">
          <TextInput
            flex="1 1 150px"
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
            flex="1 0 196px"
            maw={{ sm: 196 }}
          />
          <ActionIcon
            type="submit"
            size="lg"
            variant="light"
            aria-label={t("board.addTask")}
            loading={make.isPending}
            disabled={!title.trim()}
          >
            <IconPlus size={16} />
          </ActionIcon>
        </Group>
      </form>
    </Stack>
  );
}

/** By when; what is overdue says so, with a sign beside its colour. */
function Due({ at, late }: { at: string; late: boolean }) {
  const { t } = useTranslation();
  if (!late) return at;
  return (
    <Group component="span" gap={4} c="var(--mantine-color-error)" fw={600} data-overdue>
      <IconClockExclamation size={14} aria-hidden />
      {t("board.overdue")} · {at}
    </Group>
  );
}
