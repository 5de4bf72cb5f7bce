import { describe, expect, it } from "vitest";
import type { Board, Card, Column } from "@/api/board";
import { findCard, overdue, placed, stuck, withLead, withMessage, withMore, without, withUnread } from "./apply";

const aCard = (id: string, changes: Partial<Card> = {}): Card => ({
  id,
  pipeline_id: "pip_1",
  stage_id: "stg_1",
  title: id,
  status: "open",
  value: 100,
  currency: "MXN",
  version: 1,
  rank: id,
  at: "2026-01-01T00:00:00Z",
  created_at: "2026-01-01T00:00:00Z",
  stage_since: "2026-01-01T00:00:00Z",
  ...changes,
});
const aColumn = (id: string, cards: Card[], changes: Partial<Column> = {}): Column => ({
  id,
  name: id,
  kind: "open",
  color: "#000000",
  probability: 50,
  count: cards.length,
  totals: cards.length
    ? [{ currency: "MXN", count: cards.length, value: cards.length * 100, weighted: cards.length * 50 }]
    : [],
  leads: { items: cards, next_cursor: null },
  ...changes,
});
const aBoard = (): Board => ({
  pipeline: { id: "pip_1", name: "Ventas", currency: "MXN", default: true, stages: [], revision: 1 },
  items: [aColumn("stg_1", [aCard("a"), aCard("c")]), aColumn("stg_2", [], { kind: "won" })],
});
const shown = (board: Board) => board.items.map((column) => column.leads.items.map((card) => card.id));

describe("a board", () => {
  it("moves a card with what it is worth", () => {
    const board = placed(aBoard(), aCard("a"), "stg_2", 0);
    expect(shown(board)).toEqual([["c"], ["a"]]);
    expect(board.items.map((column) => [column.count, column.totals[0]?.value])).toEqual([
      [1, 100],
      [1, 100],
    ]);
    expect(findCard(board, "a")?.status).toBe("won");
  });
  it("moves a card within its column", () => {
    expect(shown(placed(aBoard(), aCard("a"), "stg_1", 1))[0]).toEqual(["c", "a"]);
  });
  it("shows a lead where its rank puts it, once", () => {
    const board = withLead(withLead(aBoard(), aCard("b")), aCard("b"));
    expect(shown(board)[0]).toEqual(["a", "b", "c"]);
    expect(board.items[0]?.count).toBe(3);
  });
  it("ignores old news of a lead", () => {
    const board = withLead(aBoard(), aCard("a", { version: 3, stage_id: "stg_2" }));
    expect(shown(withLead(board, aCard("a", { version: 2, stage_id: "stg_1" })))).toEqual([["c"], ["a"]]);
  });
  it("counts a lead that stands behind what is shown", () => {
    const board = aBoard();
    const long = {
      ...board,
      items: [aColumn("stg_1", [aCard("a")], { leads: { items: [aCard("a")], next_cursor: "x" } })],
    };
    const told = withLead(long, aCard("z"));
    expect(shown(told)[0]).toEqual(["a"]);
    expect(told.items[0]?.count).toBe(2);
    expect(shown(withMore(told, "stg_1", [aCard("a"), aCard("z")], null))[0]).toEqual(["a", "z"]);
  });
  it("forgets a lead", () => {
    expect(without(without(aBoard(), "a"), "a").items[0]?.totals).toEqual([
      { currency: "MXN", count: 1, value: 100, weighted: 50 },
    ]);
  });
  it("shows the newest message of a chat and how many are unread", () => {
    const chat = {
      id: "cht_1",
      device_id: "dev_1",
      name: null,
      status: "open",
      unread: 0,
      assignee_id: null,
      last_message: null,
    };
    const board = withLead(aBoard(), aCard("a", { version: 2, chat }));
    const message = {
      id: "msg_1",
      chat_id: "cht_1",
      at: "2026-01-02T00:00:00Z",
      kind: "text",
      text: "hola",
      from_me: false,
    };
    const told = withMessage(withMessage(board, message), message);
    expect(findCard(told, "a")?.chat).toMatchObject({ unread: 1, last_message: { text: "hola" } });
    expect(findCard(withUnread(told, "cht_1", 0), "a")?.chat?.unread).toBe(0);
  });
  it("tells who is stuck", () => {
    const now = Date.parse("2026-01-05T00:00:00Z");
    expect(stuck(aCard("a"), { ...aColumn("s", []), rotting_days: 3 }, now)).toBe(true);
    expect(stuck(aCard("a"), { ...aColumn("s", []), rotting_days: 5 }, now)).toBe(false);
    expect(stuck(aCard("a"), aColumn("s", []), now)).toBe(false);
  });
  it("tells what is overdue, whatever zone it was written in", () => {
    const now = Date.parse("2026-01-05T00:00:00Z");
    expect(overdue("2026-01-04T20:00:00-03:00", now)).toBe(true);
    expect(overdue("2026-01-04T22:00:00-03:00", now)).toBe(false);
    expect(overdue(null, now)).toBe(false);
  });
});
