import { Button, Checkbox, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { KeyOut, Scope } from "@/api/generated";
import * as team from "@/api/team";
import { useSession } from "@/session/session";
import { useShowProblem } from "@/shell/problems";
import { Sight } from "../people/Sight";

const SCOPES = ["read", "send", "control", "settings"] as const satisfies readonly Scope[];
const DAY = 86_400;
/** How long a key is good, in days; 0: until it is revoked. */
const LASTS = [0, 30, 90, 365] as const;
/** How long the secret before is still good, in seconds. */
const OVERLAPS = [0, 3600, DAY, 7 * DAY] as const;

export function NewKeyDialog({ onClose, onMade }: { onClose: () => void; onMade: (secret: string) => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const session = useSession();
  const showProblem = useShowProblem();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>(["read"]);
  const [role, setRole] = useState<"agent" | "admin">("agent");
  const [days, setDays] = useState<number>(0);
  const [devices, setDevices] = useState<string[] | null>(session?.user.devices ?? null);
  const make = useMutation({
    mutationFn: () =>
      team.createKey({
        name: name.trim(),
        scopes: scopes as Scope[],
        role,
        devices,
        expires_at: days ? new Date(Date.now() + days * DAY * 1000).toISOString() : null,
      }),
    onSuccess: (key) => {
      onClose();
      onMade(key.secret);
      return client.invalidateQueries({ queryKey: ["keys"] });
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t("keys.add")} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t("keys.name")}
            placeholder={t("keys.placeholder")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={100}
            required
            data-autofocus
          />
          <Checkbox.Group label={t("keys.scopes")} value={scopes} onChange={setScopes}>
            <Stack gap="xs" mt={6}>
              {SCOPES.map((scope) => (
                <Checkbox
                  key={scope}
                  value={scope}
                  label={t(`keys.scope.${scope}`)}
                  description={t(`keys.scopeHint.${scope}`)}
                />
              ))}
            </Stack>
          </Checkbox.Group>
          <Select
            label={t("people.role")}
            description={t(`roleHint.${role}`)}
            data={(["agent", "admin"] as const).map((value) => ({ value, label: t(`role.${value}`) }))}
            value={role}
            onChange={(value) => value && setRole(value as typeof role)}
            allowDeselect={false}
          />
          <Sight
            value={{ devices, chats: "all", teams: [] }}
            onChange={(value) => setDevices(value.devices)}
            withChats={false}
          />
          <Select
            label={t("keys.lasts")}
            data={LASTS.map((count) => ({
              value: String(count),
              label: count ? t("invitations.days", { count }) : t("keys.always"),
            }))}
            value={String(days)}
            onChange={(value) => value && setDays(Number(value))}
            allowDeselect={false}
          />
          <Button type="submit" loading={make.isPending} disabled={!name.trim() || scopes.length === 0}>
            {t("keys.create")}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}

export function RotateDialog({ known, onClose, onMade }: RotateProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [overlap, setOverlap] = useState<number>(DAY);
  const rotate = useMutation({
    mutationFn: () => team.rotateKey(known.id, overlap),
    onSuccess: (key) => {
      onClose();
      onMade(key.secret);
      return client.invalidateQueries({ queryKey: ["keys"] });
    },
    onError: showProblem,
  });
  return (
    <Modal opened onClose={onClose} title={t("keys.rotateTitle", { name: known.name })} centered>
      <Stack>
        <Text size="sm">{t("keys.rotateText")}</Text>
        <Select
          label={t("keys.overlaps")}
          data={OVERLAPS.map((seconds) => ({ value: String(seconds), label: t(`keys.overlapFor.s${seconds}`) }))}
          value={String(overlap)}
          onChange={(value) => value && setOverlap(Number(value))}
          allowDeselect={false}
        />
        <Button loading={rotate.isPending} onClick={() => rotate.mutate()}>
          {t("keys.rotate")}
        </Button>
      </Stack>
    </Modal>
  );
}

type RotateProps = { known: KeyOut; onClose: () => void; onMade: (secret: string) => void };
