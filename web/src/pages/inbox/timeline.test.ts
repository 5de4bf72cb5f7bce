import { describe, expect, it } from "vitest";
import type { Message } from "@/api/types";
import { laidOut, oldestUnread } from "./timeline";

const message = (id: string, at: string, more: Partial<Message> = {}): Message => ({
  id,
  chat_id: "cht_1",
  device_id: "dev_1",
  from_me: false,
  kind: "text",
  status: "received",
  at,
  text: id,
  ...more,
});

describe("a conversation", () => {
  const monday = message("a", "2026-11-16T12:00:00Z");
  const tuesday = [message("b", "2026-11-17T12:00:00Z"), message("c", "2026-11-17T12:01:00Z")];

  it("has a heading for each day, and bubbles of one turn follow each other", () => {
    const lines = laidOut([monday, ...tuesday], [], undefined);
    expect(lines.map((line) => line.kind)).toEqual(["day", "message", "day", "message", "message"]);
    expect(lines.filter((line) => line.kind === "message").map((line) => line.follows)).toEqual([false, false, true]);
  });

  it("shows what is new below a line, and what happened where it happened", () => {
    const assigned = { id: "1", at: "2026-11-17T12:00:30Z", kind: "assigned" as const, assignee_id: "usr_1" };
    const closed = { id: "2", at: "2026-11-17T12:01:00.250Z", kind: "closed" as const };
    const before = { id: "3", at: "2026-11-01T13:00:00Z", kind: "closed" as const };
    const lines = laidOut(tuesday, [closed, assigned, before], "c");
    expect(lines.map((line) => line.key)).toEqual([
      expect.stringContaining("day"),
      "happened 3",
      expect.stringContaining("day"),
      "b",
      "happened 1",
      "new",
      "c",
      "happened 2",
    ]);
  });

  it("shows a message that was sent again once", () => {
    const failed = message("f", "2026-11-17T12:02:00Z", { from_me: true, status: "failed" });
    const again = message("g", "2026-11-17T12:03:00Z", { from_me: true, status: "sent", resend_of: "f" });
    expect(laidOut([failed, again], [], undefined).map((line) => line.key)).not.toContain("f");
  });

  it("counts the unread among the other side's messages alone", () => {
    const mine = message("m", "2026-11-17T12:02:00Z", { from_me: true });
    expect(oldestUnread([monday, ...tuesday, mine], 2)).toBe("b");
    expect(oldestUnread(tuesday, 0)).toBeUndefined();
    expect(oldestUnread(tuesday, 99)).toBe("b");
  });
});
