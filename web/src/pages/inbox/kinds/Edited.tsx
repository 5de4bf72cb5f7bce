import { Loader, Popover, Stack, Text, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import { asProblem } from "@/api/problem";
import { useProblemText } from "@/shell/problems";
import { useTime } from "@/shell/time";
import classes from "../Bubble.module.css";

/** Says that a message was changed, and shows what it said before to whoever asks. */
export function Edited({ id, at }: { id: string; at: string }) {
  const { t } = useTranslation();
  const time = useTime();
  const [open, setOpen] = useState(false);
  return (
    <Popover opened={open} onChange={setOpen} position="top" shadow="md" width={280} trapFocus returnFocus withinPortal>
      <Popover.Target>
        <UnstyledButton
          className={classes.edited ?? ""}
          title={time(at)}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          {t("message.edited")}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown p="xs" aria-label={t("message.former")} data-testid="former">
        {open && <Former id={id} at={at} />}
      </Popover.Dropdown>
    </Popover>
  );
}

function Former({ id, at }: { id: string; at: string }) {
  const { t } = useTranslation();
  const time = useTime();
  const problemText = useProblemText();
  const { data, error } = useQuery({ queryKey: ["edits", id, at], queryFn: () => api.edits(id) });
  return (
    <Stack gap={8} mah={260} style={{ overflowY: "auto" }} tabIndex={0} data-autofocus>
      <Text size="xs" fw={600}>
        {t("message.former")}
      </Text>
      {error ? (
        <Text size="xs" c="red">
          {problemText(asProblem(error))}
        </Text>
      ) : !data ? (
        <Loader size="xs" aria-label={t("common.loading")} />
      ) : data.items.length === 0 ? (
        <Text size="xs" c="dimmed">
          {t("message.noFormer")}
        </Text>
      ) : (
        data.items.map((one) => (
          <div key={`${one.at} ${one.text}`}>
            <Text size="xs" c="dimmed">
              {time(one.at)}
            </Text>
            <Text size="sm" dir="auto" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
              {one.text}
            </Text>
          </div>
        ))
      )}
    </Stack>
  );
}
