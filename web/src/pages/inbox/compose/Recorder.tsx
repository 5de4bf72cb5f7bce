import { ActionIcon, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconPlayerRecordFilled, IconSend2, IconTrash } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { clock } from "../kinds/sound";

const LONGEST_SECONDS = 15 * 60;

const hush = (stream: MediaStream) => {
  for (const track of stream.getTracks()) track.stop();
};

/** Records a voice note; it is sent with one more press, or thrown away. */
export function Recorder({
  onDone,
  onCancel,
}: {
  onDone: (file: File, seconds: number) => void;
  onCancel: () => void;
}) {
  const { t } = useTranslation();
  const recorder = useRef<MediaRecorder | null>(null);
  const keep = useRef(false);
  const [seconds, setSeconds] = useState(0);
  const done = useRef({ onDone, onCancel });
  done.current = { onDone, onCancel };

  useEffect(() => {
    let ended = false;
    let stream: MediaStream | undefined;
    let began = 0;
    const timer = setInterval(() => {
      if (!began) return;
      const so_far = (Date.now() - began) / 1000;
      setSeconds(so_far);
      if (so_far > LONGEST_SECONDS) {
        keep.current = true;
        recorder.current?.stop();
      }
    }, 250);
    const begin = async () => {
      try {
        stream = await navigator.mediaDevices.getUserMedia({
          audio: { echoCancellation: true, noiseSuppression: true },
        });
      } catch {
        notifications.show({ color: "red", title: t("compose.noMicrophone"), message: t("compose.noMicrophoneHint") });
        done.current.onCancel();
        return;
      }
      if (ended) return hush(stream);
      const mime = ["audio/webm;codecs=opus", "audio/mp4"].find((type) => MediaRecorder.isTypeSupported(type));
      const parts: Blob[] = [];
      const making = new MediaRecorder(stream, mime ? { mimeType: mime } : undefined);
      recorder.current = making;
      making.ondataavailable = (event) => parts.push(event.data);
      making.onstop = () => {
        const type = making.mimeType.split(";")[0] ?? "audio/webm";
        const file = new File(parts, `voice.${type.endsWith("mp4") ? "m4a" : "webm"}`, { type });
        if (keep.current && file.size) done.current.onDone(file, Math.max(1, Math.round((Date.now() - began) / 1000)));
        else done.current.onCancel();
      };
      began = Date.now();
      making.start();
    };
    void begin();
    return () => {
      ended = true;
      clearInterval(timer);
      if (recorder.current?.state === "recording") recorder.current.stop();
      if (stream) hush(stream);
    };
  }, [t]);

  return (
    <Group h={42} gap="sm" wrap="nowrap" role="group" aria-label={t("compose.recording")}>
      <ActionIcon
        variant="subtle"
        color="red"
        size={42}
        radius="xl"
        aria-label={t("compose.throwAway")}
        onClick={() => recorder.current?.stop() ?? onCancel()}
      >
        <IconTrash size={20} />
      </ActionIcon>
      <IconPlayerRecordFilled size={16} color="var(--mantine-color-red-6)" aria-hidden />
      <Text role="timer" flex={1}>
        {clock(seconds)}
      </Text>
      <ActionIcon
        size={42}
        radius="xl"
        aria-label={t("compose.sendVoice")}
        disabled={seconds < 0.5}
        onClick={() => {
          keep.current = true;
          recorder.current?.stop();
        }}
      >
        <IconSend2 size={20} />
      </ActionIcon>
    </Group>
  );
}
