import { expect, test } from "vitest";
import { overlaps, told, week, weekly } from "./week";

const part = (day: number, opens: string, closes: string) => ({ day, opens, closes });

test("a week is laid out day by day and put together as it was", () => {
  const parts = [part(0, "15:00:00", "18:00:00"), part(0, "09:00:00", "13:00:00"), part(6, "10:00", "12:00")];
  const days = week(parts);
  expect(days[0]).toEqual([
    { opens: "09:00", closes: "13:00" },
    { opens: "15:00", closes: "18:00" },
  ]);
  expect(weekly(days)).toEqual([part(0, "09:00", "13:00"), part(0, "15:00", "18:00"), part(6, "10:00", "12:00")]);
});

test("parts that lie over each other are seen, over midnight too", () => {
  expect(
    overlaps([
      { opens: "09:00", closes: "13:00" },
      { opens: "13:00", closes: "18:00" },
    ]),
  ).toBe(false);
  expect(
    overlaps([
      { opens: "09:00", closes: "13:00" },
      { opens: "12:00", closes: "18:00" },
    ]),
  ).toBe(true);
  expect(
    overlaps([
      { opens: "20:00", closes: "02:00" },
      { opens: "23:00", closes: "23:30" },
    ]),
  ).toBe(true);
});

test("days that are alike are told as one", () => {
  const office = { opens: "09:00", closes: "18:00" };
  expect(told([[office], [office], [], [], [office], [], []])).toEqual([
    { from: 0, to: 1, text: "09:00–18:00" },
    { from: 2, to: 3, text: "" },
    { from: 4, to: 4, text: "09:00–18:00" },
    { from: 5, to: 6, text: "" },
  ]);
});
