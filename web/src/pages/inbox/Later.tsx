import { Button, Group, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAhead } from "@/shell/time";
import { snoozes } from "./each";

type Props = { action: string; onPick: (at: Date) => void; focused?: boolean };

/** A moment ahead: one of those that are mostly meant, or one's own. */
export function Later({ action, onPick, focused }: Props) {
  const { t } = useTranslation();
  const clock = useAhead();
  const [own, setOwn] = useState("");
  return (
    <>
      {snoozes(new Date()).map(({ id, at }, index) => (
        <Button
          key={id}
          variant="default"
          justify="space-between"
          onClick={() => onPick(at)}
          data-autofocus={(focused && index === 0) || undefined}
          rightSection={
            <Text size="xs" c="dimmed">
              {clock(at)}
            </Text>
          }
        >
          {t(`act.until.${id}`)}
        </Button>
      ))}
      <Group align="flex-end" gap="xs">
        <TextInput
          type="datetime-local"
          label={t("act.until.own")}
          flex="1 1 210px"
          value={own}
          onChange={(event) => setOwn(event.currentTarget.value)}
        />
        <Button flex="1 0 auto" disabled={!(Date.parse(own) > Date.now())} onClick={() => onPick(new Date(own))}>
          {action}
        </Button>
      </Group>
    </>
  );
}
