let audio: AudioContext | undefined;
let last = Number.NEGATIVE_INFINITY;

/** In a busy minute it rings now and then, not for each message. */
const APART_MS = 2_000;

/** Whether a chime would be heard now: what is scheduled before somebody has touched the page would all ring at once when he does. */
export const rings = () => performance.now() - last >= APART_MS && navigator.userActivation?.hasBeenActive !== false;

/** Two short notes. A browser in which nobody has touched anything yet stays silent. */
export function chime() {
  if (!rings()) return;
  last = performance.now();
  try {
    audio ??= new AudioContext();
    const context = audio;
    if (context.state === "running") ring(context);
    else
      void context.resume().then(
        () => ring(context),
        () => {},
      );
  } catch {
    // No sound on this machine.
  }
}

function ring(context: AudioContext) {
  for (const [index, pitch] of [880, 1174.7].entries()) {
    const tone = context.createOscillator();
    const loudness = context.createGain();
    const from = context.currentTime + index * 0.11;
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(0, from);
    loudness.gain.linearRampToValueAtTime(0.12, from + 0.01);
    loudness.gain.exponentialRampToValueAtTime(0.001, from + 0.28);
    tone.connect(loudness).connect(context.destination);
    tone.start(from);
    tone.stop(from + 0.3);
  }
}
