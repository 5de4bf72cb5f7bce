let audio: AudioContext | undefined;

/** Two short notes. A browser in which nobody has touched anything yet stays silent. */
export function chime() {
  try {
    audio ??= new AudioContext();
    if (audio.state === "suspended") void audio.resume();
    const now = audio.currentTime;
    for (const [index, pitch] of [880, 1174.7].entries()) {
      const tone = audio.createOscillator();
      const loudness = audio.createGain();
      const from = now + index * 0.11;
      tone.frequency.value = pitch;
      loudness.gain.setValueAtTime(0, from);
      loudness.gain.linearRampToValueAtTime(0.12, from + 0.01);
      loudness.gain.exponentialRampToValueAtTime(0.001, from + 0.28);
      tone.connect(loudness).connect(audio.destination);
      tone.start(from);
      tone.stop(from + 0.3);
    }
  } catch {
    // No sound on this machine.
  }
}
