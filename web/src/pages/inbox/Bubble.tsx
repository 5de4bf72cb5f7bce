import { Text } from "@mantine/core";
import {
  IconFile,
  IconLock,
  IconMapPin,
  IconMicrophone,
  IconPhoto,
  IconQuestionMark,
  IconSticker,
  IconUser,
  IconVideo,
} from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Message } from "@/api/types";
import classes from "./Bubble.module.css";
import { Ticks } from "./Ticks";
import { useTime } from "./time";

const ICONS: Record<string, typeof IconPhoto> = {
  image: IconPhoto,
  video: IconVideo,
  audio: IconMicrophone,
  voice: IconMicrophone,
  document: IconFile,
  sticker: IconSticker,
  location: IconMapPin,
  contact: IconUser,
  undecryptable: IconLock,
};

const LINK = /(https?:\/\/[^\s<>"']+)/g;

/** One message. Text is text: nothing in it is ever read as markup. */
export function Bubble({ message, follows }: { message: Message; follows: boolean }) {
  const { t, i18n } = useTranslation();
  const time = useTime();
  const Icon = ICONS[message.kind] ?? IconQuestionMark;
  const failed = message.status === "failed" || message.status === "unknown";
  const held = message.status === "queued" && !!message.reason;
  const reason = message.reason && i18n.exists(`message.reason.${message.reason}`) ? message.reason : "other";
  return (
    <div className={classes.row} data-mine={message.from_me || undefined} data-follows={follows || undefined}>
      <div className={classes.bubble} data-testid="message" data-status={message.status}>
        {message.kind !== "text" && (
          <div className={classes.kind}>
            <Icon size={18} stroke={1.6} aria-hidden />
            <span>{t(`message.kind.${message.kind}` as "message.kind.image")}</span>
          </div>
        )}
        {message.text && (
          <span className={classes.text} dir="auto">
            {message.text.split(LINK).map((part, index) =>
              index % 2 ? (
                // biome-ignore lint/suspicious/noArrayIndexKey: parts of one unchanging text
                <a key={index} href={part} target="_blank" rel="noopener noreferrer nofollow">
                  {part}
                </a>
              ) : (
                part
              ),
            )}
          </span>
        )}
        <span className={classes.meta}>
          <time dateTime={message.at}>{time(message.at)}</time>
          {message.from_me && <Ticks status={message.status} />}
        </span>
      </div>
      {(failed || held) && (
        <Text
          size="xs"
          c={held ? "dimmed" : message.status === "failed" ? "red" : "orange"}
          className={classes.problem}
          role="status"
        >
          {t(`message.status.${message.status}`)}
          {message.reason ? `: ${t(`message.reason.${reason}` as "message.reason.other")}` : ""}
        </Text>
      )}
    </div>
  );
}
