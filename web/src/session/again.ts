import { useSyncExternalStore } from "react";

/**
 * The session has run out while somebody works: one dialog asks for the password above the page, and every request that
 * needs the session waits for it, so that nothing that was written is lost.
 */
let asking: { answer: Promise<boolean>; settle: (again: boolean) => void } | undefined;
let leaving = false;
const listeners = new Set<() => void>();

const tell = () => {
  for (const listener of listeners) listener();
};

/** Asks; settles when somebody has signed in again. */
export function ask(): Promise<boolean> {
  if (leaving) return Promise.resolve(false);
  if (!asking) {
    let settle: (again: boolean) => void = () => {};
    const answer = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    asking = { answer, settle };
    tell();
  }
  return asking.answer;
}

export function answered(again: boolean) {
  asking?.settle(again);
  asking = undefined;
  tell();
}

/** Whoever leaves is not asked to come back. */
export function leave() {
  leaving = true;
  answered(false);
}

export const useAsking = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => asking !== undefined,
  );
