import { Badge, Box, Button, Group, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/bot";
import { useShowProblem } from "@/shell/problems";

/** The bot as a chat, before it is saved: what it would say to each message, and why. */
export function Rehearsal({ draft }: { draft: api.Draft }) {
  const { t } = useTranslation();
  const showProblem = useShowProblem();
  const [steps, setSteps] = useState<api.Step[]>([]);
  const [text, setText] = useState("");
  const run = useMutation({
    mutationFn: (all: api.Step[]) => api.simulate({ ...draft, enabled: true }, all),
    onError: showProblem,
  });
  const walk = (step: api.Step) => {
    const all = [...steps, step];
    setSteps(all);
    run.mutate(all);
  };
  const outcomes = run.data?.steps ?? [];
  return (
    <Stack gap="xs">
      <Paper
        withBorder
        p="sm"
        mih={120}
        mah={380}
        style={{ overflowY: "auto" }}
        aria-live="polite"
        data-testid="rehearsal"
      >
        {steps.length === 0 && (
          <Text size="sm" c="dimmed">
            {t("bot.tryEmpty")}
          </Text>
        )}
        {steps.map((step, place) => {
          const outcome = outcomes[place];
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a conversation only grows at its end
            <Stack key={place} gap={4} mb="xs">
              {step.who === "customer" ? (
                <Said mine={false}>{step.text}</Said>
              ) : (
                <Text size="xs" c="dimmed" ta="center">
                  {t(step.who === "person" ? "bot.personAnswered" : "bot.chatClosed")}
                </Text>
              )}
              {outcome?.text && <Said mine>{outcome.text}</Said>}
              {outcome?.why && (
                <Group gap={4} justify="flex-end">
                  <Badge variant="light" color={outcome.text ? "teal" : "gray"} style={{ textTransform: "none" }}>
                    {t(`bot.why.${outcome.why}`)}
                  </Badge>
                  {outcome.hand_over && (
                    <Badge variant="light" color="yellow" style={{ textTransform: "none" }}>
                      {t("bot.handedOver")}
                    </Badge>
                  )}
                </Group>
              )}
            </Stack>
          );
        })}
      </Paper>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) walk({ who: "customer", text: text.trim() });
          setText("");
        }}
      >
        <Group gap="xs">
          <TextInput
            flex={1}
            aria-label={t("bot.tryWrite")}
            placeholder={t("bot.tryWrite")}
            maxLength={1000}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Button type="submit" loading={run.isPending}>
            {t("bot.tryGo")}
          </Button>
        </Group>
      </form>
      <Group gap="xs">
        <Button size="xs" variant="default" onClick={() => walk({ who: "person" })}>
          {t("bot.tryPerson")}
        </Button>
        <Button size="xs" variant="default" onClick={() => walk({ who: "close" })}>
          {t("bot.tryClose")}
        </Button>
        <Button size="xs" variant="subtle" color="gray" onClick={() => setSteps([])}>
          {t("bot.tryAgain")}
        </Button>
      </Group>
    </Stack>
  );
}

function Said({ mine, children }: { mine: boolean; children: React.ReactNode }) {
  return (
    <Box
      maw="80%"
      px="sm"
      py={6}
      bg={mine ? "var(--mantine-color-teal-light)" : "var(--mantine-color-default-hover)"}
      style={{
        alignSelf: mine ? "flex-end" : "flex-start",
        borderRadius: 10,
        whiteSpace: "pre-wrap",
        overflowWrap: "anywhere",
      }}
    >
      <Text size="sm">{children}</Text>
    </Box>
  );
}
