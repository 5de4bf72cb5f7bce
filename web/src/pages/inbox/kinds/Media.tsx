import { Button, Group, Loader, Text } from "@mantine/core";
import { IconAlertCircle, IconClockX, IconDownload, IconPlayerPlayFilled, IconRefresh } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import * as api from "@/api/inbox";
import type { Message } from "@/api/types";
import { useShowProblem } from "@/shell/problems";
import { sizeText } from "../compose/tray";
import { iconOf } from "./icons";
import classes from "./Media.module.css";
import { clock } from "./sound";
import { Voice } from "./Voice";

type Props = { message: Message; view: (message: Message) => void };

/** The file of a message: shown where a page can show it, else to be saved; and what is the matter where it is not here. */
export function Media({ message, view }: Props) {
  const { t, i18n } = useTranslation();
  const media = message.media;
  const kind = t(`message.kind.${message.kind}` as "message.kind.image");
  if (!media) return null;
  if (media.state !== "ready" || !media.url) {
    return message.id.startsWith("pending-") ? <Plain message={message} /> : <Absent message={message} />;
  }
  switch (message.kind) {
    case "image":
    case "video": {
      const { width, height } = fitted(media.width, media.height);
      const label = [kind, message.text].filter(Boolean).join(": ");
      return (
        <button
          type="button"
          className={classes.frame}
          style={{
            width,
            aspectRatio: `${width} / ${height}`,
            maxWidth: "calc(100% + 12px)",
            border: 0,
            padding: 0,
            cursor: "zoom-in",
          }}
          aria-label={t("media.open", { what: label })}
          onClick={() => view(message)}
        >
          {media.thumbnail_url || message.kind === "image" ? (
            <img src={media.thumbnail_url ?? media.url} alt="" loading="lazy" decoding="async" />
          ) : null}
          {message.kind === "video" && (
            <>
              <span className={classes.play} aria-hidden>
                <span>
                  <IconPlayerPlayFilled size={24} />
                </span>
              </span>
              {media.seconds ? <span className={classes.length}>{clock(media.seconds)}</span> : null}
            </>
          )}
        </button>
      );
    }
    case "sticker":
      return <img className={classes.sticker} src={media.url} alt={t("message.kind.sticker")} loading="lazy" />;
    case "audio":
    case "voice":
      return <Voice src={media.url} seconds={media.seconds} waveform={media.waveform} label={kind} />;
    default:
      return (
        <a className={classes.file} href={media.url} download={media.file_name ?? ""}>
          <Badge name={media.file_name} mime={media.mime} />
          <div className={classes.lines}>
            <Text size="sm" fw={550} truncate title={media.file_name ?? undefined} dir="auto">
              {media.file_name || kind}
            </Text>
            <Text size="xs" c="dimmed">
              {sizeText(media.size, i18n.language)}
            </Text>
          </div>
          <IconDownload size={18} aria-label={t("media.download")} style={{ flex: "none" }} />
        </a>
      );
  }
}

/** As large as a conversation takes it, whatever its shape. */
function fitted(width: number | null | undefined, height: number | null | undefined) {
  const [w, h] = [width || 280, height || 210];
  const scale = Math.min(300 / w, 320 / h, 1.5);
  return { width: Math.max(140, Math.round(w * scale)), height: Math.max(90, Math.round(h * scale)) };
}

const COLORS: Record<string, string> = {
  pdf: "#c92a2a",
  doc: "#1864ab",
  docx: "#1864ab",
  xls: "#2b8a3e",
  xlsx: "#2b8a3e",
  csv: "#2b8a3e",
  ppt: "#d9480f",
  pptx: "#d9480f",
  zip: "#5f3dc4",
};

function Badge({ name, mime }: { name: string | null | undefined; mime: string }) {
  const ending = (name?.includes(".") ? name.split(".").pop() : mime.split("/").pop())?.slice(0, 4).toLowerCase() ?? "";
  return (
    <span className={classes.badge} style={{ "--badge": COLORS[ending] } as never} aria-hidden>
      {ending.toUpperCase()}
    </span>
  );
}

/** A file that is on its way from here. */
function Plain({ message }: { message: Message }) {
  const { i18n } = useTranslation();
  const Icon = iconOf(message.kind);
  return (
    <div className={classes.file}>
      <Icon size={22} aria-hidden />
      <div className={classes.lines}>
        <Text size="sm" truncate dir="auto">
          {message.media?.file_name}
        </Text>
        <Text size="xs" c="dimmed">
          {sizeText(message.media?.size ?? 0, i18n.language)}
        </Text>
      </div>
    </div>
  );
}

/** A file that is not here: on its way, gone from WhatsApp, or to be tried again. */
function Absent({ message }: { message: Message }) {
  const { t, i18n } = useTranslation();
  const showProblem = useShowProblem();
  const media = message.media;
  const Icon = iconOf(message.kind);
  const retry = useMutation({ mutationFn: api.retryMedia, onError: showProblem });
  const asked = useRef(false);
  const pending = media?.state === "pending";
  const id = media?.id;
  // Files of old messages are fetched when somebody first looks at them.
  useEffect(() => {
    if (!pending || !id || asked.current || Date.now() - Date.parse(message.at) < 60_000) return;
    asked.current = true;
    void api.wantMedia(id);
  }, [pending, id, message.at]);
  return (
    <div className={classes.file} data-testid={`media-${media?.state}`}>
      {pending ? (
        <Loader size={20} aria-hidden />
      ) : media?.state === "expired" ? (
        <IconClockX size={22} aria-hidden />
      ) : (
        <IconAlertCircle size={22} aria-hidden />
      )}
      <div className={classes.lines}>
        <Group gap={6} wrap="nowrap">
          <Icon size={16} aria-hidden style={{ flex: "none" }} />
          <Text size="sm" fw={550} truncate dir="auto">
            {media?.file_name || t(`message.kind.${message.kind}` as "message.kind.image")}
          </Text>
        </Group>
        <Text size="xs" c="dimmed">
          {t(`media.${media?.state ?? "pending"}` as "media.pending")}
          {media?.size ? ` · ${sizeText(media.size, i18n.language)}` : ""}
        </Text>
      </div>
      {media?.id && media.state === "failed" && (
        <Button
          size="compact-xs"
          variant="light"
          loading={retry.isPending || retry.isSuccess}
          leftSection={<IconRefresh size={14} />}
          onClick={() => retry.mutate(media.id as string)}
        >
          {t("common.retry")}
        </Button>
      )}
    </div>
  );
}
