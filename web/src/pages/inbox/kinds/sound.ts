const BARS = 48;
const HIGHEST = 28;
const LOWEST = 3;

/** Heights of the bars of a sound, of which up to 64 levels from 0 to 100 are known, or nothing. */
export function levels(waveform: readonly number[] | null | undefined): number[] {
  if (!waveform?.length) return Array.from({ length: BARS }, () => LOWEST);
  return Array.from({ length: BARS }, (_, index) => {
    const level = waveform[Math.floor((index * waveform.length) / BARS)] ?? 0;
    return LOWEST + (Math.max(0, Math.min(100, level)) / 100) * (HIGHEST - LOWEST);
  });
}

/** Seconds as a clock shows them: `0:07`, `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
