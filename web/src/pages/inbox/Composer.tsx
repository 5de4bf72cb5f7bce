import { ActionIcon, Button, Group, Menu, Popover, Text, Textarea, Tooltip } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import {
  IconCalendarClock,
  IconFile,
  IconLock,
  IconMicrophone,
  IconMoodSmile,
  IconNote,
  IconPaperclip,
  IconPhoto,
  IconSend2,
  IconSlash,
  IconX,
} from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import {
  type ClipboardEvent,
  type KeyboardEvent,
  type RefObject,
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
} from "react";
import { flushSync } from "react-dom";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import type { Chat, Device, Message } from "@/api/types";
import { KEYS, type Pages, withMessage } from "@/realtime/apply";
import { here } from "@/realtime/presence";
import type { Company } from "@/session/company";
import { plain } from "@/shell/plain";
import { useShowProblem } from "@/shell/problems";
import classes from "./Composer.module.css";
import { Blocked, useBlocked } from "./compose/Blocked";
import { EmojiBoard } from "./compose/EmojiBoard";
import { Held } from "./compose/Held";
import { outbox } from "./compose/outbox";
import { Recorder } from "./compose/Recorder";
import { ScheduleDialog, ScheduledHere } from "./compose/Schedule";
import { optionId, SUGGESTIONS, Suggest } from "./compose/Suggest";
import { Tray } from "./compose/Tray";
import { completed, mentioned, tokenAt } from "./compose/token";
import { attach, type Kind, LIMITS, MOST, remove, sizeText, useTray } from "./compose/tray";
import { type Draft, draft, keepDraft } from "./drafts";
import { useInOneLine } from "./kinds/useKind";

const LONGEST = 60_000;
const LONGEST_NOTE = 4_096;
const CAPTIONED = new Set<string>(["image", "video", "document"]);
const SUGGESTED = 8;

export type ComposerHandle = {
  focus: (note: boolean) => void;
  reply: (message: Message) => void;
  edit: (message: Message) => void;
  take: (files: File[]) => void;
};

type Props = {
  chat: Chat;
  device: Device | undefined;
  company: Company;
  me: string;
  items: Message[];
  handle: RefObject<ComposerHandle | null>;
};

/** The box to answer, or to leave a note. What is typed outlives a reload and a lost session; what cannot be sent now waits. */
export function Composer({ chat, device, company, me, items, handle }: Props) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const showProblem = useShowProblem();
  const inOneLine = useInOneLine();
  const narrow = useMediaQuery("(max-width: 22em)", false, { getInitialValueInEffect: false });
  const chatId = chat.id;
  const [kept, setKept] = useState<Draft>(() => draft(me, chatId));
  const [editing, setEditing] = useState<Message>();
  const [edited, setEdited] = useState("");
  const [caret, setCaret] = useState(0);
  const [at, setAt] = useState(0);
  const [dismissed, setDismissed] = useState("");
  const [recording, setRecording] = useState(false);
  const [emoji, setEmoji] = useState(false);
  const [timing, setTiming] = useState(false);
  const [going, setGoing] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const tray = useTray(chatId);
  const note = !!kept.note && !editing;
  const text = editing ? edited : kept.text;
  const answered = kept.reply ? items.find((item) => item.id === kept.reply) : undefined;

  const keep = (next: Draft) => {
    setKept(next);
    keepDraft(me, chatId, next);
  };
  const write = (next: string) => {
    if (editing) return setEdited(next);
    if (next && !kept.note) here.type(chatId, Date.now());
    else here.rest(chatId);
    keep({ ...kept, text: next });
  };
  useEffect(() => () => here.rest(chatId), [chatId]);

  const take = (files: File[], as?: Kind) => {
    const { tooLarge, tooMany } = attach(chatId, files, as);
    for (const file of tooLarge) {
      const most = sizeText(LIMITS.document, i18n.language);
      notifications.show({
        color: "red",
        title: t("compose.tooLarge", { name: file.name }),
        message: t("compose.tooLargeHint", { most }),
      });
    }
    if (tooMany) notifications.show({ color: "orange", message: t("compose.tooMany", { most: MOST }) });
    box.current?.focus();
  };
  useImperativeHandle(handle, () => ({
    focus: (asNote) => {
      keep({ ...kept, note: asNote });
      box.current?.focus();
    },
    reply: (message) => {
      setEditing(undefined);
      keep({ ...kept, note: false, reply: message.id });
      // after the menu has given the focus back
      setTimeout(() => box.current?.focus());
    },
    edit: (message) => {
      setEditing(message);
      setEdited(message.text ?? "");
      setTimeout(() => box.current?.focus());
    },
    take,
  }));

  // On a laptop whoever opens a chat wants to write; on a phone the keyboard would hide it.
  useEffect(() => {
    if (window.matchMedia("(hover: hover)").matches && !document.activeElement?.closest("[data-chats]"))
      box.current?.focus();
  }, []);

  const token = dismissed === text ? undefined : tokenAt(text, caret, note);
  const { data: replies } = useQuery({
    queryKey: ["replies"],
    queryFn: api.replies,
    enabled: token?.kind === "reply",
    staleTime: 60_000,
  });
  const suggestions = useMemo(() => {
    if (!token) return undefined;
    const q = plain(token.q);
    if (token.kind === "reply") {
      const found = (replies?.items ?? []).filter(
        (one) => one.shortcut.includes(q) || (q && plain(one.text).includes(q)),
      );
      return found.slice(0, SUGGESTED).map((one) => ({ id: one.id, name: `/${one.shortcut}`, hint: one.text }));
    }
    const found = company.users.filter((user) => user.active && user.id !== me && plain(user.name).startsWith(q));
    return found.slice(0, SUGGESTED).map((user) => ({ id: user.id, name: user.name, hint: user.email }));
  }, [token, replies, company.users, me]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new word begins at its first suggestion
  useEffect(() => setAt(0), [token?.q, token?.kind]);

  const put = (next: string, place: number) => {
    // At once: what is typed before the next frame would stand at the end, and the caret before it.
    flushSync(() => {
      write(next);
      setCaret(place);
    });
    box.current?.focus();
    box.current?.setSelectionRange(place, place);
  };
  const pick = async (index: number) => {
    const chosen = suggestions?.[index];
    if (!chosen || !token) return;
    if (token.kind === "mention") {
      const next = completed(text, token, `@${chosen.name} `);
      return put(next.text, next.caret);
    }
    try {
      const filled = await api.fillReply(chosen.id, chatId);
      const next = completed(text, token, filled.text);
      put(next.text, next.caret);
    } catch (error) {
      showProblem(error);
    }
  };

  const longest = note ? LONGEST_NOTE : LONGEST;
  const tooLong = text.length > longest;
  const broken = tray.some((one) => one.problem);
  const uploading = tray.some((one) => !one.media && !one.problem);
  const blocked = useBlocked(chat) && !note;
  const may = !blocked && !tooLong && !broken && (text.trim() !== "" || (tray.length > 0 && !note && !editing));

  const quoted = answered && {
    id: answered.id,
    kind: answered.kind,
    text: answered.text ?? null,
    from_me: answered.from_me,
  };
  const show = (message: Message) =>
    client.setQueryData<Pages<Message>>(KEYS.messages(chatId), (pages) => withMessage(pages, message));

  /** Which files go, each with its words, and what is left to be said without one. */
  const parted = (body: string) => {
    let left = body;
    const files = tray.flatMap((one) => {
      const id = one.media?.id;
      if (!one.media || !id) return [];
      const caption = left && CAPTIONED.has(one.kind) ? left : undefined;
      if (caption) left = "";
      return [{ one, media: one.media, id, caption }];
    });
    return { files, left };
  };

  const sendNow = (body: string) => {
    const common = { chat_id: chatId, at: new Date().toISOString() };
    let reply = answered ? { reply_to: answered.id, quoted } : {};
    const { files, left } = parted(body);
    for (const { one, media, id, caption } of files) {
      const { mime, size, seconds } = media;
      outbox.put({
        ...common,
        ...reply,
        key: crypto.randomUUID(),
        kind: one.kind,
        text: caption,
        media: { id, name: one.file.name, mime, size, seconds: seconds ?? null },
      });
      reply = {};
      remove(chatId, one.key);
    }
    if (left) outbox.put({ ...common, ...reply, key: crypto.randomUUID(), kind: "text", text: left });
    here.rest(chatId);
    keep({ text: "" });
  };

  const submit = async () => {
    if (!may) return;
    const body = text.trim();
    if (editing) {
      const before = editing;
      setEditing(undefined);
      show({ ...before, text: body, edited_at: new Date().toISOString() });
      return api.edit(before.id, body).catch((error) => {
        show(before);
        showProblem(error);
      });
    }
    if (note) {
      keep({ text: "", note: true });
      try {
        show((await api.note(chatId, body, mentioned(body, company.users), crypto.randomUUID())) as Message);
      } catch (error) {
        keep({ text: body, note: true });
        showProblem(error);
      }
      return;
    }
    if (uploading) return setGoing(true);
    sendNow(body);
  };
  // Sent before its files were here: it goes as soon as they are.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the files decide
  useEffect(() => {
    if (!going || uploading) return;
    setGoing(false);
    if (!broken) sendNow(text.trim());
  }, [going, uploading, broken]);

  const schedule = async (when: Date) => {
    const body = text.trim();
    const { files, left } = parted(body);
    const common = { chat_id: chatId, send_at: when.toISOString() };
    let reply = answered ? { reply_to: answered.id } : {};
    // What waits already is not written any more, should a later part be refused.
    let unsaid = body;
    keep({ text: "" });
    try {
      for (const { one, id, caption } of files) {
        const words = caption ? { caption } : {};
        await api.scheduleMedia({ ...common, ...reply, ...words, media_id: id }, crypto.randomUUID());
        remove(chatId, one.key);
        if (caption) unsaid = "";
        reply = {};
      }
      if (left) await api.schedule({ ...common, ...reply, text: left }, crypto.randomUUID());
    } catch (error) {
      keep({ text: unsaid });
      showProblem(error);
    }
    await client.invalidateQueries({ queryKey: KEYS.scheduled(chatId) });
  };

  const typed = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (suggestions?.length && token) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        return setAt((at + step + suggestions.length) % suggestions.length);
      }
      if (event.key === "Enter" || event.key === "Tab") {
        event.preventDefault();
        return void pick(at);
      }
    }
    if (event.key === "Escape") {
      if (token) setDismissed(text);
      else if (editing) setEditing(undefined);
      else if (kept.reply) keep({ ...kept, reply: undefined });
      else box.current?.blur();
      event.preventDefault();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void submit();
    } else if (event.key === "ArrowUp" && !text && !editing && !note) {
      const last = items.findLast((item) => item.from_me && item.kind === "text" && !item.id.startsWith("pending-"));
      if (last && !last.deleted_at && Date.now() - Date.parse(last.at) < 15 * 60_000) {
        event.preventDefault();
        setEditing(last);
        setEdited(last.text ?? "");
      }
    }
  };
  const pasted = (event: ClipboardEvent) => {
    const files = [...event.clipboardData.files];
    if (!files.length || note || editing) return;
    event.preventDefault();
    take(files);
  };
  const choose = (accept: string) => {
    if (!picker.current) return;
    picker.current.accept = accept;
    picker.current.click();
  };

  const label = t(note ? "compose.note" : editing ? "compose.edit" : "inbox.write");
  const empty = !text.trim() && !tray.length && !note && !editing;
  return (
    <form
      className={classes.box}
      data-note={note || undefined}
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {token && suggestions && (
        <Suggest
          items={suggestions}
          at={at}
          label={t(token.kind === "reply" ? "compose.replies" : "compose.people")}
          empty={t(token.kind === "reply" ? "compose.noReplies" : "act.nobody")}
          onPick={(index) => void pick(index)}
        />
      )}
      <ScheduledHere chat={chatId} />
      <Held chat={chat} device={device} company={company} me={me} note={note} />
      {blocked && <Blocked contact={chat.contact?.id ?? ""} />}
      {(answered || editing) && (
        <div className={classes.about}>
          <div style={{ flex: 1, minWidth: 0 }}>
            <Text size="xs" fw={650}>
              {t(editing ? "compose.edit" : "inbox.reply")}
            </Text>
            <Text size="sm" truncate dir="auto">
              {inOneLine((editing ?? answered) as Message)}
            </Text>
          </div>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t("common.cancel")}
            onClick={() => (editing ? setEditing(undefined) : keep({ ...kept, reply: undefined }))}
          >
            <IconX size={16} />
          </ActionIcon>
        </div>
      )}
      {!note && !editing && <Tray chat={chatId} items={tray} />}
      {recording ? (
        <Recorder
          onCancel={() => setRecording(false)}
          onDone={(file) => {
            setRecording(false);
            attach(chatId, [file], "voice");
            setGoing(true);
          }}
        />
      ) : (
        <div className={classes.row}>
          {!editing && (
            <Tooltip label={`${t(note ? "compose.toMessage" : "compose.toNote")} (N)`}>
              <ActionIcon
                variant={note ? "light" : "subtle"}
                color={note ? "orange" : "gray"}
                size={42}
                radius="xl"
                aria-label={t("compose.toNote")}
                aria-pressed={note}
                onClick={() => {
                  keep({ ...kept, note: !note });
                  box.current?.focus();
                }}
              >
                {note ? <IconLock size={20} /> : <IconNote size={20} />}
              </ActionIcon>
            </Tooltip>
          )}
          {!note && !editing && (
            <Menu position="top-start" shadow="md">
              <Menu.Target>
                <ActionIcon variant="subtle" color="gray" size={42} radius="xl" aria-label={t("compose.attach")}>
                  <IconPaperclip size={20} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<IconPhoto size={16} />} onClick={() => choose("image/*,video/*")}>
                  {t("compose.pictures")}
                </Menu.Item>
                <Menu.Item leftSection={<IconFile size={16} />} onClick={() => choose("")}>
                  {t("compose.file")}
                </Menu.Item>
                <Menu.Item
                  leftSection={<IconSlash size={16} />}
                  onClick={() =>
                    put(
                      `${text}${text && !text.endsWith(" ") ? " " : ""}/`,
                      text.length + (text && !text.endsWith(" ") ? 2 : 1),
                    )
                  }
                >
                  {t("compose.replies")}
                </Menu.Item>
                <Menu.Item
                  leftSection={<IconCalendarClock size={16} />}
                  disabled={!may || uploading}
                  onClick={() => setTiming(true)}
                >
                  {t("compose.schedule")}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
          <Textarea
            ref={box}
            className={classes.text}
            autosize
            minRows={1}
            maxRows={8}
            radius="lg"
            size="md"
            placeholder={narrow && !note && !editing ? t("inbox.writeShort") : label}
            aria-label={label}
            title={t("inbox.hint")}
            value={text}
            onChange={(event) => {
              write(event.currentTarget.value);
              setCaret(event.currentTarget.selectionStart);
            }}
            onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
            onKeyDown={typed}
            onPaste={pasted}
            error={tooLong ? t("inbox.tooLong", { count: text.length, most: longest }) : undefined}
            aria-controls={token ? SUGGESTIONS : undefined}
            aria-activedescendant={token && suggestions?.length ? optionId(at) : undefined}
            dir="auto"
          />
          <Popover opened={emoji} onChange={setEmoji} position="top-end" shadow="md" trapFocus returnFocus>
            <Popover.Target>
              <ActionIcon
                variant="subtle"
                color="gray"
                size={42}
                radius="xl"
                visibleFrom="xs"
                aria-label={t("compose.emoji")}
                onClick={() => setEmoji(!emoji)}
              >
                <IconMoodSmile size={20} />
              </ActionIcon>
            </Popover.Target>
            <Popover.Dropdown p={4}>
              <EmojiBoard
                onPick={(one) => {
                  setEmoji(false);
                  put(text.slice(0, caret) + one + text.slice(caret), caret + one.length);
                }}
              />
            </Popover.Dropdown>
          </Popover>
          {empty ? (
            <ActionIcon
              size={42}
              radius="xl"
              variant="light"
              aria-label={t("compose.record")}
              disabled={blocked}
              onClick={() => setRecording(true)}
            >
              <IconMicrophone size={20} />
            </ActionIcon>
          ) : (
            <ActionIcon
              type="submit"
              size={42}
              radius="xl"
              aria-label={t("inbox.send")}
              disabled={!may}
              loading={going}
            >
              <IconSend2 size={20} />
            </ActionIcon>
          )}
        </div>
      )}
      {tooLong && !note && !editing && (
        <Group gap="xs" mt={6}>
          <Text size="xs">{t("compose.tooLongHint")}</Text>
          <Button
            size="compact-xs"
            variant="light"
            onClick={() => {
              take([new File([text], t("compose.textFile"), { type: "text/plain" })], "document");
              write("");
            }}
          >
            {t("compose.asFile")}
          </Button>
        </Group>
      )}
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label={t("compose.attach")}
        data-testid="files"
        onChange={(event) => {
          take([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
      />
      <ScheduleDialog opened={timing} onClose={() => setTiming(false)} onPick={(when) => void schedule(when)} />
    </form>
  );
}
