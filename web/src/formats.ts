/** Formats of the browser are slow to make and large outside of the heap: one of a kind is made, however many rows are written with it. */
const kept = new Map<string, unknown>();

function once<Format>(key: unknown[], make: () => Format): Format {
  const name = JSON.stringify(key);
  const known = kept.get(name) as Format | undefined;
  if (known) return known;
  const made = make();
  kept.set(name, made);
  return made;
}

/** Writes moments in *language*, at the place where the computer is now. */
export function dates(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = [language, options, new Date().getTimezoneOffset()];
  return once(key, () => new Intl.DateTimeFormat(language, options));
}

/** Writes numbers in *language*.  Throws RangeError: no such currency or unit. */
export function numbers(language: string, options: Intl.NumberFormatOptions = {}): Intl.NumberFormat {
  return once([language, options], () => new Intl.NumberFormat(language, options));
}
