import { ActionIcon, Group, Stack, Text, Textarea } from "@mantine/core";
import { IconSend, IconTrash } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useShowProblem } from "./problems";

type Note = {
  id: string;
  text: string;
  /** Who wrote it, and when. */
  by: string;
  drop?: { label: string; run: () => void } | undefined;
};
type Props = { field: string; action: string; most: number; notes: Note[]; add: (text: string) => Promise<unknown> };

/** What people wrote about something, and the line for one more: Enter adds it, with Shift it goes on. */
export function Notebook({ field, action, most, notes, add }: Props) {
  const showProblem = useShowProblem();
  const [text, setText] = useState("");
  const write = useMutation({
    mutationFn: () => add(text.trim()),
    onSuccess: () => setText(""),
    onError: showProblem,
  });
  return (
    <Stack gap="xs">
      <Group gap="xs" wrap="nowrap" align="flex-end">
        <Textarea
          flex={1}
          size="sm"
          aria-label={field}
          placeholder={field}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing || !text.trim()) return;
            event.preventDefault();
            if (!write.isPending) write.mutate();
          }}
          autosize
          minRows={1}
          maxRows={6}
          maxLength={most}
        />
        <ActionIcon
          size={36}
          variant="light"
          aria-label={action}
          loading={write.isPending}
          disabled={!text.trim()}
          onClick={() => write.mutate()}
        >
          <IconSend size={16} />
        </ActionIcon>
      </Group>
      {notes.map((note) => (
        <Group key={note.id} wrap="nowrap" align="flex-start" gap={4}>
          <div style={{ flex: 1, minWidth: 0 }}>
            <Text size="sm" dir="auto" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
              {note.text}
            </Text>
            <Text size="xs" c="dimmed">
              {note.by}
            </Text>
          </div>
          {note.drop && (
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              aria-label={note.drop.label}
              onClick={() => note.drop?.run()}
            >
              <IconTrash size={14} />
            </ActionIcon>
          )}
        </Group>
      ))}
    </Stack>
  );
}
