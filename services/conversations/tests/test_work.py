"""The work of a team on its chats: status, tags, pins, what is unread, who answers, and two at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from contracts import buckets, ids
from contracts.events.conversations import ChatAssigned, ChatChanged, ChatMarked, ChatRead, TagChanged
from contracts.principal import Access, Role, Scope
from contracts.whatsapp import Address
from conversations.timers import clock
from servicekit.auth import encode_access
from servicekit.db import Database
from servicekit.testing import eventually

from .conftest import running
from .facts import ANA, BEA, a_device, a_message, later


@pytest.fixture
async def ann(team):
    return await team.hire("Ann Soto")


@pytest.fixture
async def ben(team):
    return await team.hire("Ben Ruiz")


@pytest.fixture
async def chat(client, world, tenant, device, ann):
    """A chat in which Ana waits."""
    await world.handle([a_device(tenant, device), a_message(tenant, device, push_name="Ana Paz", wa_id="A1")])
    [chat] = await chats(client, ann)
    await world.forget_told()
    return chat


def named(someone):
    return ids.public(ids.USER, someone.principal.id)


async def chats(client, someone, **params):
    response = await client.get("/api/chats", params=params, headers=someone.headers)
    assert response.status_code == 200, response.text
    return response.json()["items"]


async def change(client, someone, chat, **body):
    return await client.patch(f"/api/chats/{chat['id']}", json=body, headers=someone.headers)


async def post(client, someone, chat, what, **body):
    return await client.post(f"/api/chats/{chat['id']}/{what}", json=body, headers=someone.headers)


async def test_a_status_is_told_with_who_set_it_and_the_customer_opens_the_chat_again(client, world, tenant, device, ann, chat):
    closed = await change(client, ann, chat, status="closed", revision=chat["revision"])
    assert (closed.json()["status"], closed.json()["waiting_since"], closed.json()["revision"]) == ("closed", None, chat["revision"] + 1)
    [told] = await world.told()
    assert isinstance(told.data, ChatChanged)
    assert (told.data.status, told.data.actor.id, told.data.revision) == ("closed", ann.principal.id, chat["revision"] + 1)
    assert await chats(client, ann, status="open") == []
    await world.handle([a_message(tenant, device, at=later(60))])
    [opened] = await chats(client, ann, status="open")
    assert (opened["waiting_since"], opened["revision"]) == ("2026-11-21T12:01:00Z", chat["revision"] + 2)
    assert (await change(client, ann, chat, status="open")).json()["revision"] == chat["revision"] + 2


async def test_of_two_changes_of_one_revision_one_holds_and_the_other_is_shown_the_chat(client, world, ann, ben, chat):
    answers = await asyncio.gather(
        change(client, ann, chat, status="closed", revision=chat["revision"]),
        change(client, ben, chat, status="pending", revision=chat["revision"]),
    )
    done, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert (done.status_code, refused.status_code, refused.json()["code"]) == (200, 409, "chat-moved")
    assert refused.json()["chat"] == done.json() | {"unread_mine": refused.json()["chat"]["unread_mine"]}
    assert len(await world.told()) == 1


async def test_of_two_agents_who_take_a_chat_at_once_one_gets_it(client, world, ann, ben, chat):
    answers = await asyncio.gather(post(client, ann, chat, "take"), post(client, ben, chat, "take"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    [winner] = [answer.json()["assignee_id"] for answer in answers if answer.status_code == 200]
    [refused] = [answer.json() for answer in answers if answer.status_code == 409]
    assert (refused["code"], refused["chat"]["assignee_id"]) == ("chat-moved", winner)
    assert [told.data.way for told in await world.told(ChatAssigned)] == ["manual"]
    again = ann if winner == named(ann) else ben
    assert (await post(client, again, chat, "take")).status_code == 200


async def test_a_chat_is_handed_on_with_a_note_and_taken_away_again(client, world, team, ann, ben, chat):
    sales = await team.found(ann)
    given = await post(client, ann, chat, "assign", assignee_id=named(ben), note="Pide factura.")
    assert (given.status_code, given.json()["assignee_id"]) == (200, named(ben))
    [assigned] = await world.told(ChatAssigned)
    assert (assigned.data.note, assigned.data.previous_id, assigned.audience.assignee) == ("Pide factura.", None, ben.principal.id)
    written = (await client.get(f"/api/chats/{chat['id']}/messages", headers=ben.headers)).json()["items"]
    assert ("note", "Pide factura.", named(ann)) in [(one["kind"], one["text"], one["author_id"]) for one in written]
    on = await post(client, ben, chat, "assign", team_id=ids.public(ids.TEAM, sales))
    assert (on.json()["assignee_id"], on.json()["team_id"]) == (None, ids.public(ids.TEAM, sales))
    [row] = await world.rows("select queued_at, team from chats")
    assert (row["queued_at"], row["team"]) == (later(0), sales)
    away = await post(client, ben, chat, "assign", assignee_id=None, team_id=None)
    assert (away.json()["assignee_id"], away.json()["team_id"]) == (None, None)
    assert len(await world.told(ChatAssigned)) == 3


async def test_whoever_cannot_answer_it_is_not_given_a_chat(client, world, team, ann, ben, chat, limited):
    await team.change(ben, active=False)
    stranger = ids.public(ids.USER, ids.new())
    for assignee in (named(ben), stranger):
        refused = await post(client, ann, chat, "assign", assignee_id=assignee)
        assert (refused.status_code, refused.json()["code"]) == (422, "assignee-invalid")
    dissolved = await team.found(ann)
    await team.dissolve(dissolved, 5)
    for nobody in (ids.new(), dissolved):
        refused = await post(client, ann, chat, "assign", team_id=ids.public(ids.TEAM, nobody))
        assert (refused.status_code, refused.json()["code"]) == (404, "team-not-found")
    assert (await post(client, ann, chat, "assign", note="a quién")).status_code == 422
    key = team.signed_in(Role.AGENT, team.tenant, scopes=[Scope.SEND])
    assert (await post(client, key, chat, "take")).json()["code"] == "assignee-invalid"
    assert await world.told() == []


async def test_a_snooze_ends_by_itself(client, world, ann, chat):
    until = datetime.now(UTC) + timedelta(hours=1)
    snoozed = await change(client, ann, chat, status="snoozed", snoozed_until=until.isoformat())
    assert (snoozed.json()["status"], snoozed.status_code) == ("snoozed", 200)
    await world.admin.execute("update chats set snoozed_until = now() - interval '1 s'")
    await world.forget_told()
    async with Database.open(world.urls.system_url, application="wake", pool=1) as system, running(clock.wake(world.db, system)):

        async def woken():
            return await chats(client, ann, status="open")

        await eventually(woken)
    [told] = await world.told()
    assert (told.data.status, told.data.snoozed_until, told.data.actor) == ("open", None, None)


async def test_a_standing_that_cannot_be_is_refused(client, world, ann, chat):
    for body in (
        {"status": "snoozed"},
        {"status": "open", "snoozed_until": "2099-01-01T00:00:00Z"},
        {"status": "snoozed", "snoozed_until": "2020-01-01T00:00:00Z"},
        {"status": "snoozed", "snoozed_until": "2099-01-01T00:00:00"},
        {"status": "lost"},
        {"assignee_id": None},
    ):
        assert (await change(client, ann, chat, **body)).status_code == 422, body
    assert await world.told() == []


async def test_each_agent_has_pins_and_unread_messages_of_his_own(client, world, tenant, device, ann, ben, chat):
    assert (await change(client, ann, chat, pinned=True)).json()["pinned"]
    assert [len(await chats(client, someone, pinned=True)) for someone in (ann, ben)] == [1, 0]
    assert not (await change(client, ann, chat, pinned=False)).json()["pinned"]
    assert await world.told() == []
    await post(client, ann, chat, "read")
    [read] = await world.told(ChatRead)
    assert read.data.user_id == named(ann)
    await world.handle([a_message(tenant, device, wa_id=f"B{n}", at=later(n)) for n in range(1, 4)])
    await post(client, ben, chat, "read")
    [of_ann], [of_ben] = await chats(client, ann), await chats(client, ben)
    assert (of_ann["unread"], of_ann["unread_mine"], of_ben["unread_mine"]) == (0, 3, 0)
    counts = (await client.get("/api/chats/counts", headers=ann.headers)).json()
    assert counts == {"open": 1, "pending": 0, "snoozed": 0, "mine": 0, "unassigned": 1, "unread": 0, "pinned": 0, "most": 1000}


async def test_a_chat_is_marked_as_unread_by_each_for_himself_until_he_reads_it(client, world, tenant, device, ann, ben, chat):
    await world.handle([a_message(tenant, device, chat=BEA)])
    await post(client, ann, chat, "read")
    await world.forget_told()
    marked = await post(client, ann, chat, "unread")
    assert (marked.status_code, marked.json()["marked_unread"], marked.json()["unread"]) == (200, True, 0)
    assert (await post(client, ann, chat, "unread")).json()["marked_unread"]
    [told] = await world.told()
    assert isinstance(told.data, ChatMarked)
    assert (told.data.id, told.data.user_id, told.data.unread, told.audience.device) == (chat["id"], named(ann), True, device)
    assert chat["id"] not in [one["id"] for one in await chats(client, ben, unread=True)]
    assert [len(await chats(client, someone, unread=True)) for someone in (ann, ben)] == [2, 1]
    assert [len(await chats(client, someone, unread=False)) for someone in (ann, ben)] == [0, 1]
    assert (await client.get("/api/chats/counts", headers=ann.headers)).json()["unread"] == 2
    await post(client, ben, chat, "read")
    assert [one["marked_unread"] for one in await chats(client, ann)] == [False, True]
    await world.forget_told()
    assert not (await post(client, ann, chat, "read")).json()["marked_unread"]
    [told] = await world.told(ChatMarked)
    assert (told.data.user_id, told.data.unread) == (named(ann), False)
    assert (await post(client, ann, {"id": ids.public(ids.CHAT, ids.new())}, "unread")).json()["code"] == "chat-not-found"


async def story(client, someone, chat, **params):
    answer = await client.get(f"/api/chats/{chat['id']}/messages", params=params, headers=someone.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_happened_to_a_chat_stands_between_its_messages_as_it_was_told(client, world, tenant, device, team, ann, ben, chat):
    sales = await team.found(ann)
    tag = (await client.post("/api/tags", json={"name": "VIP"}, headers=ann.headers)).json()["id"]
    await world.forget_told()
    await post(client, ann, chat, "take")
    await post(client, ann, chat, "assign", assignee_id=named(ben), team_id=ids.public(ids.TEAM, sales))
    await change(client, ben, chat, tags=[tag])
    await change(client, ben, chat, status="closed", tags=[])
    await world.handle([a_message(tenant, device, at=later(60))])
    await post(client, ann, chat, "assign", assignee_id=None, team_id=None)
    told = [one for envelope in await world.told(ChatChanged) for one in envelope.data.happened]
    page = await story(client, ann, chat)
    kept = page["happened"]
    assert [one["id"] for one in kept] == [one.id for one in reversed(told)]
    assert [(one["kind"], one["actor_id"]) for one in reversed(kept)] == [
        ("assigned", named(ann)),
        ("assigned", named(ann)),
        ("tagged", named(ben)),
        ("closed", named(ben)),
        ("untagged", named(ben)),
        ("open", None),
        ("unassigned", named(ann)),
    ]
    handed, tagged, gone = kept[-2], kept[-3], kept[0]
    assert (handed["assignee_id"], handed["previous_id"], handed["team_id"], handed["way"]) == (
        named(ben),
        named(ann),
        ids.public(ids.TEAM, sales),
        "manual",
    )
    assert (tagged["tags"], gone["previous_id"], gone["assignee_id"]) == ([tag], named(ben), None)
    await post(client, ann, chat, "read")
    await change(client, ann, chat, pinned=True)
    assert (await story(client, ann, chat))["happened"] == kept


async def test_each_thing_that_happened_comes_with_one_page_whichever_way_pages_are_read(client, world, tenant, device, ann, chat):
    await world.handle([a_message(tenant, device, wa_id=f"B{n}", at=later(n)) for n in range(1, 9)])
    for status in ("pending", "closed", "open", "pending", "closed", "open", "pending", "closed", "open"):
        await change(client, ann, chat, status=status)
    # half a second after each message one thing happened
    await world.admin.execute(
        "with one as (select id, row_number() over (order by at, id) as n from happenings) "
        "update happenings h set at = $1::timestamptz + (one.n - 1) * interval '1 s' + interval '500 ms' from one where one.id = h.id",
        later(0),
    )
    every = (await story(client, ann, chat))["happened"]
    assert len(every) == 9
    pages, cursor = [], None
    while not pages or cursor:
        pages.append(await story(client, ann, chat, limit=4, **({"cursor": cursor} if cursor else {})))
        cursor = pages[-1]["next_cursor"]
    assert [[len(page["items"]), len(page["happened"])] for page in pages] == [[4, 4], [4, 4], [1, 1]]
    assert [one for page in pages for one in page["happened"]] == every
    middle = pages[1]["items"][1]["id"]
    around = await story(client, ann, chat, limit=3, around=middle)
    older = await story(client, ann, chat, limit=100, cursor=around["next_cursor"])
    newer = await story(client, ann, chat, limit=100, cursor=around["previous_cursor"])
    assert newer["happened"] + around["happened"] + older["happened"] == every


async def test_chats_bear_tags_and_a_deleted_one_is_gone_from_all(client, world, tenant, device, ann, chat):
    await world.handle([a_message(tenant, device, chat=BEA)])
    made = [await client.post("/api/tags", json={"name": name}, headers=ann.headers) for name in ("VIP", "Reclamo")]
    vip, claim = (one.json()["id"] for one in made)
    taken = await client.post("/api/tags", json={"name": "vip"}, headers=ann.headers)
    assert (taken.status_code, taken.json()["code"]) == (409, "tag-taken")
    assert (await client.patch(f"/api/tags/{claim}", json={"name": "Vip"}, headers=ann.headers)).json()["code"] == "tag-taken"
    await world.forget_told()
    for one in await chats(client, ann):
        await change(client, ann, one, tags=[vip, claim] if one["id"] == chat["id"] else [vip])
    assert [len(told.data.tags) for told in await world.told(ChatChanged)] == [1, 2]
    unknown = await change(client, ann, chat, tags=[ids.public(ids.TAG, ids.new())])
    assert (unknown.status_code, unknown.json()["code"]) == (404, "tag-not-found")
    page = (await client.get("/api/chats", params={"tag_id": vip, "limit": 1}, headers=ann.headers)).json()
    assert page["next_cursor"]
    assert (await client.delete(f"/api/tags/{vip}", headers=ann.headers)).status_code == 204
    rest = await client.get("/api/chats", params={"tag_id": vip, "limit": 1, "cursor": page["next_cursor"]}, headers=ann.headers)
    assert (rest.status_code, rest.json()) == (200, {"items": [], "next_cursor": None})
    assert [one["tags"] for one in await chats(client, ann, tag_id=claim)] == [[claim]]
    assert (await world.told(TagChanged))[-1].data.deleted
    assert (await client.delete(f"/api/tags/{vip}", headers=ann.headers)).status_code == 404


async def test_a_cursor_is_good_for_its_own_filters_alone(client, world, tenant, device, ann):
    await world.handle([a_message(tenant, device, chat=who) for who in (ANA, BEA)])
    cursor = (await client.get("/api/chats", params={"limit": 1, "status": "open"}, headers=ann.headers)).json()["next_cursor"]
    for params in ({}, {"status": "closed"}, {"status": "open", "assignee": "none"}, {"status": "open", "pinned": True}):
        refused = await client.get("/api/chats", params=params | {"cursor": cursor}, headers=ann.headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "bad-cursor"), params
    assert (await client.get("/api/chats", params={"assignee": "somebody"}, headers=ann.headers)).status_code == 422


async def test_chats_are_listed_by_who_answers_them_and_by_team(client, world, tenant, device, team, ann, ben):
    people = [Address("pn", f"5511900000{n:03}") for n in range(4)]
    await world.handle([a_device(tenant, device), *(a_message(tenant, device, chat=who, at=later(n)) for n, who in enumerate(people))])
    d, c, b, a = await chats(client, ann)
    sales = await team.found(ann)
    await post(client, ann, a, "take")
    await post(client, ben, b, "take")
    await post(client, ben, c, "assign", team_id=ids.public(ids.TEAM, sales))
    assert [one["id"] for one in await chats(client, ann, assignee="me")] == [a["id"]]
    assert [one["id"] for one in await chats(client, ann, assignee=named(ben))] == [b["id"]]
    assert [one["id"] for one in await chats(client, ann, assignee="none")] == [d["id"], c["id"]]
    assert [one["id"] for one in await chats(client, ann, team_id=ids.public(ids.TEAM, sales))] == [c["id"]]


async def test_who_sees_only_his_own_or_his_teams_chats_finds_no_other(client, world, bus, tenant, device, team, ann, ben):
    people = [Address("pn", f"5511900000{n:03}") for n in range(3)]
    await world.handle([a_device(tenant, device), *(a_message(tenant, device, chat=who, at=later(n)) for n, who in enumerate(people))])
    c, b, a = await chats(client, ann)
    sales = await team.found(ben)
    await post(client, ann, b, "assign", team_id=ids.public(ids.TEAM, sales))
    await post(client, ann, a, "assign", assignee_id=named(ben))
    limits = await bus.bucket(buckets.ACCESS)

    async def sees(*some, **params):
        assert [one["id"] for one in await chats(client, ben, **params)] == [one["id"] for one in some]
        return True

    await limits.put(str(ben.principal.id), encode_access(Access(chats="team", teams=frozenset({sales}))))
    await eventually(lambda: sees(b, a))
    await sees(b, team_id=ids.public(ids.TEAM, sales))
    await sees(a, assignee="me")
    await sees(assignee=named(ann))
    await limits.put(str(ben.principal.id), encode_access(Access(chats="own")))
    await eventually(lambda: sees(a))
    assert (await client.get("/api/chats/counts", headers=ben.headers)).json()["open"] == 1
    for one in (b, c):
        for attempt in (
            client.get(f"/api/chats/{one['id']}", headers=ben.headers),
            change(client, ben, one, status="closed"),
            post(client, ben, one, "take"),
            post(client, ben, one, "notes", text="hola"),
            post(client, ben, one, "assign", assignee_id=None),
        ):
            assert (await attempt).status_code == 404
    contacts = (await client.get("/api/contacts", headers=ben.headers)).json()["items"]
    assert [one["id"] for one in contacts] == [a["contact"]["id"]]
    foreign = {"device_id": ids.public(ids.DEVICE, device), "to": people[2].value, "text": "Hola"}
    assert (await client.post("/api/messages/send", json=foreign, headers=ben.headers)).json()["code"] == "contact-unseen"


async def test_two_chats_that_turn_out_to_be_one_keep_tags_pins_and_who_answers(client, world, tenant, device, ann):
    lid = Address("lid", "99887766554433")
    await world.handle([a_device(tenant, device), a_message(tenant, device), a_message(tenant, device, chat=lid, at=later(1))])
    of_lid, of_phone = await chats(client, ann)
    tag = (await client.post("/api/tags", json={"name": "VIP"}, headers=ann.headers)).json()["id"]
    await change(client, ann, of_lid, tags=[tag], pinned=True)
    await post(client, ann, of_lid, "take")
    await change(client, ann, of_phone, status="closed")
    await world.handle([a_message(tenant, device, chat=lid, chat_alt=ANA, at=later(2), from_me=True)])
    [one] = await chats(client, ann)
    assert (one["tags"], one["pinned"], one["assignee_id"], one["status"]) == ([tag], True, named(ann), "open")
    assert [one["kind"] for one in (await story(client, ann, one))["happened"]] == ["closed", "assigned", "tagged"]
    assert one["revision"] > max(of_lid["revision"], of_phone["revision"])
