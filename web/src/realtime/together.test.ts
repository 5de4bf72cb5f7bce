import { describe, expect, it } from "vitest";
import { Together } from "./together";

const LONG = 600_000;

function collected(wait: number, seen = () => true) {
  const heaps: number[][] = [];
  return { heaps, together: new Together<number>((some) => void heaps.push([...some]), wait, seen) };
}

describe("what comes one by one", () => {
  it("is given on at once where it is alone", () => {
    const { heaps, together } = collected(LONG);
    together.add(1);
    expect(heaps).toEqual([[1]]);
    together.stop();
  });

  it("is given on in heaps where much comes, in order and each once", async () => {
    const { heaps, together } = collected(5);
    for (const one of [1, 2, 3]) together.add(one);
    expect(heaps).toEqual([[1]]);
    await expect.poll(() => heaps).toEqual([[1], [2, 3]]);
    for (const one of [4, 5]) together.add(one);
    await expect.poll(() => heaps.flat()).toEqual([1, 2, 3, 4, 5]);
    together.stop();
  });

  it("waits for no timer where nobody sees the page", () => {
    let seen = true;
    const { heaps, together } = collected(LONG, () => seen);
    for (const one of [1, 2]) together.add(one);
    expect(heaps).toEqual([[1]]);
    seen = false;
    together.add(3);
    expect(heaps).toEqual([[1], [2, 3]]);
    together.stop();
  });

  it("is forgotten once it has stopped", () => {
    const { heaps, together } = collected(LONG);
    for (const one of [1, 2]) together.add(one);
    together.stop();
    together.add(3);
    expect(heaps).toEqual([[1], [3]]);
    together.stop();
  });
});
