import { describe, expect, it } from "vitest";
import { Writers } from "./writers";

function watched() {
  const writers = new Writers();
  const seen: string[][] = [];
  const leave = writers.watch("cht_1", () => seen.push(writers.in("cht_1").map((writer) => writer.who)));
  return { writers, seen, leave };
}

describe("who writes in a chat", () => {
  it("is told to whoever looks at that chat, until he looks away", () => {
    const { writers, seen, leave } = watched();
    writers.tell("cht_1", "customer", "composing", 0);
    writers.tell("cht_2", "customer", "composing", 0);
    writers.tell("cht_1", "usr_beto", "composing", 1);
    writers.tell("cht_1", "customer", "paused", 2);
    leave();
    writers.tell("cht_1", "usr_beto", "paused", 3);
    expect(seen).toEqual([["customer"], ["customer", "usr_beto"], ["usr_beto"]]);
    expect(writers.in("cht_1")).toEqual([]);
    expect(writers.in("cht_2")).toHaveLength(1);
  });

  it("is the same list until something is told, and no news where nobody wrote", () => {
    const { writers, seen } = watched();
    const before = writers.in("cht_1");
    writers.tell("cht_1", "customer", "paused", 0);
    expect(writers.in("cht_1")).toBe(before);
    expect(seen).toEqual([]);
  });
});
