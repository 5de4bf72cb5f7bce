import { describe, expect, it } from "vitest";
import { completed, mentioned, tokenAt } from "./token";

describe("what is written at the caret", () => {
  it("is a canned reply after a slash that begins a word", () => {
    expect(tokenAt("/ho", 3, false)).toEqual({ kind: "reply", q: "ho", from: 0, to: 3 });
    expect(tokenAt("Hola /", 6, false)?.q).toBe("");
    expect(tokenAt("http://x/ho", 11, false)).toBeUndefined();
    expect(tokenAt("1/2", 3, false)).toBeUndefined();
  });

  it("is a colleague after an at sign, in notes alone", () => {
    expect(tokenAt("mira @Ana L", 11, true)).toMatchObject({ kind: "mention", q: "Ana L" });
    expect(tokenAt("ana@mail", 8, true)).toBeUndefined();
    expect(tokenAt("@Ana", 4, false)).toBeUndefined();
  });

  it("is replaced where it stands", () => {
    const token = tokenAt("Sí, /gra y más", 8, false);
    expect(token && completed("Sí, /gra y más", token, "¡Gracias!")).toEqual({
      text: "Sí, ¡Gracias! y más",
      caret: 13,
    });
  });
});

describe("a note", () => {
  const people = [
    { id: "usr_1", name: "Ana" },
    { id: "usr_2", name: "Ana López" },
    { id: "usr_3", name: "Beto" },
  ];

  it("means whose names stand in it, and nobody whose name only begins another", () => {
    expect(mentioned("@Ana López, ¿y @Beto?", people)).toEqual(["usr_2", "usr_3"]);
    expect(mentioned("@Ana y @Ana López", people)).toEqual(["usr_2", "usr_1"]);
    expect(mentioned("Ana", people)).toEqual([]);
  });
});
