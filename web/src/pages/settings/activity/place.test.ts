import { describe, expect, it } from "vitest";
import { placeOf } from "./place";

describe("a line of the record", () => {
  it.each([
    ["lead.moved", "led_1", { to: "/board", search: { lead: "led_1" } }],
    ["device.connect", "dev_1", { to: "/devices", search: { device: "dev_1" } }],
    ["contact.blocked", "cnt_1", { to: "/contacts", search: { contact: "cnt_1" } }],
    ["chat.assigned", "cht_1", { to: "/inbox/cht_1" }],
    ["user.changed", "usr_1", { to: "/settings/people" }],
  ])("%s leads to what it is about", (kind, target, place) => {
    expect(placeOf({ kind, target, gone: false })).toEqual(place);
  });

  it("leads nowhere when the thing is gone", () => {
    expect(placeOf({ kind: "lead.created", target: "led_1", gone: true })).toBeUndefined();
  });

  it.each([
    ["session.opened", "usr_1"],
    ["message.queued", "msg_1"],
    ["lead.created", null],
    ["strange", "toString_1"],
  ])("%s of %s leads nowhere", (kind, target) => {
    expect(placeOf({ kind, target, gone: false })).toBeUndefined();
  });
});
