import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as inbox from "@/api/inbox";
import { asProblem } from "@/api/problem";
import { useProblemText } from "@/shell/problems";
import { CONTACTS } from "./useContacts";

/** Enters somebody by their phone. */
export function NewContact({ onClose, onMade }: { onClose: () => void; onMade: (id: string) => void }) {
  const { t } = useTranslation();
  const text = useProblemText();
  const client = useQueryClient();
  const [phone, setPhone] = useState("");
  const [name, setName] = useState("");
  const enter = useMutation({
    mutationFn: () => inbox.enterContact(phone, name.trim()),
    onSuccess: async (contact) => {
      await client.invalidateQueries({ queryKey: CONTACTS });
      onClose();
      onMade(contact.id);
    },
  });
  return (
    <Modal opened onClose={onClose} title={t("contacts.new")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          enter.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("contacts.column.phone")}
            description={t("contacts.phoneHint")}
            placeholder="+52 55 1234 5678"
            type="tel"
            value={phone}
            maxLength={40}
            required
            data-autofocus
            error={enter.isError && text(asProblem(enter.error))}
            onChange={(event) => setPhone(event.currentTarget.value)}
          />
          <TextInput
            label={t("contacts.column.name")}
            value={name}
            maxLength={100}
            required
            dir="auto"
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t("common.cancel")}
            </Button>
            <Button type="submit" loading={enter.isPending} disabled={!phone.trim() || !name.trim()}>
              {t("common.save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
