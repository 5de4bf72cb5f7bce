import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, describe, expect, it } from "vitest";
import { Freshness } from "./freshness";

const KEY = ["messages", "cht_1"];
const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A list that somebody looks at; each fetch reads the server when it begins, and answers when it is let. */
function looked() {
  const client = new QueryClient();
  const server = { status: "queued" };
  const answers: (() => void)[] = [];
  const observer = new QueryObserver(client, {
    queryKey: KEY,
    queryFn: () => {
      const read = server.status;
      return new Promise<string>((resolve) => answers.push(() => resolve(read)));
    },
  });
  const fresh = new Freshness(client, 5);
  open.push(
    observer.subscribe(() => {}),
    () => fresh.stop(),
    () => client.clear(),
  );
  return { client, server, answers, fresh, shown: () => client.getQueryData(KEY) };
}

describe("what is fetched", () => {
  it("is fetched once more where something was told meanwhile, however often it was", async () => {
    const { server, answers, fresh, shown } = looked();
    await expect.poll(() => answers.length).toBe(1);
    server.status = "delivered";
    for (const _ of [1, 2, 3]) fresh.told(KEY);
    answers[0]?.();
    await expect.poll(shown).toBe("queued");
    await expect.poll(() => answers.length).toBe(2);
    answers[1]?.();
    await expect.poll(shown).toBe("delivered");
    expect(answers.length).toBe(2);
  });

  it("stays where nothing was on its way when something was told", async () => {
    const { client, answers, fresh, shown } = looked();
    await expect.poll(() => answers.length).toBe(1);
    answers[0]?.();
    await expect.poll(shown).toBe("queued");
    fresh.told(KEY);
    fresh.again(["other"]);
    client.setQueryData(["other"], 1);
    await expect.poll(() => client.getQueryState(["other"])?.isInvalidated).toBe(true);
    expect(answers.length).toBe(1);
  });
});
