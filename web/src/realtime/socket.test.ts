import { describe, expect, it, vi } from "vitest";
import type { Present } from "./presence";
import { type Frame, Socket } from "./socket";

// A wire, not a stand-in for a server: what the class writes and reads crosses it as it would cross a WebSocket.
class Wire extends EventTarget {
  static readonly OPEN = 1;
  readyState = 1;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor(readonly url: string) {
    super();
  }
  readonly said: object[] = [];
  send(text: string) {
    this.said.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
    this.onclose?.();
  }
  say(frame: Frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

function start() {
  const wires: Wire[] = [];
  const seen: Frame[] = [];
  const states: string[] = [];
  let resyncs = 0;
  let openings = 0;
  let tickets = 0;
  const present: Present = { state: "online", chats: [] };
  vi.stubGlobal("window", {
    ...new EventTarget(),
    addEventListener() {},
    removeEventListener() {},
    location: { protocol: "http:", host: "here" },
  });
  vi.stubGlobal("document", { addEventListener() {}, removeEventListener() {}, visibilityState: "visible" });
  const socket = new Socket({
    ticket: async () => `t${++tickets}`,
    frame: (frame) => seen.push(frame),
    resync: () => {
      resyncs++;
    },
    opened: () => {
      openings++;
    },
    connection: (state) => states.push(state),
    present: () => present,
    open: (url) => {
      const wire = new Wire(url);
      wires.push(wire);
      return wire as unknown as WebSocket;
    },
    fallBack: (query) => {
      const wire = new Wire(`stream?${query}`);
      wire.readyState = 0;
      wires.push(wire);
      return wire as unknown as WebSocket;
    },
    wait: () => 0,
  });
  socket.start();
  const wire = async (index: number) => {
    await vi.waitFor(() => expect(wires[index]).toBeDefined());
    return wires[index] as Wire;
  };
  return { wire, seen, states, socket, present, resyncs: () => resyncs, openings: () => openings, stop: socket.stop };
}

describe("Socket", () => {
  it("asks for what it missed when it connects again", async () => {
    const { wire, stop } = start();
    const first = await wire(0);
    first.say({ event: "hello", epoch: "e", seq: 10 });
    first.say({ event: "new_message", seq: 12, prev: 10, data: {} });
    first.close();
    const second = await wire(1);
    expect(second.url).toContain("since=12");
    expect(second.url).toContain("epoch=e");
    stop();
  });
  it("notices a frame that was lost in silence", async () => {
    const { wire, seen, stop } = start();
    const first = await wire(0);
    first.say({ event: "hello", epoch: "e", seq: 10 });
    first.say({ event: "new_message", seq: 15, prev: 13, data: {} });
    expect(seen).toHaveLength(0);
    expect((await wire(1)).url).toContain("since=10");
    stop();
  });
  it("shows a repeated frame once", async () => {
    const { wire, seen, stop } = start();
    const first = await wire(0);
    first.say({ event: "hello", epoch: "e", seq: 1 });
    first.say({ event: "new_message", seq: 2, prev: 1 });
    first.say({ event: "new_message", seq: 2, prev: 1 });
    expect(seen).toHaveLength(1);
    stop();
  });
  it("fetches everything anew when the stream is another one, or when it is told to", async () => {
    const { wire, resyncs, openings, stop } = start();
    const first = await wire(0);
    first.say({ event: "hello", epoch: "e", seq: 1 });
    expect([resyncs(), openings()]).toEqual([0, 1]);
    first.close();
    const second = await wire(1);
    second.say({ event: "hello", epoch: "other", seq: 1 });
    expect(resyncs()).toBe(1);
    second.say({ event: "resync", seq: 9 });
    expect([resyncs(), openings()]).toEqual([2, 1]);
    stop();
  });
  it("goes on from the epoch that a resync names", async () => {
    const { wire, resyncs, stop } = start();
    const first = await wire(0);
    first.say({ event: "hello", epoch: "e", seq: 1 });
    first.say({ event: "resync", epoch: "e.seen", seq: 9 });
    first.close();
    const second = await wire(1);
    expect(second.url).toContain("since=9&epoch=e.seen");
    second.say({ event: "hello", epoch: "e.seen", seq: 9 });
    expect(resyncs()).toBe(1);
    stop();
  });
  it("says who is there at each opening, and when that changes, once", async () => {
    const { wire, socket, present, stop } = start();
    const first = await wire(0);
    socket.present();
    expect(first.said).toEqual([]);
    first.say({ event: "hello", epoch: "e", seq: 1 });
    socket.present();
    present.chats = ["cht_1"];
    socket.present();
    expect(first.said).toEqual([
      { type: "presence", state: "online", chats: [] },
      { type: "presence", state: "online", chats: ["cht_1"] },
    ]);
    first.close();
    const second = await wire(1);
    socket.say({ type: "typing" });
    second.say({ event: "hello", epoch: "e", seq: 1 });
    expect(second.said).toEqual([{ type: "presence", state: "online", chats: ["cht_1"] }]);
    stop();
  });
  it("goes on with a fresh ticket before its token ends", async () => {
    const { wire, stop } = start();
    const first = await wire(0);
    const expires_at = Date.now() / 1000 + 30;
    first.say({ event: "hello", epoch: "e", seq: 1, data: { expires_at } });
    await vi.waitFor(() => expect(first.said).toContainEqual({ type: "auth", ticket: "t2" }), 5_000);
    stop();
  });
  it("asks to be loaded anew when the server speaks another protocol, and connects no more", async () => {
    const { wire, states, seen, stop } = start();
    const first = await wire(0);
    first.say({ event: "hello", protocol: 2, epoch: "e", seq: 1 });
    expect(states.at(-1)).toBe("outdated");
    expect(first.readyState).toBe(3);
    expect(seen).toEqual([]);
    stop();
  });
  it("falls back to a stream of events where sockets say nothing, and to a socket once one does", async () => {
    const { wire, seen, socket, stop } = start();
    for (let number = 0; number < 3; number++) (await wire(number)).close();
    const streamed = await wire(3);
    expect(streamed.url).toBe("stream?");
    streamed.say({ event: "hello", epoch: "e", seq: 4 });
    streamed.say({ event: "new_message", seq: 5, prev: 4 });
    expect(seen).toHaveLength(1);
    socket.say({ type: "typing" });
    expect(streamed.said).toEqual([]);
    streamed.close();
    const again = await wire(4);
    expect(again.url).toContain("/ws?ticket=t5&since=5&epoch=e");
    again.say({ event: "hello", epoch: "e", seq: 5 });
    again.close();
    expect((await wire(5)).url).toContain("/ws?");
    stop();
  });
});
