import { ActionIcon, Text, UnstyledButton } from "@mantine/core";
import { IconPlayerPauseFilled, IconPlayerPlayFilled } from "@tabler/icons-react";
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "./Media.module.css";
import { clock, levels } from "./sound";

const SPEEDS = [1, 1.5, 2];
let speed = 1;
/** One thing sounds at a time. */
let playing: HTMLAudioElement | undefined;

/** A voice note or another sound: its shape, where it is, and how fast. */
export function Voice({
  src,
  seconds,
  waveform,
  label,
}: {
  src: string;
  seconds: number | null | undefined;
  waveform: readonly number[] | null | undefined;
  label: string;
}) {
  const { t } = useTranslation();
  const audio = useRef<HTMLAudioElement>(null);
  const [on, setOn] = useState(false);
  const [at, setAt] = useState(0);
  const [length, setLength] = useState(seconds ?? 0);
  const [fast, setFast] = useState(speed);
  const bars = levels(waveform);
  const part = length ? Math.min(1, at / length) : 0;

  useEffect(() => {
    const element = audio.current;
    return () => element?.pause();
  }, []);

  const toggle = () => {
    const element = audio.current;
    if (!element) return;
    if (!element.paused) return element.pause();
    if (playing !== element) playing?.pause();
    playing = element;
    element.playbackRate = fast;
    void element.play().catch(() => setOn(false));
  };
  const seek = (to: number) => {
    const element = audio.current;
    if (!element || !length) return;
    element.currentTime = Math.max(0, Math.min(length, to));
    setAt(element.currentTime);
  };
  const point = (event: PointerEvent<HTMLDivElement>) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const box = event.currentTarget.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * length);
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowRight: 5, ArrowUp: 5, ArrowLeft: -5, ArrowDown: -5 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    seek(at + step);
  };
  return (
    <div className={classes.voice}>
      <ActionIcon
        radius="xl"
        size={38}
        variant="filled"
        aria-label={`${t(on ? "media.pause" : "media.play")}: ${label}`}
        onClick={toggle}
      >
        {on ? <IconPlayerPauseFilled size={18} /> : <IconPlayerPlayFilled size={18} />}
      </ActionIcon>
      <div style={{ flex: 1, minWidth: 0 }}>
        <div
          className={classes.wave}
          role="slider"
          tabIndex={0}
          aria-label={t("media.place")}
          aria-valuemin={0}
          aria-valuemax={Math.round(length)}
          aria-valuenow={Math.round(at)}
          aria-valuetext={`${clock(at)} / ${clock(length)}`}
          onPointerDown={point}
          onPointerMove={point}
          onKeyDown={key}
        >
          <svg viewBox={`0 0 ${bars.length * 4} 30`} preserveAspectRatio="none" aria-hidden>
            <title>{label}</title>
            {bars.map((level, index) => (
              <rect
                // biome-ignore lint/suspicious/noArrayIndexKey: bars of one unchanging sound
                key={index}
                className={classes.bar}
                data-past={index / bars.length < part || undefined}
                x={index * 4 + 0.5}
                width={2.6}
                rx={1.3}
                y={15 - level / 2}
                height={level}
              />
            ))}
          </svg>
        </div>
        <Text size="11px" c="dimmed">
          {clock(on || at ? at : length)}
        </Text>
      </div>
      <UnstyledButton
        fz={12}
        fw={700}
        px={6}
        py={2}
        bdrs="xl"
        bg="light-dark(rgb(0 0 0 / 8%), rgb(255 255 255 / 12%))"
        aria-label={t("media.speed", { speed: fast })}
        onClick={() => {
          speed = SPEEDS[(SPEEDS.indexOf(fast) + 1) % SPEEDS.length] ?? 1;
          setFast(speed);
          if (audio.current) audio.current.playbackRate = speed;
        }}
      >
        {fast}×
      </UnstyledButton>
      {/* biome-ignore lint/a11y/useMediaCaption: what customers say has no captions */}
      <audio
        ref={audio}
        src={src}
        preload="none"
        onPlay={() => setOn(true)}
        onPause={() => setOn(false)}
        onEnded={() => {
          setOn(false);
          setAt(0);
        }}
        onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
        onLoadedMetadata={(event) => {
          if (Number.isFinite(event.currentTarget.duration)) setLength(event.currentTarget.duration);
        }}
      />
    </div>
  );
}
