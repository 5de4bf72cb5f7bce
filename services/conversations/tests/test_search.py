"""The search finds what is said and called so, shows it to who may read it, and goes on where a page ended."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from contracts import ids
from contracts.principal import Access, Principal, Role
from contracts.whatsapp import Media
from conversations.domain.seeking import read
from conversations.store import searching
from conversations.store.searching import Place, Where
from servicekit.db import raw

from .facts import ANA, BEA, a_message, later
from .test_plans import scans


@pytest.fixture
def ana(signed_in, tenant):
    return signed_in(Role.AGENT, tenant)


@pytest.fixture
def find(client, ana):
    async def find(q, caller=ana, **params):
        answer = await client.get("/api/search", params={"q": q} | params, headers=caller.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    return find


def shown(items):
    return [item["excerpt"]["text"] for item in items]


def a_file(tenant, device, name, **changes):
    media = Media(mime="application/pdf", size=9, file_name=name)
    return a_message(tenant, device, **({"kind": "document", "text": None, "media": media} | changes))


async def test_messages_are_found_by_words_beginnings_and_phrases_without_accents(world, tenant, device, find):
    said = ["¿Tienen café de Chiapas?", "Quiero DOS kilos de café", "kilos dos", "Straße 5", "مرحبا بالعالم"]
    await world.handle([a_message(tenant, device, text=text, at=later(n)) for n, text in enumerate(said)])
    for q, places in {
        "cafe": [1, 0],
        "CAFÉ kil": [1],
        "kilos dos": [2, 1],
        '"dos kilos"': [1],
        '"dos kil"': [],
        "strass": [3],
        "مرحبا": [4],
        "chiapas?!": [0],
        "té": [],
    }.items():
        assert shown(await find(q, kind="messages")) == [said[n] for n in places], q
    [hit] = await find("quiero", kind="all")
    assert hit["excerpt"] == {"text": said[1], "hits": [[0, 6]]}
    assert hit["contact"]["phone"] == ANA.value


async def test_a_message_is_found_as_it_says_now(world, tenant, device, find):
    await world.handle([a_message(tenant, device, text="naranja", wa_id="A"), a_message(tenant, device, text="ciruela", wa_id="B")])
    await world.admin.execute("update messages set text = 'manzana', at = at + interval '9 weeks' where text = 'naranja'")
    assert await find("naranja") == []
    [hit] = await find("manzana")
    assert hit["at"] == (later(0) + timedelta(weeks=9)).isoformat().replace("+00:00", "Z")
    await world.admin.execute("update messages set deleted_at = now(), text = null where text = 'manzana'")
    await world.admin.execute("delete from messages where text = 'ciruela'")
    assert await find("manzana") == await find("ciruela") == []
    assert await world.rows("select from message_words") == []


async def test_contacts_are_found_by_name_by_any_part_of_the_phone_and_with_a_slip_of_the_hand(world, tenant, device, find):
    await world.handle([a_message(tenant, device, push_name="Álvaro Ñúñez Herrera"), a_message(tenant, device, chat=BEA, push_name="Bea")])
    for q in ("herrera", "alva", "nun he", "912345", "+55 11 91234", "herera", "alvro nuñez"):
        [hit] = await find(q, kind="contacts")
        assert hit["contact"]["name"] == "Álvaro Ñúñez Herrera", q
        assert hit["similar"] == (q in ("herera", "alvro nuñez"))
        assert hit["chat_id"] is not None
    [hit] = await find("912345", kind="contacts")
    assert hit["excerpt"] == {"text": ANA.value, "hits": [[4, 10]]}
    await world.handle([a_message(tenant, device, push_name="Otro", at=later(60))])
    assert await find("herrera", kind="contacts") == []
    assert len(await find("otr", kind="contacts")) == 1


async def test_files_are_found_by_their_name(world, tenant, device, find):
    await world.handle([a_file(tenant, device, "Cotización_2026-11.pdf"), a_file(tenant, device, "foto.png", chat=BEA)])
    for q in ("cotizacion", "2026", "pdf", "tizac", "cotisacion"):
        [hit] = await find(q, kind="files")
        assert hit["kind"] == "file"
        assert hit["excerpt"]["text"] == "Cotización_2026-11.pdf"
        assert hit["similar"] == (q == "cotisacion")
        assert hit["message_id"]
    assert [hit["kind"] for hit in await find("foto")] == ["file"]


async def test_nobody_finds_what_he_does_not_read(world, tenant, device, find, signed_in):
    await world.handle([a_file(tenant, device, "secreto.pdf", push_name="Secreto"), a_message(tenant, device, text="secreto")])
    assert {hit["kind"] for hit in await find("secreto")} == {"contact", "file", "message"}
    assert await find("secreto", signed_in(Role.OWNER)) == []
    me, team = ids.new(), ids.new()
    await world.admin.execute("update chats set assignee = $1, team = $2", me, team)
    for reads, access in (
        (False, Access(devices=frozenset())),
        (False, Access(devices=frozenset({ids.new()}))),
        (False, Access(chats="team", teams=frozenset({ids.new()}))),
        (False, Access(chats="own")),
        (True, Access(chats="team", teams=frozenset({team}))),
        (True, Access(devices=frozenset({device}))),
    ):
        seer = Principal(id=ids.new(), tenant=tenant, role=Role.AGENT, access=access)
        assert await counted(world, seer) == ([1, 1, 1] if reads else [0, 0, 0]), access
    mine = Principal(id=me, tenant=tenant, role=Role.AGENT, access=Access(chats="own", devices=frozenset({device})))
    assert await counted(world, mine) == [1, 1, 1]


async def counted(world, seer):
    """How many messages, files and contacts are a secret to *seer*."""
    ways = (searching.messages, searching.files, searching.contacts)
    async with world.db.transaction(seer.tenant) as tx:
        return [len((await way(await raw(tx), seer.tenant, read("secreto"), Where(), seer, limit=9)).items) for way in ways]


async def test_filters_keep_what_is_wanted(world, tenant, device, find, ana):
    other, tag, gone, state = ids.new(), ids.new(), ids.new(), ids.new()
    await world.handle(
        [a_message(tenant, device, text="uno", push_name="Uno"), a_message(tenant, other, text="uno dos", chat=BEA, at=later(90))]
    )
    await world.admin.execute("insert into chat_tags select tenant, id, $1 from chats where device = $2", tag, device)
    await world.admin.execute(
        "insert into profiles (tenant, contact, state) select tenant, contact, $1 from chats where device = $2", state, device
    )
    await world.admin.execute("update chats set status = 'pending', assignee = $1 where device = $2", ana.principal.id, device)
    first, second = ["uno"], ["uno dos"]
    for params, found in (
        ({"device_id": ids.public(ids.DEVICE, device)}, first),
        ({"assignee_id": "me"}, first),
        ({"assignee_id": "none"}, second),
        ({"tag_id": ids.public(ids.TAG, tag)}, first),
        ({"tag_id": ids.public(ids.TAG, gone)}, []),
        ({"status": "pending"}, first),
        ({"state_id": ids.public(ids.CONTACT_STATE, state)}, first),
        ({"after": later(60).isoformat()}, second),
        ({"before": later(60).isoformat()}, first),
        ({"before": later(60).isoformat(), "status": "open"}, []),
    ):
        assert shown(await find("uno", kind="messages", **params)) == found, params
    assert len(await find("uno", kind="contacts", assignee_id="me")) == 1
    assert await find("uno", kind="contacts", assignee_id="none") == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"q": ""}, "query-empty"),
        ({"q": "& | !"}, "query-empty"),
        ({"q": "\0\0"}, "query-empty"),
        ({"q": "a" * 10_000}, "invalid"),
        ({}, "invalid"),
        ({"q": "a", "kind": "leads"}, "invalid"),
        ({"q": "a", "tag_id": "dev_1"}, "invalid"),
        ({"q": "a", "after": "ayer"}, "invalid"),
        ({"q": "a", "cursor": "x"}, "bad-cursor"),
    ],
)
async def test_what_cannot_be_looked_for_is_refused(client, ana, params, code):
    answer = await client.get("/api/search", params=params, headers=ana.headers)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == code


async def test_a_cursor_is_of_one_search_of_one_account(client, world, tenant, device, ana, signed_in):
    await world.handle([a_message(tenant, device, text=f"hola {n}", at=later(n)) for n in range(3)])
    page = (await client.get("/api/search", params={"q": "hola", "limit": 2}, headers=ana.headers)).json()
    cursor = page["next_cursor"]
    rest = (await client.get("/api/search", params={"q": "hola", "limit": 2, "cursor": cursor}, headers=ana.headers)).json()
    assert shown(page["items"] + rest["items"]) == ["hola 2", "hola 1", "hola 0"]
    assert rest["next_cursor"] is None
    for caller, params in ((ana, {"q": "adiós"}), (ana, {"q": "hola", "status": "open"}), (signed_in(), {"q": "hola"})):
        answer = await client.get("/api/search", params=params | {"cursor": cursor}, headers=caller.headers)
        assert answer.json()["code"] == "bad-cursor"


#: How often each stands in a text: in most, in some, and in the oldest alone.
SHARES = {"comun": 0.6, "medio": 0.05, "raro": 0.003}
WEEKS = 60


@pytest.fixture
async def crowd(world, tenant, device):
    """Five thousand messages over more than a year; gives (text, at, id), the newest first, of the tenant, others having as many."""
    dice = random.Random(5)
    begin = datetime(2025, 6, 1, tzinfo=UTC)
    rows = []
    for number in range(5000):
        text = " ".join([word for word, share in SHARES.items() if dice.random() < share] + [f"n{number % 900}"])
        text += " viejo" if number < 40 else ""
        rows.append((text, begin + timedelta(weeks=WEEKS) * number / 5000, UUID(int=dice.getrandbits(128))))
    rows += [("comun a la vez", begin + timedelta(weeks=WEEKS), UUID(int=dice.getrandbits(128))) for _ in range(30)]
    await world.handle([a_message(tenant, device)])
    await world.admin.execute(
        """
        insert into messages (tenant, id, device, chat, wa_id, from_me, kind, text, status, at)
        select h.tenant, u.id, h.device, h.id, u.id::text, false, 'text', u.text, 'received', u.at
          from chats h, unnest($1::text[], $2::timestamptz[], $3::uuid[]) as u (text, at, id)
        """,
        *zip(*rows, strict=True),
    )
    await world.admin.execute(
        """
        insert into messages (tenant, id, device, chat, wa_id, from_me, kind, text, status, at)
        select ('00000000-0000-0000-0000-00000000000' || n)::uuid, gen_random_uuid(), m.device, m.chat, n::text || m.id, false, 'text',
               m.text, 'received', m.at
          from messages m, generate_series(0, 1) n where m.text <> 'Hola'
        """
    )
    await world.admin.execute("analyze messages; analyze message_words; analyze searched_names; analyze chats")
    return sorted(rows, key=lambda row: (row[1], row[2]), reverse=True)


def everybody(tenant):
    return Principal(id=ids.new(), tenant=tenant, role=Role.OWNER)


async def whole(tx, tenant, query, *, limit, where=None, seer=None):
    """Every message that is found, page after page."""
    found, after, pages = [], None, 0
    while True:
        page = await searching.messages(
            await raw(tx), tenant, read(query), where or Where(), seer or everybody(tenant), limit=limit, after=after
        )
        found += [(item.row.text, item.row.at, UUID(int=item.row.id.int)) for item in page.items]
        pages += 1
        if page.end is None:
            return found, pages
        assert after is None or (page.end.at, page.end.id) < (after.at, after.id)
        after = Place(at=page.end.at, id=page.end.id)


async def test_every_page_of_every_search_is_what_a_look_at_all_of_it_finds(world, tenant, device, crowd):
    middle = crowd[2500][1]
    before = await scans(world, "message_words", "messages")
    async with world.db.transaction(tenant) as tx:
        for query, fits in (
            ("raro", lambda text: "raro" in text),
            ("medio", lambda text: "medio" in text),
            ("viejo", lambda text: "viejo" in text),
            ('"medio raro"', lambda text: "medio raro" in text),
            ("raro comun", lambda text: "raro" in text and "comun" in text),
            ("n89", lambda text: " n89" in f" {text}"),
            ('"comun n7"', lambda text: f"{text} ".endswith("comun n7 ") or " comun n7 viejo" in f" {text}"),
            ("nada", lambda text: False),
        ):
            expected = [row for row in crowd if fits(row[0])]
            assert (await whole(tx, tenant, query, limit=100))[0] == expected, query
            assert (await whole(tx, tenant, query, limit=100, where=Where(after=middle)))[0] == [r for r in expected if r[1] >= middle]
            assert (await whole(tx, tenant, query, limit=100, where=Where(before=middle)))[0] == [r for r in expected if r[1] < middle]
        first = await searching.messages(await raw(tx), tenant, read("comun"), Where(), everybody(tenant), limit=7)
        assert [UUID(int=item.row.id.int) for item in first.items] == [row[2] for row in crowd if "comun" in row[0]][:7]
        nobodys = Where(tag=ids.new())
        found, pages = await whole(tx, tenant, "medio", limit=50, where=nobodys)
        assert found == []
        assert pages < 5
    async with world.db.transaction(ids.new()) as tx:
        c = await raw(tx)
        for stolen in (
            "search_messages($1, 'comun', '-infinity', 'infinity', $1, 9)",
            "search_names($1, 'contact', '{5511}', '-infinity', 'infinity', $1, 9)",
            "search_similar($1, 'contact', '5511912345678', '-infinity', 'infinity', 9)",
        ):
            assert await c.fetch(f"select * from {stolen}", tenant) == [], stolen  # noqa: S608
    assert await scans(world, "message_words", "messages") == before


async def test_a_chat_is_shown_around_a_message_and_goes_on_both_ways(client, world, tenant, device, ana):
    await world.handle([a_message(tenant, device, text=f"m{n:02}", at=later(n // 3)) for n in range(40)])
    await world.handle([a_message(tenant, device, chat=BEA, text="otro")])
    chats = (await client.get("/api/chats", headers=ana.headers)).json()["items"]
    here, there = sorted(chats, key=lambda chat: chat["contact"]["phone"] != ANA.value)
    path = f"/api/chats/{here['id']}/messages"

    async def page(**params):
        answer = await client.get(path, params=params, headers=ana.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    every = (await page(limit=100))["items"]
    for place in (0, 1, 20, 38, 39):
        middle = await page(limit=7, around=every[place]["id"])
        assert every[place] in middle["items"]
        assert middle["items"] == every[max(0, place - 3) : place + 4]
        seen = middle["items"]
        up, down = middle["previous_cursor"], middle["next_cursor"]
        while up:
            newer = await page(limit=7, cursor=up)
            seen, up = newer["items"] + seen, newer["previous_cursor"]
        while down:
            older = await page(limit=7, cursor=down)
            seen, down = seen + older["items"], older["next_cursor"]
        assert seen == every
    assert (await page(limit=1, around=every[5]["id"]))["items"] == [every[5]]
    for wrong in (there["last_message"]["id"], ids.public(ids.MESSAGE, ids.new())):
        answer = await client.get(path, params={"around": wrong}, headers=ana.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "message-not-found")
