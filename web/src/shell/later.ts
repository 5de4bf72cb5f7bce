import { useDeferredValue, useLayoutEffect, useState } from "react";
import { flushSync } from "react-dom";

/** False until what is most urgent of the page is on the screen: what is heavy and looked at later is drawn after that. */
export const useLater = (): boolean => useDeferredValue(true, false);

/** The same for what keys work on: who is faster than the drawing has it drawn before his key is heard. */
export function useLaterOrAtKey(): boolean {
  const later = useLater();
  const [hurried, hurry] = useState(false);
  const there = later || hurried;
  useLayoutEffect(() => {
    if (there) return;
    const pressed = () => flushSync(() => hurry(true));
    document.addEventListener("keydown", pressed, { capture: true });
    return () => document.removeEventListener("keydown", pressed, { capture: true });
  }, [there]);
  return there;
}
