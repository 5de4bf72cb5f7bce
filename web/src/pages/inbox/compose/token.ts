/** What is being written at the caret that a list can complete: a canned reply after `/`, a colleague after `@`. */
export type Token = { kind: "reply" | "mention"; q: string; from: number; to: number };

const REPLY = /(^|\s)\/([a-z0-9_-]{0,40})$/i;
const MENTION = /(^|\s)@([\p{L}\p{N}._-]{0,40}(?: [\p{L}\p{N}._-]{0,40})?)$/u;

export function tokenAt(text: string, caret: number, note: boolean): Token | undefined {
  const before = text.slice(Math.max(0, caret - 100), caret);
  const found = (note ? MENTION : REPLY).exec(before);
  if (!found) return undefined;
  const q = found[2] ?? "";
  return { kind: note ? "mention" : "reply", q, from: caret - q.length - 1, to: caret };
}

/** Puts *put* where the token stands; gives the text and where the caret is then. */
export function completed(text: string, token: Token, put: string): { text: string; caret: number } {
  const before = text.slice(0, token.from) + put;
  return { text: before + text.slice(token.to), caret: before.length };
}

/** Whom a note means: each whose name stands in it after an `@`, the longer name first where one begins another. */
export function mentioned(text: string, people: readonly { id: string; name: string }[]): string[] {
  let left = text;
  const found: string[] = [];
  for (const one of [...people].sort((a, b) => b.name.length - a.name.length)) {
    const parts = left.split(`@${one.name}`);
    if (parts.length < 2) continue;
    found.push(one.id);
    left = parts.join(" ");
  }
  return found;
}
