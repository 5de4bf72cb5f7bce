import { describe, expect, it } from "vitest";
import type { Chat, Device, Happening, Message } from "@/api/types";
import {
  fits,
  merge,
  type Pages,
  placed,
  shortened,
  standsElsewhere,
  withChat,
  withDevice,
  withHappened,
  withMessage,
  without,
  withStanding,
  withStatus,
} from "./apply";

const aMessage = (changes: Partial<Message> = {}): Message => ({
  id: "msg_1",
  chat_id: "cht_1",
  device_id: "dev_1",
  from_me: true,
  kind: "text",
  status: "queued",
  at: "2026-01-01T10:00:00Z",
  text: "hola",
  ...changes,
});
const pages = (...items: Message[]): Pages<Message> => ({ pages: [{ items, next_cursor: null }], pageParams: [null] });
const ids = (of: Pages<Message> | undefined) => of?.pages.flatMap((page) => page.items.map((item) => item.id));

describe("withMessage", () => {
  it("shows a message once, however often it is told", () => {
    const once = withMessage(pages(), aMessage());
    expect(ids(withMessage(once, aMessage()))).toEqual(["msg_1"]);
  });
  it("orders by time, not by arrival", () => {
    const late = aMessage({ id: "msg_0", at: "2026-01-01T09:00:00Z" });
    expect(ids(withMessage(withMessage(pages(), aMessage()), late))).toEqual(["msg_1", "msg_0"]);
  });
  it("puts the answer in the place of what was pending, whichever of frame and answer comes first", () => {
    const pending = withMessage(pages(), aMessage({ id: "pending-k" }));
    expect(ids(withMessage(pending, aMessage(), "pending-k"))).toEqual(["msg_1"]);
    const framed = withMessage(pending, aMessage());
    expect(ids(framed)).toEqual(["msg_1"]);
    expect(ids(withMessage(framed, aMessage(), "pending-k"))).toEqual(["msg_1"]);
  });
  it("keeps two equal texts that are both pending", () => {
    const two = withMessage(withMessage(pages(), aMessage({ id: "pending-a" })), aMessage({ id: "pending-b" }));
    expect(ids(two)).toHaveLength(2);
  });
});

describe("shortened", () => {
  const at = (id: string, minute: number, changes: Partial<Message> = {}) =>
    aMessage({ id, at: `2026-01-01T10:0${minute}:00Z`, status: "sent", ...changes });
  const happened = (id: string, minute: number): Happening =>
    ({ id, at: `2026-01-01T10:0${minute}:00.5Z`, kind: "assigned" }) as Happening;
  const long: Pages<Message> = {
    pages: [
      {
        items: [at("pending-k", 5), at("msg_4", 4, { status: "read" }), at("msg_3", 3)],
        happened: [happened("b", 4)],
        next_cursor: "after 3",
      },
      { items: [at("msg_2", 2), at("msg_1", 1)], happened: [happened("a", 1)], next_cursor: null },
    ],
    pageParams: [null, "after 3"],
  };
  it("keeps what has been told since the page was looked up, as it was told", () => {
    const first = { items: [at("msg_3", 3), at("msg_2", 2)], next_cursor: "after 2" };
    const left = shortened(long, first);
    expect(ids(left)).toEqual(["pending-k", "msg_4", "msg_3", "msg_2"]);
    expect(left?.pages[0]?.items[1]?.status).toBe("read");
    expect(left?.pages[0]?.next_cursor).toBe("after 2");
    expect(left?.pages[0]?.happened?.map((one) => one.id)).toEqual(["b"]);
    expect(left?.pageParams).toEqual([null]);
  });
  it("leaves all as it is where the page ends at what is not here", () => {
    expect(shortened(long, { items: [at("msg_0", 0)], next_cursor: null })).toBe(long);
    expect(shortened(long, { items: [], next_cursor: null })).toBe(long);
    expect(shortened(undefined, { items: [], next_cursor: null })).toBeUndefined();
  });
});

describe("a status", () => {
  it("never goes back", () => {
    expect(merge(aMessage({ status: "read" }), aMessage({ status: "sent" })).status).toBe("read");
    const read = withStatus(pages(aMessage({ status: "read" })), { id: "msg_1", status: "delivered" });
    expect(read?.pages[0]?.items[0]?.status).toBe("read");
  });
  it("is in doubt again where the phone could not read it, until somebody has it or says what became of it", () => {
    const doubt = { status: "unknown", reason: "not-readable" } as const;
    const merged = (old: Partial<Message>, next: Partial<Message> & { status: Message["status"] }) =>
      merge(aMessage(old), next).status;
    expect(merge(aMessage({ status: "sent" }), doubt)).toMatchObject(doubt);
    expect(merged({ status: "delivered" }, doubt)).toBe("delivered");
    for (const status of ["delivered", "sent", "failed"] as const) expect(merged(doubt, { status })).toBe(status);
    for (const status of ["queued", "sending"] as const) expect(merged(doubt, { status })).toBe("unknown");
    expect(merged({ status: "sent" }, { status: "unknown", reason: "worker-lost" })).toBe("sent");
  });

  it("settles what nobody knew", () => {
    expect(merge(aMessage({ status: "unknown" }), { status: "delivered" }).status).toBe("delivered");
  });
});

describe("lists", () => {
  const chat = (id: string, at: string): Chat => ({
    id,
    device_id: "dev_1",
    contact: null,
    group: null,
    name: null,
    created_at: at,
    last_message: null,
    last_message_at: at,
    unread: 0,
    unread_mine: 0,
    marked_unread: false,
    assignee_id: null,
    team_id: null,
    status: "open",
    snoozed_until: null,
    waiting_since: null,
    first_response_at: null,
    pinned: false,
    tags: [],
    revision: 1,
  });
  const aDevice = (changes: Partial<Device>): Device => ({
    id: "dev_1",
    name: "Ventas",
    state: "connected",
    revision: 5,
    action: null,
    reason: null,
    phone: null,
    lid: null,
    labels: [],
    until: null,
    wanted: "connected",
    created_at: "2026-01-01T00:00:00Z",
    changed_at: "2026-01-01T00:00:00Z",
    ...changes,
  });
  it("moves a chat to where its newest message puts it", () => {
    const list = {
      pages: [{ items: [chat("a", "3"), chat("b", "2"), chat("c", "1")], next_cursor: null }],
      pageParams: [null],
    };
    expect(withChat(list, chat("c", "4"))?.pages[0]?.items.map((item) => item.id)).toEqual(["c", "a", "b"]);
  });
  it("leaves chats of the same moment in the order in which the server gives them", () => {
    const three = ["c", "b", "a"].map((id) => chat(id, "2026-01-01T10:00:00Z"));
    const list: Pages<Chat> = { pages: [{ items: three, next_cursor: null }], pageParams: [null] };
    for (const read of three)
      expect(withChat(list, { ...read, unread: 0 })?.pages[0]?.items.map((item) => item.id)).toEqual(["c", "b", "a"]);
  });
  it("takes over where a chat stands, and no old news of it", () => {
    const { id, assignee_id, name, pinned, revision, snoozed_until, status, tags, team_id, waiting_since } = {
      ...chat("a", "1"),
      revision: 2,
      pinned: true,
    };
    const told = {
      id,
      assignee_id,
      name,
      pinned,
      revision,
      snoozed_until,
      status,
      tags,
      team_id,
      waiting_since,
    };
    const known = { ...chat("a", "1"), name: "Luis" };
    expect(withStanding(known, told)).toEqual({ ...known, revision: 2, pinned: true });
    expect(standsElsewhere({ ...known, pinned: true }, told)).toBe(false);
    expect(standsElsewhere(known, { ...told, assignee_id: "usr_1" })).toBe(true);
    expect(standsElsewhere(known, { ...told, tags: ["tag_1"] })).toBe(true);
    const newer = { ...known, revision: 9 };
    expect(withStanding(newer, told)).toBe(newer);
    expect(standsElsewhere(newer, { ...told, assignee_id: "usr_1" })).toBe(false);
  });
  it("lets go of a chat that somebody else has now", () => {
    const list = { pages: [{ items: [chat("a", "2"), chat("b", "1")], next_cursor: null }], pageParams: [null] };
    expect(without(list, "a")?.pages[0]?.items.map((item) => item.id)).toEqual(["b"]);
    expect(without(undefined, "a")).toBeUndefined();
  });
  it("ignores old news of a device", () => {
    const page = { items: [aDevice({})], next_cursor: null };
    expect(withDevice(page, aDevice({ state: "pairing", revision: 4 }))?.items[0]?.state).toBe("connected");
  });
});

describe("a list with a filter", () => {
  const aChat = (changes: Partial<Chat> = {}): Chat => ({
    id: "cht_1",
    device_id: "dev_1",
    contact: null,
    group: null,
    name: "Luis",
    last_message: null,
    last_message_at: "2026-01-01T10:00:00Z",
    unread: 0,
    created_at: "2026-01-01T09:00:00Z",
    unread_mine: 0,
    marked_unread: false,
    status: "open",
    snoozed_until: null,
    assignee_id: null,
    team_id: null,
    tags: [],
    pinned: false,
    waiting_since: null,
    first_response_at: null,
    revision: 1,
    ...changes,
  });
  const listed = (cursor: string | null, ...items: Chat[]): Pages<Chat> => ({
    pages: [{ items, next_cursor: cursor }],
    pageParams: [null],
  });
  const shown = (of: Pages<Chat> | undefined) => of?.pages.flatMap((page) => page.items.map((item) => item.id));

  it("says what it shows, but for what only the server knows", () => {
    const mine = aChat({ assignee_id: "usr_1", tags: ["tag_1"], unread: 2 });
    expect(fits(mine, { assignee: "me", tag_id: "tag_1", unread: true, status: "open" }, "usr_1")).toBe(true);
    expect(fits(mine, { assignee: "none" }, "usr_1")).toBe(false);
    expect(fits(mine, { assignee: "me" }, "usr_2")).toBe(false);
    expect(fits(aChat(), { status: "closed" }, "usr_1")).toBe(false);
    expect(fits(aChat(), { q: "lu" }, "usr_1")).toBeUndefined();
    expect(fits(aChat({ marked_unread: true }), { unread: true }, "usr_1")).toBe(true);
    expect(fits(aChat({ marked_unread: true }), { unread: false }, "usr_1")).toBe(false);
  });

  it("lets go of a chat that stands elsewhere, and takes one that comes", () => {
    const open = listed(null, aChat());
    expect(shown(placed(open, aChat({ status: "closed" }), { status: "open" }, "usr_1"))).toEqual([]);
    expect(shown(placed(listed(null), aChat(), { status: "open" }, "usr_1"))).toEqual(["cht_1"]);
  });

  it("keeps what is just being read among the unread", () => {
    const unread = listed(null, aChat({ unread: 1 }));
    expect(shown(placed(unread, aChat({ unread: 0 }), { unread: true }, "usr_1"))).toEqual(["cht_1"]);
    expect(shown(placed(listed(null), aChat({ unread: 0 }), { unread: true }, "usr_1"))).toEqual([]);
  });

  it("leaves what is older than all that was fetched to its page", () => {
    const first = listed("next", aChat({ id: "cht_2" }));
    const older = aChat({ id: "cht_3", last_message_at: "2025-01-01T10:00:00Z" });
    expect(shown(placed(first, older, {}, "usr_1"))).toEqual(["cht_2"]);
    const newer = aChat({ id: "cht_4", last_message_at: "2026-02-01T10:00:00Z" });
    expect(shown(placed(first, newer, {}, "usr_1"))).toEqual(["cht_4", "cht_2"]);
  });

  it("tells what happened once", () => {
    const at = (id: string) => ({ id, at: "2026-01-01T10:00:00Z", kind: "closed" as const });
    const page = (...some: string[]) => ({ items: [], next_cursor: null, happened: some.map(at) });
    const fetched = { pages: [page("b"), page("a")], pageParams: [null, null] };
    const told = withHappened(withHappened(fetched, [at("c"), at("a")]), [at("c")]);
    expect(told?.pages.map((one) => one.happened?.map(({ id }) => id))).toEqual([["c", "b"], ["a"]]);
    expect(withHappened(undefined, [at("c")])).toBeUndefined();
  });
});
