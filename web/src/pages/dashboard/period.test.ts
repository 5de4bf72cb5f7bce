import { describe, expect, it } from "vitest";
import { exported } from "@/api/dashboard";
import { ago, asked, flaw, length } from "./period";

const TODAY = "2026-11-22";

describe("the days that are asked for", () => {
  it("are today where the address names none that it knows", () => {
    expect(asked({})).toEqual({ span: "today" });
    expect(asked({ span: "month" })).toEqual({ span: "month" });
    for (const span of ["decade", "toString", 7, null]) expect(asked({ span })).toEqual({ span: "today" });
  });

  it("are one's own where one of them is named, as it was written", () => {
    expect(asked({ first: "2026-11-01", last: "2026-11-10", span: "week" })).toEqual({
      own: { first: "2026-11-01", last: "2026-11-10" },
    });
    expect(asked({ first: "soon" })).toEqual({ own: { first: "soon", last: "" } });
    expect(asked({ last: 2026 })).toEqual({ own: { first: "", last: "" } });
  });

  it("are counted with both ends, over the ends of months and of summer time", () => {
    expect(length({ first: TODAY, last: TODAY })).toBe(1);
    expect(length({ first: "2028-02-27", last: "2028-03-01" })).toBe(4);
    expect(length({ first: "2026-03-01", last: "2026-03-31" })).toBe(31);
    expect(ago("2026-03-01", 1)).toBe("2026-02-28");
    expect(ago("2026-11-02", 6)).toBe("2026-10-27");
  });

  it.each([
    ["2026-11-01", "2026-11-10", undefined],
    [TODAY, TODAY, undefined],
    ["2025-10-19", TODAY, undefined],
    ["2025-10-18", TODAY, "long"],
    ["0002-11-01", "2026-11-10", "long"],
    ["2026-11-10", "2026-11-09", "reversed"],
    ["2026-12-01", "2026-11-10", "reversed"],
    ["2026-11-20", "2026-11-23", "future"],
    ["2026-02-28", "2026-02-30", "missing"],
    ["", "2026-11-10", "missing"],
    ["2026-11-10", "", "missing"],
    ["+02026-11-1", "2026-11-10", "missing"],
    ["<b>", "2026-11-10", "missing"],
  ] as const)("from %s to %s are %s", (first, last, wrong) => {
    expect(flaw({ first, last }, TODAY)).toBe(wrong);
  });

  it("are not called the future by a browser that does not know the account's day yet", () => {
    expect(flaw({ first: "2026-11-20", last: "2026-11-23" })).toBeUndefined();
  });

  it("are all that a table is asked for by, whatever else is known of them", () => {
    const period = { first: "2026-11-01", last: "2026-11-10", received: 3 };
    expect(exported("days", period)).toBe("/api/dashboard/export?table=days&first=2026-11-01&last=2026-11-10");
  });
});
