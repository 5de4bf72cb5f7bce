/** Cuts a text where what was looked for stands in it; *hits* count Unicode characters, as the server does. */
export function pieces(text: string, hits: readonly (readonly number[])[]): { text: string; hit: boolean }[] {
  const signs = [...text];
  const cut: { text: string; hit: boolean }[] = [];
  let at = 0;
  const put = (to: number, hit: boolean) => {
    if (to > at) cut.push({ text: signs.slice(at, to).join(""), hit });
    at = Math.max(at, to);
  };
  for (const [from = 0, to = 0] of hits) {
    put(from, false);
    put(to, true);
  }
  put(signs.length, false);
  return cut;
}
