import { Button, Text } from "@mantine/core";
import { IconBan, IconLock, IconRobot } from "@tabler/icons-react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import type { Message } from "@/api/types";
import { unreadable } from "@/realtime/apply";
import { useLater } from "@/shell/later";
import { useTime } from "@/shell/time";
import classes from "./Bubble.module.css";
import { Edited } from "./kinds/Edited";
import { iconOf } from "./kinds/icons";
import { Media } from "./kinds/Media";
import { Cards, Place, Poll } from "./kinds/Special";
import { useInOneLine } from "./kinds/useKind";
import { Words } from "./kinds/Words";
import { MessageMenu } from "./MessageMenu";
import { Ticks } from "./Ticks";

/** What can be done to the messages of a conversation. */
export type MessageActs = {
  reply: (message: Message) => void;
  edit: (message: Message) => void;
  takeBack: (message: Message) => void;
  react: (message: Message, emoji: string) => void;
  resend: (message: Message) => void;
  settle: (message: Message, outcome: "sent" | "not_sent") => void;
  again: (message: Message) => void;
  discard: (message: Message) => void;
  view: (message: Message) => void;
  jump: (id: string) => void;
  write: (phone: string) => void;
};

type Props = {
  message: Message;
  follows: boolean;
  marked: boolean;
  /** Who wrote it, where that is to be said. */
  who: string | undefined;
  people: readonly string[];
  acts: MessageActs;
};

const FILES = new Set(["image", "video", "audio", "voice", "document", "sticker"]);

/** One message. Text is text: nothing in it is ever read as markup. */
export const Bubble = memo(function Bubble({ message, follows, marked, who, people, acts }: Props) {
  const { t } = useTranslation();
  const time = useTime();
  const note = message.kind === "note";
  const mine = message.from_me && !note;
  const bare = message.kind === "sticker" && message.media?.state === "ready" && !message.deleted_at;
  const pending = message.id.startsWith("pending-");
  const later = useLater();
  return (
    <article
      className={classes.row}
      data-mine={mine || undefined}
      data-note={note || undefined}
      data-bare={bare || undefined}
      data-follows={follows || undefined}
      data-marked={marked || undefined}
      aria-label={who ?? (mine ? t("inbox.you") : undefined)}
    >
      <div className={classes.line}>
        <div
          className={classes.bubble}
          data-testid={note ? "note" : "message"}
          data-status={message.status}
          data-kind={message.kind}
        >
          {who && !follows && (
            <div className={classes.who}>
              {note && <IconLock size={13} aria-hidden />}
              {message.origin === "bot" && <IconRobot size={14} aria-hidden />}
              <Text span inherit truncate maw={320} dir="auto" title={who}>
                {note ? t("inbox.noteOf", { name: who }) : who}
              </Text>
            </div>
          )}
          {message.quoted && !message.deleted_at && <Quote quoted={message.quoted} jump={acts.jump} />}
          <Content message={message} people={people} acts={acts} />
          <span className={classes.meta}>
            {message.edited_at && !message.deleted_at && <Edited id={message.id} at={message.edited_at} />}
            <time dateTime={message.at}>{time(message.at)}</time>
            {mine && <Ticks status={message.status} />}
          </span>
        </div>
        {!pending &&
          !message.deleted_at &&
          (later ? (
            <MessageMenu message={message} acts={acts} className={classes.menu ?? ""} />
          ) : (
            <span className={classes.menuToCome} />
          ))}
      </div>
      {!!message.reactions?.length && <Reactions message={message} some={message.reactions} acts={acts} />}
      {troubled(message) && <Trouble message={message} pending={pending} acts={acts} />}
    </article>
  );
});

function Content({ message, people, acts }: { message: Message; people: readonly string[]; acts: MessageActs }) {
  const { t } = useTranslation();
  if (message.deleted_at) {
    return (
      <span className={classes.quiet}>
        <IconBan size={16} aria-hidden />
        {t("message.deleted")}
      </span>
    );
  }
  switch (message.kind) {
    case "text":
    case "note":
      return (
        <Words
          text={message.text ?? ""}
          people={message.kind === "note" ? people : undefined}
          className={classes.text}
        />
      );
    case "location":
      if (message.location) return <Place message={message} />;
      break;
    case "contact":
      if (message.contacts?.length) return <Cards message={message} write={acts.write} />;
      break;
    case "poll":
      return <Poll message={message} />;
  }
  if (FILES.has(message.kind) && message.media) {
    return (
      <>
        {message.view_once && (
          <Text size="xs" c="dimmed">
            {t("message.viewOnce")}
          </Text>
        )}
        <Media message={message} view={acts.view} />
        {message.text && <Words text={message.text} className={classes.text} />}
      </>
    );
  }
  const Icon = iconOf(message.kind);
  return (
    <>
      <span className={classes.quiet}>
        <Icon size={18} stroke={1.6} aria-hidden style={{ flex: "none" }} />
        <span>
          {t(`message.kind.${message.kind}`, { defaultValue: t("message.kind.unsupported") })}
          {message.unsupported ? ` (${message.unsupported})` : ""}
        </span>
      </span>
      {message.text && <Words text={message.text} className={classes.text} />}
    </>
  );
}

function Quote({ quoted, jump }: { quoted: NonNullable<Message["quoted"]>; jump: (id: string) => void }) {
  const { t } = useTranslation();
  const inOneLine = useInOneLine();
  const words = quoted.kind ? inOneLine({ kind: quoted.kind, text: quoted.text ?? null }) : quoted.text;
  return (
    <button
      type="button"
      className={classes.quote}
      disabled={!quoted.id}
      aria-label={t("inbox.quoted", { text: words || t("inbox.quotedGone") })}
      onClick={() => quoted.id && jump(quoted.id)}
    >
      {quoted.from_me && (
        <Text size="xs" fw={650}>
          {t("inbox.you")}
        </Text>
      )}
      <Text span size="sm" lineClamp={2} dir="auto">
        {words || t("inbox.quotedGone")}
      </Text>
    </button>
  );
}

type Reaction = NonNullable<Message["reactions"]>[number];

function Reactions({ message, some, acts }: { message: Message; some: readonly Reaction[]; acts: MessageActs }) {
  const { t } = useTranslation();
  const each = new Map<string, { names: string[]; mine: boolean }>();
  for (const one of some) {
    const known = each.get(one.emoji) ?? { names: [], mine: false };
    known.names.push(one.from_me ? t("inbox.you") : (one.sender_name ?? t("inbox.customer")));
    known.mine ||= one.from_me;
    each.set(one.emoji, known);
  }
  return (
    <div className={classes.reactions}>
      {[...each].map(([emoji, { names, mine }]) => (
        <button
          key={emoji}
          type="button"
          className={classes.reaction}
          data-mine={mine || undefined}
          data-testid="reaction"
          title={names.join(", ")}
          aria-label={`${emoji} ${names.join(", ")}`}
          onClick={() => acts.react(message, mine ? "" : emoji)}
        >
          {emoji} {names.length > 1 ? names.length : ""}
        </button>
      ))}
    </div>
  );
}

/** Tells whether it is not with the customer, or may not be, and there is something to say of that. */
const troubled = ({ from_me, status, reason }: Message) =>
  from_me && (status === "failed" || status === "unknown" || (status === "queued" && !!reason));

/** Why it is not with the customer, and what can be done. */
function Trouble({ message, pending, acts }: { message: Message; pending: boolean; acts: MessageActs }) {
  const { t, i18n } = useTranslation();
  const failed = message.status === "failed";
  const unknown = message.status === "unknown";
  const unread = unreadable(message);
  const held = message.status === "queued";
  const code = message.reason ?? "";
  const refused = code.startsWith("refused:") ? code.slice(8) : undefined;
  const reason = refused
    ? i18n.exists(`error.${refused}`)
      ? t(`error.${refused}` as "error.unknown")
      : t("error.unknown")
    : code && t(`message.reason.${i18n.exists(`message.reason.${code}`) ? code : "other"}` as "message.reason.other");
  return (
    <div className={classes.problem} role="status">
      <Text size="xs" c={held ? "dimmed" : failed ? "light-dark(#a61e1e, #ff8787)" : "light-dark(#8a4b00, #ffcf8a)"}>
        {unread ? reason : t(`message.status.${message.status}`) + (reason ? `: ${reason}` : "")}
      </Text>
      {(failed || unread) && !pending && (
        <Button size="compact-xs" variant="light" onClick={() => acts.resend(message)}>
          {t("inbox.resend")}
        </Button>
      )}
      {failed && pending && (
        <>
          <Button size="compact-xs" variant="light" onClick={() => acts.again(message)}>
            {t("common.retry")}
          </Button>
          <Button size="compact-xs" variant="subtle" color="gray" onClick={() => acts.discard(message)}>
            {t("inbox.discard")}
          </Button>
        </>
      )}
      {unknown && (
        <>
          <Button size="compact-xs" variant={unread ? "subtle" : "light"} onClick={() => acts.settle(message, "sent")}>
            {t(unread ? "inbox.wasRead" : "inbox.wasSent")}
          </Button>
          {!unread && (
            <Button size="compact-xs" variant="subtle" onClick={() => acts.settle(message, "not_sent")}>
              {t("inbox.wasNotSent")}
            </Button>
          )}
        </>
      )}
    </div>
  );
}
