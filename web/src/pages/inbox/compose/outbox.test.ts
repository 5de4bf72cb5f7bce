import { describe, expect, it, vi } from "vitest";
import { Problem } from "@/api/problem";
import type { Message } from "@/api/types";
import { asMessage, type Kept, Outbox, type Pending, withPending } from "./outbox";

const message = (pending: Pending): Message => ({
  ...asMessage(pending, "dev_1", "usr_1"),
  id: `msg_${pending.key}`,
  status: "queued",
});
const written = (key: string, chat = "cht_1"): Omit<Pending, "state"> => ({
  key,
  chat_id: chat,
  at: "2026-11-22T10:00:00Z",
  kind: "text",
  text: key,
});

function shelf(...left: Pending[]): Kept {
  const kept = new Map(left.map((one) => [one.key, one]));
  return {
    all: () => [...kept.values()],
    put: (one) => kept.set(one.key, one),
    drop: (key) => kept.delete(key),
  };
}

/** An outbox whose server answers as *answers* says, one after the other, and then takes everything. */
function begun(answers: (Problem | undefined)[], kept = shelf()) {
  const outbox = new Outbox();
  const tried: string[] = [];
  const sent: string[] = [];
  const rest = () => vi.waitFor(() => expect(outbox.all().filter((one) => one.state !== "failed")).toEqual([]));
  outbox.start({
    send: async (pending) => {
      tried.push(pending.key);
      const problem = answers.shift();
      if (problem) throw problem;
      return message(pending);
    },
    sent: (done) => sent.push(done.id),
    kept,
    wait: () => 0,
  });
  return { outbox, tried, sent, kept, rest };
}

const away = new Problem(0, "network", "", undefined);
const refused = new Problem(422, "quote-invalid", "No.", "req_1");

describe("the outbox", () => {
  it("sends in the order of writing, and tries the same key again while nobody answers", async () => {
    const { outbox, tried, sent, rest } = begun([away, away]);
    outbox.put(written("a"));
    outbox.put(written("b"));
    await rest();
    expect(tried).toEqual(["a", "a", "a", "b"]);
    expect(sent).toEqual(["msg_a", "msg_b"]);
    expect(outbox.all()).toEqual([]);
  });

  it("keeps what is refused, with the reason, and goes on with the rest", async () => {
    const { outbox, sent, rest } = begun([refused]);
    outbox.put(written("a"));
    outbox.put(written("b"));
    await rest();
    expect(sent).toEqual(["msg_b"]);
    expect(outbox.all()).toMatchObject([
      { key: "a", state: "failed", problem: { code: "quote-invalid", requestId: "req_1" } },
    ]);
    outbox.again("a");
    await rest();
    expect(sent).toEqual(["msg_b", "msg_a"]);
  });

  it("goes on after a reload with what a page before has left", async () => {
    const kept = shelf({ ...written("left"), state: "sending" });
    const { sent, rest } = begun([], kept);
    await rest();
    expect(sent).toEqual(["msg_left"]);
    expect(kept.all()).toEqual([]);
  });

  it("forgets what is discarded", async () => {
    const { outbox, sent, rest } = begun([refused]);
    outbox.put(written("a"));
    await rest();
    outbox.discard("a");
    expect(outbox.all()).toEqual([]);
    expect(sent).toEqual([]);
  });
});

describe("what waits, among the messages", () => {
  const pending = asMessage({ ...written("hola"), state: "sending" }, "dev_1", "usr_1");

  it("is shown once where the socket was quicker than the answer", () => {
    const told = { ...pending, id: "msg_1", at: "2026-11-22T10:00:01Z" };
    expect(withPending([told], [pending]).map((one) => one.id)).toEqual(["msg_1"]);
  });

  it("is shown beside an older message of the same words", () => {
    const older = { ...pending, id: "msg_1", at: "2026-11-22T09:00:00Z" };
    expect(withPending([older], [pending])).toHaveLength(2);
  });
});
