import { Center, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconMessages } from "@tabler/icons-react";
import { useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { ChatList } from "./ChatList";
import { Conversation } from "./Conversation";
import classes from "./InboxPage.module.css";

/** Chats beside the conversation on a laptop; one after the other on a phone. */
export function InboxPage() {
  const { t } = useTranslation();
  const { chatId } = useParams({ strict: false });
  const phone = useMediaQuery("(max-width: 48em)", false, { getInitialValueInEffect: false });

  return (
    <div className={classes.page}>
      {!(phone && chatId) && (
        <section className={classes.list} aria-label={t("inbox.list")}>
          <ChatList selected={chatId} />
        </section>
      )}
      {chatId ? (
        <Conversation key={chatId} chatId={chatId} />
      ) : (
        !phone && (
          <Center className={classes.nothing}>
            <Stack align="center" gap={4}>
              <IconMessages size={48} stroke={1.2} aria-hidden />
              <Text fw={600}>{t("inbox.pick")}</Text>
              <Text size="sm" c="dimmed">
                {t("inbox.pickHint")}
              </Text>
            </Stack>
          </Center>
        )
      )}
    </div>
  );
}
