import { Button, Modal, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import type { Device, Page } from "@/api/types";
import { KEYS, withDevice } from "@/realtime/apply";
import { useShowProblem } from "@/shell/problems";

/** Names a number, which is then paired. */
export function NewDevice({
  opened,
  onClose,
  onCreated,
}: {
  opened: boolean;
  onClose: () => void;
  onCreated: (id: string) => void;
}) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [name, setName] = useState("");
  const create = useMutation({
    mutationFn: () => api.createDevice(name.trim()),
    onSuccess: (device) => {
      client.setQueryData<Page<Device>>(KEYS.devices, (page) => withDevice(page, device));
      setName("");
      onClose();
      onCreated(device.id);
    },
    onError: showProblem,
  });
  return (
    <Modal opened={opened} onClose={onClose} title={t("devices.add")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) create.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("devices.name")}
            placeholder={t("devices.namePlaceholder")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={100}
            required
            data-autofocus
          />
          <Button type="submit" loading={create.isPending} disabled={!name.trim()}>
            {t("devices.create")}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
