import { describe, expect, it } from "vitest";
import { found } from "./found";

const named = (...names: string[]) => names.map((label) => ({ value: label, label, disabled: false }));

describe("of many choices", () => {
  it("those with the letters are found, whatever their accents and case", () => {
    expect(found(named("José Peña", "Ana", "PENAL"), " pena ", 10)).toEqual({
      shown: named("José Peña", "PENAL"),
      more: 0,
    });
  });

  it("only the first are shown, over all groups, and how many more there are is told", () => {
    const groups = [
      { group: "people", items: named("Ana", "Eva") },
      { group: "nobody like this", items: named("zzz") },
      { group: "keys", items: named("Caja", "Almacén", "Oficina") },
    ];
    expect(found(groups, "a", 3)).toEqual({
      shown: [
        { group: "people", items: named("Ana", "Eva") },
        { group: "keys", items: named("Caja") },
      ],
      more: 2,
    });
  });

  it("without letters all are shown", () => {
    expect(found(named("a", "b"), "", 60).shown).toHaveLength(2);
  });
});
