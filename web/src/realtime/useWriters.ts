import { skipToken, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { typingKey, type Writer, writing } from "./presence";

/** Who writes in a chat at this moment, the customer or colleagues: for a row of the list as for a header. */
export function useWriters(chat: string): Writer[] {
  const { data: writers } = useQuery<Writer[]>({ queryKey: typingKey(chat), queryFn: skipToken });
  return writing(writers, useNow(writers));
}

/** The time, read again when the next of *writers* has been silent for too long. */
function useNow(writers: Writer[] | undefined): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    setNow(Date.now());
    const next = Math.min(...(writers ?? []).map((writer) => writer.until).filter((until) => until > Date.now()));
    if (!Number.isFinite(next)) return;
    const timer = setInterval(() => setNow(Date.now()), Math.max(200, next - Date.now() + 50));
    return () => clearInterval(timer);
  }, [writers]);
  return now;
}
