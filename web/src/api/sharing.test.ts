import { describe, expect, it } from "vitest";
import { shared } from "./sharing";

type Chat = { id: string; name: string; last?: { text: string } };
const chat = (id: string, text = "hola"): Chat => ({ id, name: `Cliente ${id}`, last: { text } });
const list = (...pages: Chat[][]) => ({
  pages: pages.map((items, at) => ({ items, next_cursor: `after ${at}`, happened: [{ id: `h${at}` }] })),
  pageParams: pages.map((_, at) => (at ? `after ${at - 1}` : null)),
});
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value));

describe("what has been fetched again", () => {
  it("is the very object that it was, where nothing has changed", () => {
    const before = list([chat("1"), chat("2")], [chat("3")]);
    expect(shared(before, copy(before))).toBe(before);
    const page = { items: [chat("1")], next_cursor: null };
    expect(shared(page, copy(page))).toBe(page);
    expect(shared({ a: { b: 1 } }, { a: { b: 1 } })).toEqual({ a: { b: 1 } });
  });

  it("leaves each chat as it was where one has moved to the top", () => {
    const before = list([chat("1"), chat("2"), chat("3")], [chat("4")]);
    const now = shared(before, copy(list([chat("3", "nuevo"), chat("1"), chat("2")], [chat("4")])));
    expect(now).toEqual(list([chat("3", "nuevo"), chat("1"), chat("2")], [chat("4")]));
    expect(now.pages[0]?.items[1]).toBe(before.pages[0]?.items[0]);
    expect(now.pages[0]?.items[2]).toBe(before.pages[0]?.items[1]);
    expect(now.pages[1]).toBe(before.pages[1]);
  });

  it("is what came, where it is shorter, longer, empty, or of another kind", () => {
    const before = list([chat("1")], [chat("2")]);
    for (const next of [list([chat("1")]), list([]), list(), list([chat("1"), chat("5")], [chat("2")], [chat("3")])]) {
      expect(shared(before, next)).toEqual(next);
      expect(shared(next, copy(before))).toEqual(before);
    }
    expect(shared(undefined, before)).toBe(before);
    expect(shared(before, null)).toBeNull();
    const added = { items: [{ ...chat("1"), more: true }], next_cursor: null };
    expect(shared({ items: [chat("1")], next_cursor: null }, added)).toEqual(added);
  });
});
