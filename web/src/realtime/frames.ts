import type { Frame } from "./socket";

const listeners = new Set<(frame: Frame) => void>();

/** Calls *listener* with every frame from now on, until the returned function is called. */
export const onFrame = (listener: (frame: Frame) => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

/** Tells a frame to every page that listens. */
export const tellFrame = (frame: Frame) => {
  for (const listener of listeners) listener(frame);
};
