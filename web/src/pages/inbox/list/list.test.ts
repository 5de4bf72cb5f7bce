import { describe, expect, it } from "vitest";
import { snoozes } from "../each";
import { asFilter, narrowed, remembered, START } from "./filters";
import { pieces } from "./pieces";
import { waited } from "./waiting";
import { asQuery, EVERYWHERE, narrows } from "./within";

describe("what the list shows", () => {
  it("is said in the API's words", () => {
    expect(asFilter(START, "")).toEqual({ status: "open" });
    expect(asFilter({ ...START, view: "mine", status: "any", tag: "tag_1" }, "")).toEqual({
      assignee: "me",
      tag_id: "tag_1",
    });
    expect(asFilter({ ...START, view: "mine", agent: "usr_1" }, "")).toEqual({ status: "open", assignee: "usr_1" });
  });

  it("is found by name wherever it stands", () => {
    expect(asFilter({ ...START, view: "unassigned" }, "lu")).toEqual({ q: "lu" });
  });

  it("is what it was, whatever has been stored", () => {
    expect(remembered("{nonsense")).toEqual(START);
    expect(remembered('{"status":"closed","gone":1}')).toEqual({ ...START, status: "closed" });
    expect(narrowed({ ...START, unread: true, team: "tem_1" })).toBe(2);
  });
});

describe("where is looked for something", () => {
  it("is said in the API's words", () => {
    expect(asQuery(EVERYWHERE)).toEqual({});
    expect(
      asQuery({ ...EVERYWHERE, device: "dev_1", agent: "me", tag: "tag_1", status: "closed", state: "cst_1" }),
    ).toEqual({ device_id: "dev_1", assignee_id: "me", tag_id: "tag_1", status: "closed", state_id: "cst_1" });
  });

  it("is whole days of whoever looks", () => {
    const within = { ...EVERYWHERE, from: "2026-10-31", to: "2026-10-31" };
    const { after, before } = asQuery(within) as { after: string; before: string };
    expect([after, before].map((at) => new Date(at).toString())).toEqual(
      [new Date(2026, 9, 31), new Date(2026, 10, 1)].map(String),
    );
    expect(narrows(within)).toBe(2);
    expect(asQuery({ ...EVERYWHERE, to: "2026-12-31" })).toEqual({ before: new Date(2027, 0, 1).toISOString() });
    expect(asQuery({ ...EVERYWHERE, from: "2026-1", to: "0002-06-01" })).toEqual({});
  });
});

describe("a customer who waits", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  it("waits longer and longer", () => {
    expect(waited(null, now)).toBeUndefined();
    expect(waited("2026-11-22T11:59:30Z", now)).toEqual({ minutes: 0, level: "fine" });
    expect(waited("2026-11-22T11:44:00Z", now)).toEqual({ minutes: 16, level: "late" });
    expect(waited("2026-11-21T12:00:00Z", now)).toEqual({ minutes: 1440, level: "lost" });
  });
});

describe("a snooze", () => {
  it("ends ahead, in the agent's own day", () => {
    const evening = new Date(2026, 10, 20, 19, 30);
    expect(snoozes(evening).map((one) => one.id)).toEqual(["hour", "tomorrow", "monday"]);
    // On a Sunday both would be the same.
    const sunday = new Date(2026, 10, 22, 9, 30);
    expect(snoozes(sunday).map((one) => one.id)).toEqual(["hour", "evening", "tomorrow"]);
    const monday = new Date(2026, 10, 23, 9, 30);
    for (const one of snoozes(monday)) expect(one.at.getTime()).toBeGreaterThan(monday.getTime());
    expect(snoozes(monday).at(-1)?.at).toEqual(new Date(2026, 10, 30, 9));
  });
});

describe("what was found", () => {
  it("is marked by characters, not by halves of them", () => {
    expect(pieces("😀 café solo", [[2, 6]])).toEqual([
      { text: "😀 ", hit: false },
      { text: "café", hit: true },
      { text: " solo", hit: false },
    ]);
    expect(pieces("nada", [])).toEqual([{ text: "nada", hit: false }]);
  });
});
