import { Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/bot";
import { useShowProblem } from "@/shell/problems";
import { Quick } from "./Quick";

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
    <Quick
      hint={t("start.welcome.hint")}
      action={t("start.welcome.do")}
      ready={words.trim() !== ""}
      saving={save.isPending}
      save={() => save.mutate()}
      more="/settings/bot"
    >
      <Textarea
        label={t("bot.text")}
        autosize
        minRows={2}
        maxLength={4096}
        required
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
      />
    </Quick>
  );
}
