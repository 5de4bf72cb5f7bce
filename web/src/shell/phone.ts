/** Country codes of one digit and of two (ITU E.164); all others have three. */
const SHORT = /^(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;
/** How those write their numbers who write most here; the others go by length, else by fours from the end. */
const GROUPS: Record<string, RegExp> = {
  "1": /^(\d{3})(\d{3})(\d{4})$/,
  "52": /^(1?)(\d{2})(\d{4})(\d{4})$/,
  "54": /^(9?)(\d{2})(\d{4})(\d{4})$/,
  "55": /^(\d{2})(\d{4,5})(\d{4})$/,
};
const BY_LENGTH: Record<number, RegExp> = {
  9: /^(\d{3})(\d{3})(\d{3})$/,
  10: /^(\d{3})(\d{3})(\d{4})$/,
  11: /^(\d{3})(\d{4})(\d{4})$/,
};

/** Groups a phone's digits so that an eye can hold them: `+52 1 55 1234 0001`. */
export function phoneText(digits: string): string {
  const country = SHORT.exec(digits)?.[0] ?? digits.slice(0, 3);
  const local = digits.slice(country.length);
  const known = (GROUPS[country]?.exec(local) ?? BY_LENGTH[local.length]?.exec(local))?.slice(1);
  const parts = known ?? local.match(/\d{1,4}(?=(?:\d{4})*$)/g) ?? [];
  return `+${[country, ...parts].filter(Boolean).join(" ")}`;
}
