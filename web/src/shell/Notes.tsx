import { notificationsStore } from "@mantine/notifications";
import { lazy, Suspense, useEffect, useState } from "react";

const load = () => import("./NotesBoard");
const NotesBoard = lazy(load);
const LATER_MS = 10_000;

/** Where what happened is said; it is loaded once there is something to say, or when nothing else is waited for. */
export function Notes() {
  const [any, setAny] = useState(false);
  useEffect(() => {
    const later = setTimeout(() => void load().catch(() => {}), LATER_MS);
    const leave = notificationsStore.subscribe(() => setAny(true));
    return () => {
      clearTimeout(later);
      leave();
    };
  }, []);
  return <Suspense>{any && <NotesBoard />}</Suspense>;
}
