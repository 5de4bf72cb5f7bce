import { Button, Card, Group, Modal, SimpleGrid, Stack, Text, TextInput, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { TeamOut } from "@/api/generated";
import * as team from "@/api/team";
import type { User } from "@/api/types";
import { SomeOf } from "@/shell/choose";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { Removal } from "../parts";

/** The teams, and who is in them. */
export function Teams({ users, mayManage }: { users: User[]; mayManage: boolean }) {
  const { t } = useTranslation();
  const teams = useQuery({ queryKey: ["teams"], queryFn: team.teams });
  const [editing, edit] = useState<TeamOut | "new">();
  const [deleting, remove] = useState<TeamOut>();
  const named = new Map(users.map(({ id, name }) => [id, name]));
  return (
    <section aria-label={t("teams.title")}>
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4">
          {t("teams.title")}
        </Title>
        {mayManage && (
          <Button variant="light" leftSection={<IconPlus size={18} />} onClick={() => edit("new")}>
            {t("teams.add")}
          </Button>
        )}
      </Group>
      <Loaded query={teams}>
        {(items) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t("teams.empty")}
            </Text>
          ) : (
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
              {items.map((item) => (
                <Card key={item.id} withBorder padding="md" component="article" aria-label={item.name}>
                  <Stack gap={6} h="100%">
                    <Text fw={600}>{item.name}</Text>
                    <Text size="sm" c="dimmed" flex={1}>
                      {item.members.map((id) => named.get(id) ?? "…").join(", ") || t("teams.nobody")}
                    </Text>
                    {mayManage && (
                      <Group gap="xs">
                        <Button size="xs" variant="light" onClick={() => edit(item)}>
                          {t("people.edit")}
                        </Button>
                        <Button size="xs" variant="subtle" color="red" onClick={() => remove(item)}>
                          {t("teams.delete")}
                        </Button>
                      </Group>
                    )}
                  </Stack>
                </Card>
              ))}
            </SimpleGrid>
          )
        }
      </Loaded>
      {editing && (
        <TeamDialog team={editing === "new" ? undefined : editing} users={users} onClose={() => edit(undefined)} />
      )}
      {deleting && <Delete team={deleting} onClose={() => remove(undefined)} />}
    </section>
  );
}

function TeamDialog({
  team: known,
  users,
  onClose,
}: {
  team?: TeamOut | undefined;
  users: User[];
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [name, setName] = useState(known?.name ?? "");
  const [members, setMembers] = useState(known?.members ?? []);
  const save = useMutation({
    mutationFn: () => (known ? team.changeTeam(known.id, { name, members }) : team.createTeam({ name, members })),
    onSuccess: async () => {
      onClose();
      await Promise.all([
        client.invalidateQueries({ queryKey: ["teams"] }),
        client.invalidateQueries({ queryKey: ["users"] }),
      ]);
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t(known ? "teams.edit" : "teams.add")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("teams.name")}
            placeholder={t("teams.placeholder")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={100}
            required
            data-autofocus
          />
          <SomeOf
            label={t("teams.members")}
            data={users.map((user) => ({ value: user.id, label: user.name }))}
            value={members}
            onChange={setMembers}
            clearable
          />
          <Button type="submit" loading={save.isPending} disabled={!name.trim()}>
            {t("common.save")}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}

function Delete({ team: known, onClose }: { team: TeamOut; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Removal
      title={t("teams.deleteTitle", { name: known.name })}
      text={t("teams.deleteText")}
      action={t("teams.delete")}
      remove={() => team.deleteTeam(known.id)}
      lists={["teams", "users"]}
      onClose={onClose}
    />
  );
}
