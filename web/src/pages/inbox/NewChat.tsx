import { Button, Modal, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import { asProblem } from "@/api/problem";
import type { Device } from "@/api/types";
import { KEYS } from "@/realtime/apply";
import { OneOf } from "@/shell/choose";
import { useProblemText } from "@/shell/problems";

/** Writes first to somebody who has not written yet. */
export function NewChat({
  opened,
  onClose,
  devices,
  to: given = "",
}: {
  opened: boolean;
  onClose: () => void;
  devices: Device[];
  to?: string | undefined;
}) {
  const { t } = useTranslation();
  const text = useProblemText();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [device, setDevice] = useState<string | null>(null);
  const [to, setTo] = useState(given);
  useEffect(() => setTo(given), [given]);
  const [body, setBody] = useState("");
  const key = useRef(crypto.randomUUID());
  const from = device ?? devices.find((item) => item.state === "connected")?.id ?? devices[0]?.id ?? null;
  const send = useMutation({
    mutationFn: () => api.sendText({ device_id: from ?? "", to, text: body.trim() }, key.current),
    onSuccess: async (message) => {
      key.current = crypto.randomUUID();
      setTo("");
      setBody("");
      onClose();
      await client.invalidateQueries({ queryKey: KEYS.chats });
      await navigate({ to: "/inbox/$chatId", params: { chatId: message.chat_id } });
    },
  });
  return (
    <Modal opened={opened} onClose={onClose} title={t("inbox.new")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send.mutate();
        }}
      >
        <Stack>
          <OneOf
            label={t("inbox.newFrom")}
            data={devices.map((item) => ({
              value: item.id,
              label: `${item.name} · ${t(`devices.state.${item.state}`)}`,
            }))}
            value={from}
            onChange={setDevice}
            allowDeselect={false}
            required
          />
          <TextInput
            label={t("inbox.newTo")}
            description={t("pair.phoneHint")}
            inputMode="tel"
            value={to}
            onChange={(event) => setTo(event.currentTarget.value)}
            error={send.error ? text(asProblem(send.error)) : undefined}
            required
            data-autofocus
          />
          <Textarea
            label={t("inbox.newText")}
            autosize
            minRows={3}
            maxRows={10}
            maxLength={60000}
            value={body}
            onChange={(event) => setBody(event.currentTarget.value)}
            required
          />
          <Button
            type="submit"
            loading={send.isPending}
            disabled={!from || !body.trim() || to.replace(/\D/g, "").length < 7}
          >
            {t("inbox.send")}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
