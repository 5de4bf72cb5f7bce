import { Button, Modal, Select, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as team from "@/api/team";
import type { User } from "@/api/types";
import { SESSION, useSession } from "@/session/session";
import { useShowProblem } from "@/shell/problems";
import { type Sees, Sight } from "./Sight";

/** Changes somebody's name, role and what they see; of oneself the name alone. */
export function UserDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const session = useSession();
  const showProblem = useShowProblem();
  const me = session?.user.id === user.id;
  const [name, setName] = useState(user.name);
  const [role, setRole] = useState(user.role);
  const [sees, setSees] = useState<Sees>({
    devices: user.devices ?? null,
    chats: user.chats ?? "all",
    teams: user.teams ?? [],
  });
  const save = useMutation({
    mutationFn: () => team.changeUser(user.id, me ? { name } : { name, role, ...sees }),
    onSuccess: async () => {
      onClose();
      await Promise.all([
        client.invalidateQueries({ queryKey: ["users"] }),
        client.invalidateQueries({ queryKey: ["teams"] }),
        me ? client.invalidateQueries({ queryKey: SESSION }) : undefined,
      ]);
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t("people.editTitle", { name: user.name })} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("people.name")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={100}
            required
            data-autofocus
          />
          {!me && (
            <>
              <RoleSelect value={role} onChange={setRole} />
              <Sight value={sees} onChange={setSees} />
            </>
          )}
          <Button type="submit" loading={save.isPending} disabled={!name.trim()}>
            {t("common.save")}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}

/** Chooses a role that the one who chooses may give. */
export function RoleSelect({ value, onChange }: { value: User["role"]; onChange: (role: User["role"]) => void }) {
  const { t } = useTranslation();
  const session = useSession();
  const roles: User["role"][] = session?.user.role === "owner" ? ["agent", "admin", "owner"] : ["agent", "admin"];
  return (
    <Select
      label={t("people.role")}
      description={t(`roleHint.${value}`)}
      data={roles.map((role) => ({ value: role, label: t(`role.${role}`) }))}
      value={value}
      onChange={(role) => role && onChange(role as User["role"])}
      allowDeselect={false}
    />
  );
}
