import { ActionIcon, Avatar, Badge, Button, Card, Group, Menu, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDots, IconUserPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as team from "@/api/team";
import type { User } from "@/api/types";
import { useMayManage, useSession } from "@/session/session";
import { Confirm } from "@/shell/Confirm";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { Invitations, InviteDialog } from "./Invitations";
import { Teams } from "./Teams";
import { UserDialog } from "./UserDialog";

const COLOR = { owner: "grape", admin: "clarin", agent: "gray" } as const;

/** Who is in the account, in which teams, and who is invited. */
export function PeoplePage() {
  const { t } = useTranslation();
  const mayManage = useMayManage();
  const users = useQuery({ queryKey: ["users"], queryFn: team.users });
  const teams = useQuery({ queryKey: ["teams"], queryFn: team.teams });
  const [inviting, invite] = useDisclosure();
  const [editing, edit] = useState<User>();
  const named = new Map((teams.data ?? []).map(({ id, name }) => [id, name]));
  return (
    <Stack gap="xl">
      <section aria-label={t("people.title")}>
        <Group justify="space-between" mb="sm">
          <Title order={2} size="h4">
            {t("people.title")}
          </Title>
          {mayManage && (
            <Button leftSection={<IconUserPlus size={18} />} onClick={invite.open}>
              {t("people.invite")}
            </Button>
          )}
        </Group>
        <Loaded query={users}>
          {(items) => (
            <Stack gap="xs">
              {items.map((user) => (
                <Person key={user.id} user={user} teams={named} onEdit={() => edit(user)} />
              ))}
            </Stack>
          )}
        </Loaded>
      </section>
      {mayManage && <Invitations />}
      <Teams users={users.data ?? []} mayManage={mayManage} />
      {inviting && <InviteDialog onClose={invite.close} />}
      {editing && <UserDialog user={editing} onClose={() => edit(undefined)} />}
    </Stack>
  );
}

function Person({ user, teams, onEdit }: { user: User; teams: Map<string, string>; onEdit: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const session = useSession();
  const mayManage = useMayManage();
  const showProblem = useShowProblem();
  const [asking, ask] = useDisclosure();
  const stand = useMutation({
    mutationFn: (active: boolean) => team.changeUser(user.id, { active }),
    onSuccess: () => {
      ask.close();
      return client.invalidateQueries({ queryKey: ["users"] });
    },
    onError: showProblem,
  });
  const me = session?.user.id === user.id;
  const mayTouch = mayManage && (session?.user.role === "owner" || user.role !== "owner");
  const sight = [
    user.devices ? t("people.someNumbers", { count: user.devices.length }) : undefined,
    user.chats && user.chats !== "all" ? t(`people.sees.${user.chats}`) : undefined,
  ].filter(Boolean);
  return (
    <Card withBorder padding="sm" component="article" aria-label={user.name} opacity={user.active ? 1 : 0.65}>
      <Group wrap="nowrap">
        <Avatar name={user.name} color="clarin" radius="xl" />
        <div style={{ minWidth: 0, flex: 1 }}>
          <Group gap={6}>
            <Text fw={600} truncate>
              {user.name}
            </Text>
            {me && (
              <Text size="sm" c="dimmed">
                {t("people.me")}
              </Text>
            )}
            <Badge color={COLOR[user.role]} variant="light" style={{ textTransform: "none" }}>
              {t(`role.${user.role}`)}
            </Badge>
            {!user.active && (
              <Badge color="red" variant="light" style={{ textTransform: "none" }}>
                {t("people.disabled")}
              </Badge>
            )}
            {(user.teams ?? []).map((id) => (
              <Badge key={id} variant="outline" color="gray" style={{ textTransform: "none" }}>
                {teams.get(id) ?? "…"}
              </Badge>
            ))}
          </Group>
          <Text size="sm" c="dimmed" truncate>
            {[user.email, ...sight].join(" · ")}
          </Text>
        </div>
        {mayTouch && (
          <Menu position="bottom-end" withArrow>
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" aria-label={t("people.actions", { name: user.name })}>
                <IconDots size={18} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={onEdit}>{t("people.edit")}</Menu.Item>
              {!me && user.active && (
                <Menu.Item color="red" onClick={ask.open}>
                  {t("people.disable")}
                </Menu.Item>
              )}
              {!me && !user.active && <Menu.Item onClick={() => stand.mutate(true)}>{t("people.enable")}</Menu.Item>}
            </Menu.Dropdown>
          </Menu>
        )}
      </Group>
      {asking && (
        <Confirm
          title={t("people.disableTitle", { name: user.name })}
          text={t("people.disableText")}
          action={t("people.disable")}
          loading={stand.isPending}
          onConfirm={() => stand.mutate(false)}
          onClose={ask.close}
        />
      )}
    </Card>
  );
}
