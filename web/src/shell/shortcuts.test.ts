import { describe, expect, it, vi } from "vitest";
import { chosen, pressed, type Shortcut } from "./shortcuts";

const press = (key: string, more: object = {}) =>
  pressed({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });
const one = (keys: string): Shortcut => ({ id: keys, keys, label: "", group: "", run: vi.fn() });

describe("keys", () => {
  it("are said the same way on every keyboard", () => {
    expect(press("j")).toBe("j");
    expect(press("J", { shiftKey: true })).toBe("shift+j");
    expect(press("?", { shiftKey: true })).toBe("?");
    expect(press("k", { metaKey: true })).toBe("mod+k");
    expect(press("k", { ctrlKey: true })).toBe("mod+k");
    expect(press("ArrowDown", { shiftKey: true })).toBe("shift+ArrowDown");
  });

  it("may come one after the other", () => {
    const all = [one("g i"), one("j")];
    expect(chosen(all, "", "g")).toEqual({ wait: "g" });
    expect(chosen(all, "g", "i").hit).toBe(all[0]);
    expect(chosen(all, "g", "j").hit).toBe(all[1]);
    expect(chosen(all, "", "i")).toEqual({ wait: "" });
  });

  it("mean what the page says, before what the shell says", () => {
    const all = [one("c"), one("c")];
    expect(chosen(all, "", "c").hit).toBe(all[1]);
  });
});
