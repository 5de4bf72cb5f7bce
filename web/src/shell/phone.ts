/** Groups a phone's digits so that an eye can hold them: `+52 1 555 000 1111` for known lengths, else by threes. */
export function phoneText(digits: string): string {
  const local = digits.slice(-10);
  const country = digits.slice(0, -10);
  const parts = [local.slice(0, -7), local.slice(-7, -4), local.slice(-4)].filter(Boolean).join(" ");
  return `+${[country, parts].filter(Boolean).join(" ")}`;
}
