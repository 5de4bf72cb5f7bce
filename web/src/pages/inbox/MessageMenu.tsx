import { ActionIcon, Group, Menu, Popover, UnstyledButton } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconArrowBackUp, IconCopy, IconDotsVertical, IconMoodPlus, IconPencil, IconTrash } from "@tabler/icons-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Message } from "@/api/types";
import type { MessageActs } from "./Bubble";
import { EmojiBoard } from "./compose/EmojiBoard";

const QUICK = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
/** As long as WhatsApp lets a sender change a message, and take it back. */
const EDITS_MS = 15 * 60_000;
const DELETES_MS = 60 * 60 * 60_000;

/** What can be done to one message: answered, reacted to, copied, and, of ours, changed and taken back. */
export function MessageMenu({ message, acts, className }: { message: Message; acts: MessageActs; className: string }) {
  const { t } = useTranslation();
  const { copy } = useClipboard();
  const [opened, setOpened] = useState(false);
  const [more, setMore] = useState(false);
  const reached =
    message.kind !== "note" &&
    message.kind !== "undecryptable" &&
    !["queued", "sending", "failed", "unknown"].includes(message.status);
  const age = Date.now() - Date.parse(message.at);
  const mine = message.from_me && reached;
  const button = useRef<HTMLButtonElement>(null);
  const react = (emoji: string) => {
    setOpened(false);
    acts.react(message, emoji);
  };
  const leave = () => {
    setMore(false);
    button.current?.focus();
  };
  return (
    <>
      <Menu
        opened={opened}
        onChange={setOpened}
        position="bottom-end"
        withinPortal
        shadow="md"
        transitionProps={{ duration: 0 }}
      >
        <Menu.Target>
          <ActionIcon
            ref={button}
            className={className}
            variant="subtle"
            color="gray"
            radius="xl"
            aria-label={t("inbox.menuOf", { text: (message.text ?? "").slice(0, 40) })}
          >
            <IconDotsVertical size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {reached && (
            <Group gap={2} px={4} py={2} wrap="nowrap">
              {QUICK.map((emoji) => (
                <UnstyledButton
                  key={emoji}
                  role="menuitem"
                  miw={30}
                  fz={22}
                  p={4}
                  lh={1}
                  aria-label={t("inbox.reactWith", { emoji })}
                  onClick={() => react(emoji)}
                >
                  {emoji}
                </UnstyledButton>
              ))}
              <ActionIcon
                role="menuitem"
                variant="subtle"
                color="gray"
                radius="xl"
                aria-label={t("inbox.moreEmoji")}
                onClick={() => {
                  setOpened(false);
                  setMore(true);
                }}
              >
                <IconMoodPlus size={20} />
              </ActionIcon>
            </Group>
          )}
          {reached && (
            <Menu.Item leftSection={<IconArrowBackUp size={16} />} onClick={() => acts.reply(message)}>
              {t("inbox.reply")}
            </Menu.Item>
          )}
          {message.text && (
            <Menu.Item leftSection={<IconCopy size={16} />} onClick={() => copy(message.text)}>
              {t("common.copy")}
            </Menu.Item>
          )}
          {mine && message.kind === "text" && age < EDITS_MS && (
            <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => acts.edit(message)}>
              {t("inbox.edit")}
            </Menu.Item>
          )}
          {mine && age < DELETES_MS && (
            <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => acts.takeBack(message)}>
              {t("inbox.takeBack")}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      {more && (
        <Popover
          withRoles={false}
          opened
          onDismiss={leave}
          position="bottom-end"
          withinPortal
          shadow="md"
          trapFocus
          transitionProps={{ duration: 0 }}
        >
          <Popover.Target>
            <span />
          </Popover.Target>
          <Popover.Dropdown p={0} role="dialog" aria-label={t("inbox.moreEmoji")}>
            <EmojiBoard
              onPick={(emoji) => {
                leave();
                acts.react(message, emoji);
              }}
            />
          </Popover.Dropdown>
        </Popover>
      )}
    </>
  );
}
