import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { type Writer, writing } from "./presence";
import { writers } from "./writers";

/** Who writes in a chat at this moment, the customer or colleagues: for a row of the list as for a header. */
export function useWriters(chat: string): Writer[] {
  const watch = useCallback((then: () => void) => writers.watch(chat, then), [chat]);
  const told = useSyncExternalStore(watch, () => writers.in(chat));
  return writing(told, useNow(told));
}

/** The time, read again when the next of *writers* has been silent for too long. */
function useNow(writers: readonly Writer[]): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!writers.length) return;
    setNow(Date.now());
    const next = Math.min(...writers.map((writer) => writer.until).filter((until) => until > Date.now()));
    if (!Number.isFinite(next)) return;
    const timer = setInterval(() => setNow(Date.now()), Math.max(200, next - Date.now() + 50));
    return () => clearInterval(timer);
  }, [writers]);
  return now;
}
