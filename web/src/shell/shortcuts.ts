import { useEffect, useRef, useSyncExternalStore } from "react";
import { preferences } from "./preferences";

/**
 * Every key of the panel is told here, so that the cheat sheet and the command palette know all of them.
 *
 * `keys`: `j`, `shift+a`, `mod+k` (Ctrl, or Command on a Mac), `g i` (one after the other), `?`. `label` and `group` are keys of the
 * translations. Keys without `mod` do nothing while somebody types, while a dialog is open, or where the user wants none.
 */
export type Shortcut = { id: string; keys: string; label: string; group: string; run: () => void };

const SEQUENCE_MS = 1_000;
const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph"]);

/** Says what was pressed in the words of `keys`; a sign says its own Shift. */
export function pressed(event: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const letter = key.length > 1 || key.toLowerCase() !== key.toUpperCase();
  return [
    (event.ctrlKey || event.metaKey) && "mod",
    event.altKey && "alt",
    event.shiftKey && letter && "shift",
    key === " " ? "Space" : key,
  ]
    .filter(Boolean)
    .join("+");
}

/** What is to be done about a key that comes after *before*: which shortcut, or what is waited for now. */
export function chosen(all: readonly Shortcut[], before: string, now: string): { hit?: Shortcut; wait: string } {
  const both = before ? `${before} ${now}` : now;
  // The last one told wins: a page's keys go before the shell's.
  const hit = all.findLast((one) => one.keys === both) ?? all.findLast((one) => one.keys === now);
  if (hit) return { hit, wait: "" };
  return { wait: all.some((one) => one.keys.startsWith(`${now} `)) ? now : "" };
}

let told: readonly Shortcut[] = [];
const sets = new Map<object, () => Shortcut[]>();
const watchers = new Set<() => void>();

function tell() {
  told = [...sets.values()].flatMap((set) => set());
  for (const watcher of watchers) watcher();
}

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button]), emoji-picker"));

const dialog = () => document.querySelector("[role=dialog][aria-modal=true], [role=menu], [role=listbox][data-open]");

let before = "";
let since = 0;

function heard(event: KeyboardEvent) {
  if (event.defaultPrevented || event.isComposing || MODIFIERS.has(event.key)) return;
  const now = pressed(event);
  if (!now.startsWith("mod+") && (event.altKey || typing(event.target) || dialog() || !preferences().singleKeys))
    return;
  if (Date.now() - since > SEQUENCE_MS) before = "";
  const { hit, wait } = chosen(
    [...sets.values()].flatMap((set) => set()),
    before,
    now,
  );
  before = wait;
  since = Date.now();
  if (!hit) return;
  event.preventDefault();
  hit.run();
}

/** These keys work for as long as the component lives, or while *on*. */
export function useShortcuts(shortcuts: Shortcut[], on = true) {
  const now = useRef(shortcuts);
  now.current = shortcuts;
  const names = shortcuts.map((one) => `${one.id} ${one.keys}`).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: which keys there are has changed
  useEffect(() => {
    if (!on) return;
    const self = {};
    if (!sets.size) document.addEventListener("keydown", heard);
    sets.set(self, () => now.current);
    tell();
    return () => {
      sets.delete(self);
      if (!sets.size) document.removeEventListener("keydown", heard);
      tell();
    };
  }, [on, names]);
}

/** Every key that works now. */
export const useEveryShortcut = () =>
  useSyncExternalStore(
    (then) => {
      watchers.add(then);
      return () => watchers.delete(then);
    },
    () => told,
  );
