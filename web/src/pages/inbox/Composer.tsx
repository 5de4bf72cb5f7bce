import { ActionIcon, Group, Text, Textarea } from "@mantine/core";
import { IconSend2 } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type KeyboardEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import type { Device, Message } from "@/api/types";
import { KEYS, type Pages, touchChats, withMessage } from "@/realtime/apply";
import { here } from "@/realtime/presence";
import { useShowProblem } from "@/shell/problems";
import classes from "./Composer.module.css";

const LIMIT = 60_000;
const draftKey = (chat: string) => `clarin.draft.${chat}`;

/** The box to answer. What is typed outlives a reload and a lost session; what could not be sent comes back into the box. */
export function Composer({ chatId, device }: { chatId: string; device: Device | undefined }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [text, setText] = useState(() => sessionStorage.getItem(draftKey(chatId)) ?? "");

  const keep = (next: string) => {
    setText(next);
    if (next) here.type(chatId, Date.now());
    else here.rest(chatId);
    if (next) sessionStorage.setItem(draftKey(chatId), next);
    else sessionStorage.removeItem(draftKey(chatId));
  };
  const show = (message: Message, replaces?: string) => {
    client.setQueryData<Pages<Message>>(KEYS.messages(chatId), (pages) => withMessage(pages, message, replaces));
    if (replaces) touchChats(client, message, { unread: false });
  };

  const send = useMutation({
    retry: 2, // the same key goes with it, so that it is never sent twice
    mutationFn: ({ key, body }: { key: string; body: string }) => api.sendText({ chat_id: chatId, text: body }, key),
    onMutate: ({ key, body }) => {
      show({
        id: `pending-${key}`,
        chat_id: chatId,
        device_id: device?.id ?? "",
        from_me: true,
        kind: "text",
        status: "queued",
        at: new Date().toISOString(),
        text: body,
      });
    },
    onSuccess: (message, { key }) => show(message, `pending-${key}`),
    onError: (error, { key, body }) => {
      client.setQueryData<Pages<Message>>(KEYS.messages(chatId), (pages) =>
        pages
          ? {
              ...pages,
              pages: pages.pages.map((page) => ({
                ...page,
                items: page.items.filter((item) => item.id !== `pending-${key}`),
              })),
            }
          : pages,
      );
      keep([body, text].filter(Boolean).join("\n"));
      showProblem(error);
    },
  });

  const tooLong = text.length > LIMIT;
  const submit = () => {
    const body = text.trim();
    if (!body || tooLong) return;
    keep("");
    send.mutate({ key: crypto.randomUUID(), body });
  };
  const typed = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    }
  };

  return (
    <form
      className={classes.box}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {device && device.state !== "connected" && (
        <Text size="xs" className={classes.note} role="status">
          {t("inbox.disconnected", { device: device.name })}
        </Text>
      )}
      <Group align="flex-end" gap="xs" wrap="nowrap">
        <Textarea
          flex={1}
          autosize
          minRows={1}
          maxRows={8}
          radius="lg"
          size="md"
          placeholder={t("inbox.write")}
          aria-label={t("inbox.write")}
          title={t("inbox.hint")}
          value={text}
          onChange={(event) => keep(event.currentTarget.value)}
          onKeyDown={typed}
          error={tooLong ? t("inbox.tooLong", { count: text.length }) : undefined}
          dir="auto"
        />
        <ActionIcon type="submit" size={42} radius="xl" aria-label={t("inbox.send")} disabled={!text.trim() || tooLong}>
          <IconSend2 size={20} />
        </ActionIcon>
      </Group>
    </form>
  );
}
