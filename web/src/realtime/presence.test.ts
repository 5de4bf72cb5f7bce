import { describe, expect, it } from "vitest";
import { BELIEVED_MS, everybody, Here, others, withColleague, withWriter, writing } from "./presence";

const beto = { user_id: "usr_beto", state: "online" as const, chats: ["cht_1"] };

describe("colleagues", () => {
  it("are there until they are offline", () => {
    const known = withColleague(everybody([beto]), { ...beto, state: "away", chats: [] });
    expect(known.usr_beto?.state).toBe("away");
    expect(withColleague(known, { ...beto, state: "offline" })).toEqual({});
  });
  it("with the same chat open are shown, but not oneself", () => {
    const known = everybody([beto, { ...beto, user_id: "usr_ana" }, { ...beto, user_id: "usr_c", chats: [] }]);
    expect(others(known, "cht_1", "usr_ana")).toEqual([beto]);
    expect(others(undefined, "cht_1", "usr_ana")).toEqual([]);
  });
});

describe("who writes", () => {
  it("is believed for a while, and no more once it stops", () => {
    const one = withWriter(undefined, "usr_beto", "composing", 0);
    const two = withWriter(one, "customer", "recording", 1_000);
    expect(writing(two, 1_000).map((writer) => writer.who)).toEqual(["usr_beto", "customer"]);
    expect(writing(two, BELIEVED_MS.colleague).map((writer) => writer.state)).toEqual(["recording"]);
    expect(writing(withWriter(two, "customer", "paused", 2_000), 2_000).map((writer) => writer.who)).toEqual([
      "usr_beto",
    ]);
  });
  it("is there once, however often it is said", () => {
    const twice = withWriter(withWriter(undefined, "customer", "composing", 0), "customer", "composing", 10);
    expect(twice).toHaveLength(1);
    expect(twice[0]?.until).toBe(10 + BELIEVED_MS.customer);
  });
});

describe("this tab", () => {
  it("says which chats are on the screen, and none while nobody looks", () => {
    const here = new Here();
    let told = 0;
    here.listen(() => told++);
    const leave = here.enter("cht_1");
    const again = here.enter("cht_1");
    leave();
    leave();
    expect(here.present()).toEqual({ state: "online", chats: ["cht_1"] });
    here.look(false);
    here.look(false);
    expect(here.present()).toEqual({ state: "away", chats: [] });
    here.look(true);
    again();
    expect(here.present()).toEqual({ state: "online", chats: [] });
    expect(told).toBe(6);
  });
  it("names no more chats than the server takes", () => {
    const here = new Here();
    for (let number = 0; number < 12; number++) here.enter(`cht_${number}`);
    expect(here.present().chats).toHaveLength(10);
    expect(here.present().chats.at(-1)).toBe("cht_11");
  });
  it("says that somebody types once every few seconds, and that he has stopped once", () => {
    const here = new Here();
    const said: object[] = [];
    here.say = (message) => said.push(message);
    for (const now of [0, 1_000, 3_999, 4_000]) here.type("cht_1", now);
    here.rest("cht_2");
    here.rest("cht_1");
    here.rest("cht_1");
    expect(said.map((message) => (message as { state: string }).state)).toEqual(["composing", "composing", "paused"]);
  });
});
