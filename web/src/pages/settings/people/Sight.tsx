import { Checkbox, Input, SegmentedControl, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import * as api from "@/api/calls";
import * as team from "@/api/team";
import { KEYS } from "@/realtime/apply";
import { SomeOf } from "@/shell/choose";

/** What somebody sees of the account. */
export type Sees = { devices: string[] | null; chats: "all" | "team" | "own"; teams: string[] };

export const SEES_ALL: Sees = { devices: null, chats: "all", teams: [] };

/** Chooses the numbers, the teams and which chats somebody sees. */
export function Sight({ value, onChange, withChats = true }: SightProps) {
  const { t } = useTranslation();
  const narrow = useMediaQuery("(max-width: 24em)", false, { getInitialValueInEffect: false });
  const devices = useQuery({ queryKey: KEYS.devices, queryFn: api.devices });
  const teams = useQuery({ queryKey: ["teams"], queryFn: team.teams, enabled: withChats });
  return (
    <Stack gap="sm">
      <Checkbox
        label={t("people.allNumbers")}
        checked={value.devices === null}
        onChange={(event) => onChange({ ...value, devices: event.currentTarget.checked ? null : [] })}
      />
      {value.devices !== null && (
        <SomeOf
          label={t("people.numbers")}
          placeholder={value.devices.length ? undefined : t("people.noNumbers")}
          data={(devices.data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          value={value.devices}
          onChange={(chosen) => onChange({ ...value, devices: chosen })}
          clearable
        />
      )}
      {withChats && (
        <>
          <SomeOf
            label={t("people.teams")}
            placeholder={value.teams.length ? undefined : t("people.noTeams")}
            data={(teams.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
            value={value.teams}
            onChange={(chosen) => onChange({ ...value, teams: chosen })}
            clearable
          />
          <div>
            <Input.Label labelElement="div" id="which-chats" mb={4}>
              {t("people.chats")}
            </Input.Label>
            <SegmentedControl
              fullWidth
              orientation={narrow ? "vertical" : "horizontal"}
              aria-labelledby="which-chats"
              value={value.chats}
              onChange={(chosen) => onChange({ ...value, chats: chosen as Sees["chats"] })}
              data={(["all", "team", "own"] as const).map((chats) => ({
                value: chats,
                label: t(`people.sees.${chats}`),
              }))}
            />
            <Text size="xs" c="dimmed" mt={4}>
              {t(`people.seesHint.${value.chats}`)}
            </Text>
          </div>
        </>
      )}
    </Stack>
  );
}

type SightProps = { value: Sees; onChange: (value: Sees) => void; withChats?: boolean };
