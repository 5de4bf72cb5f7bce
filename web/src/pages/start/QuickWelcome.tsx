import { Anchor, Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/bot";
import { useShowProblem } from "@/shell/problems";

/** The message that greets whoever writes for the first time; everything else of the bot stays as it is. */
export function QuickWelcome({ settings }: { settings: api.Settings }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const [words, setWords] = useState(settings.welcome?.reply?.text ?? t("bot.welcomeExample"));
  const save = useMutation({
    mutationFn: () => {
      const { own: _, ...kept } = settings;
      return api.setBot({
        ...kept,
        enabled: true,
        welcome: { ...kept.welcome, enabled: true, reply: { ...kept.welcome?.reply, text: words } },
      });
    },
    onSuccess: (saved) => client.setQueryData(["bot"], saved),
    onError: (error) => {
      showProblem(error);
      void client.invalidateQueries({ queryKey: ["bot"] });
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {t("start.welcome.hint")}
        </Text>
        <Textarea
          label={t("bot.text")}
          autosize
          minRows={2}
          maxLength={4096}
          required
          value={words}
          onChange={(event) => setWords(event.currentTarget.value)}
        />
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!words.trim()}>
            {t("start.welcome.do")}
          </Button>
          <Anchor component={Link} to="/settings/bot" size="sm">
            {t("start.more")}
          </Anchor>
        </Group>
      </Stack>
    </form>
  );
}
