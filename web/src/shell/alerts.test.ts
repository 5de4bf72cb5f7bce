import { expect, test } from "vitest";
import { concerns, worthTelling } from "./concerns";

const now = Date.parse("2026-03-01T12:00:00Z");
const message = (change = {}) => ({ from_me: false, kind: "text" as const, at: "2026-03-01T11:59:50Z", ...change });

test("what a customer writes now is told of; one's own, a reaction, and what was missed is not", () => {
  expect(worthTelling(message(), now)).toBe(true);
  expect(worthTelling(message({ from_me: true }), now)).toBe(false);
  expect(worthTelling(message({ kind: "reaction" }), now)).toBe(false);
  expect(worthTelling(message({ at: "2026-03-01T11:30:00Z" }), now)).toBe(false);
});

test("of whose chats is told is what was set", () => {
  expect(concerns({ assignee_id: "usr_me" }, "mine", "usr_me")).toBe(true);
  expect(concerns({ assignee_id: null }, "mine", "usr_me")).toBe(true);
  expect(concerns({ assignee_id: "usr_other" }, "mine", "usr_me")).toBe(false);
  expect(concerns({ assignee_id: "usr_other" }, "all", "usr_me")).toBe(true);
});
