import { useSyncExternalStore } from "react";
import type { MediaView } from "@/api/generated";
import { asProblem, type Problem } from "@/api/problem";
import { upload } from "@/api/upload";
import { numbers } from "@/formats";

/** A file that is to be sent with the next message: it goes up as soon as it is chosen. */
export type Attached = {
  key: string;
  file: File;
  kind: Kind;
  /** Where the browser shows it from, until the tray lets it go. */
  preview: string | undefined;
  part: number;
  media?: MediaView | undefined;
  problem?: Problem | undefined;
};
export type Kind = "image" | "video" | "audio" | "voice" | "document";

const MIB = 1 << 20;
/** As the API has them: docs/messages.md. */
export const LIMITS: Record<Kind, number> = {
  image: 16 * MIB,
  video: 64 * MIB,
  audio: 16 * MIB,
  voice: 16 * MIB,
  document: 100 * MIB,
};
/** Files that one message's tray takes. */
export const MOST = 20;

/** What a file goes as where nobody says otherwise; anything may go as a document. */
export function kindOf(type: string): Kind {
  if (["image/jpeg", "image/png", "image/webp"].includes(type)) return "image";
  if (["video/mp4", "video/3gpp", "video/quicktime", "video/webm"].includes(type)) return "video";
  if (["audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/amr"].includes(type)) return "audio";
  return "document";
}

/** How large files are said: `3.4 MB`. */
export function sizeText(bytes: number, language: string): string {
  const [value, unit] =
    bytes < 1000 ? [bytes, "byte"] : bytes < 1e6 ? [bytes / 1e3, "kilobyte"] : [bytes / 1e6, "megabyte"];
  return numbers(language, {
    style: "unit",
    unit,
    unitDisplay: unit === "byte" ? "narrow" : "short",
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}

const none: readonly Attached[] = [];
const trays = new Map<string, readonly Attached[]>();
const watchers = new Set<() => void>();
const running = new Map<string, { done: Promise<MediaView>; cancel: () => void }>();

const set = (chat: string, next: readonly Attached[]) => {
  trays.set(chat, next);
  for (const watcher of watchers) watcher();
};
const change = (chat: string, key: string, change: Partial<Attached>) =>
  set(
    chat,
    (trays.get(chat) ?? none).map((one) => (one.key === key ? { ...one, ...change } : one)),
  );

function send(chat: string, one: Attached) {
  const started = upload(one.file, one.kind, crypto.randomUUID(), (part) => change(chat, one.key, { part }));
  running.set(one.key, started);
  started.done.then(
    (media) => change(chat, one.key, { media, part: 1, problem: undefined }),
    (error) => {
      if ((error as Error).name !== "AbortError") change(chat, one.key, { problem: asProblem(error) });
    },
  );
  return started.done;
}

/** Takes files in; gives those that are too large back. */
export function attach(chat: string, files: readonly File[], as?: Kind): { tooLarge: File[]; tooMany: boolean } {
  const tooLarge: File[] = [];
  const before = trays.get(chat) ?? none;
  const room = MOST - before.length;
  const taken: Attached[] = [];
  for (const file of files.slice(0, room)) {
    const kind = as ?? kindOf(file.type);
    const fitting = file.size <= LIMITS[kind] ? kind : "document";
    if (file.size > LIMITS[fitting]) {
      tooLarge.push(file);
      continue;
    }
    const preview =
      fitting === "image" || fitting === "voice" || fitting === "video" ? URL.createObjectURL(file) : undefined;
    taken.push({ key: crypto.randomUUID(), file, kind: fitting, preview, part: 0 });
  }
  set(chat, [...before, ...taken]);
  for (const one of taken) void send(chat, one).catch(() => {});
  return { tooLarge, tooMany: files.length > room };
}

/** Sends a file up again; *kind*: as something else. */
export function retry(chat: string, key: string, kind?: Kind) {
  const one = (trays.get(chat) ?? none).find((item) => item.key === key);
  if (!one) return;
  const next = { ...one, kind: kind ?? one.kind, problem: undefined, part: 0 };
  change(chat, key, next);
  void send(chat, next).catch(() => {});
}

export function remove(chat: string, key: string) {
  running.get(key)?.cancel();
  running.delete(key);
  const one = (trays.get(chat) ?? none).find((item) => item.key === key);
  if (one?.preview) URL.revokeObjectURL(one.preview);
  set(
    chat,
    (trays.get(chat) ?? none).filter((item) => item.key !== key),
  );
}

const watch = (then: () => void) => {
  watchers.add(then);
  return () => watchers.delete(then);
};

/** The files that wait in a chat; they stay while other chats are looked at. */
export const useTray = (chat: string) => useSyncExternalStore(watch, () => trays.get(chat) ?? none);
