import { Button, Card, Group, Modal, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as team from "@/api/team";
import type { User } from "@/api/types";
import { useSession } from "@/session/session";
import { Loaded } from "@/shell/Loaded";
import { useShowProblem } from "@/shell/problems";
import { useMoment } from "@/shell/time";
import { ShownOnce } from "../parts";
import { Sight } from "./Sight";
import { RoleSelect } from "./UserDialog";

const DAYS = [1, 7, 30] as const;

/** The invitations that nobody has used yet. */
export function Invitations() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const moment = useMoment();
  const showProblem = useShowProblem();
  const open = useQuery({ queryKey: ["invitations"], queryFn: team.invitations });
  const revoke = useMutation({
    mutationFn: team.revokeInvitation,
    onSuccess: () => client.invalidateQueries({ queryKey: ["invitations"] }),
    onError: showProblem,
  });
  if (open.data?.length === 0) return null;
  return (
    <section aria-label={t("invitations.title")}>
      <Title order={2} size="h4" mb="sm">
        {t("invitations.title")}
      </Title>
      <Loaded query={open}>
        {(items) => (
          <Stack gap="xs">
            {items.map((invitation) => (
              <Card key={invitation.id} withBorder padding="sm" component="article">
                <Group justify="space-between" wrap="nowrap">
                  <div style={{ minWidth: 0 }}>
                    <Text fw={500} truncate>
                      {invitation.email ?? t("invitations.anybody")}
                    </Text>
                    <Text size="sm" c="dimmed">
                      {t(`role.${invitation.role}`)} · {t("invitations.until", { at: moment(invitation.expires_at) })}
                    </Text>
                  </div>
                  <Button
                    variant="subtle"
                    color="red"
                    size="xs"
                    loading={revoke.isPending && revoke.variables === invitation.id}
                    onClick={() => revoke.mutate(invitation.id)}
                  >
                    {t("invitations.revoke")}
                  </Button>
                </Group>
              </Card>
            ))}
          </Stack>
        )}
      </Loaded>
    </section>
  );
}

/** Invites somebody; then shows the link, which is the only thing that lets them in. */
export function InviteDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const session = useSession();
  const showProblem = useShowProblem();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<User["role"]>("agent");
  const [days, setDays] = useState<number>(7);
  const [sees, setSees] = useState({
    devices: session?.user.devices ?? null,
    chats: session?.user.chats ?? ("all" as const),
    teams: [] as string[],
  });
  const invite = useMutation({
    mutationFn: () => team.invite({ email: email.trim() || null, role, days, ...sees }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["invitations"] }),
    onError: showProblem,
  });
  if (invite.data)
    return (
      <ShownOnce
        title={t("invitations.made")}
        hint={t(invite.data.mailed ? "invitations.mailed" : "invitations.handOn")}
        value={new URL(invite.data.url, window.location.origin).href}
        onClose={onClose}
      />
    );
  return (
    <Modal opened onClose={onClose} title={t("people.invite")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          invite.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("login.email")}
            description={t("invitations.emailHint")}
            type="email"
            maxLength={254}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
            data-autofocus
          />
          <RoleSelect value={role} onChange={setRole} />
          <Sight value={sees} onChange={setSees} />
          <Select
            label={t("invitations.lasts")}
            data={DAYS.map((count) => ({ value: String(count), label: t("invitations.days", { count }) }))}
            value={String(days)}
            onChange={(value) => value && setDays(Number(value))}
            allowDeselect={false}
          />
          <Button type="submit" loading={invite.isPending}>
            {t("invitations.create")}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
