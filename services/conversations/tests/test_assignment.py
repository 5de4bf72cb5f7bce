"""Chats are given out by themselves, on a real database and bus: to who is there, sees them and has room."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from contracts import buckets, hours, ids
from contracts.events.conversations import ChatAssigned
from contracts.hours import Assigned
from contracts.ids import DeviceId
from contracts.principal import Access, Role
from contracts.whatsapp import Address
from conversations.timers import Presence, assigner
from servicekit.db import Database
from servicekit.testing import eventually

from .conftest import running
from .facts import a_device, a_message, later


@pytest.fixture
async def owner(team):
    return await team.hire("Olga", Role.OWNER)


@pytest.fixture
async def automatic(client, world, tenant, device, owner):
    """The number's chats are given out by themselves."""
    await world.handle([a_device(tenant, device)])
    await put(client, owner, f"devices/{ids.public(ids.DEVICE, device)}", automatic=True)


async def put(client, someone, what="", **body):
    path = f"/api/assignment/{what}".rstrip("/")
    response = await client.put(path, json=body, headers=someone.headers)
    assert response.status_code == 200, response.text
    return response.json()


def customers(tenant, device, count, first=0, **changes):
    return [a_message(tenant, device, chat=Address("pn", f"5511900000{n:03}"), at=later(n), **changes) for n in range(first, first + count)]


async def owners(world):
    rows = await world.rows("select assignee from chats order by waiting_since, id")
    return [row["assignee"] for row in rows]


async def test_the_least_loaded_who_is_there_gets_the_next_chat(client, world, tenant, device, team, automatic):
    ann, ben, cleo = [await team.hire(name) for name in ("Ann", "Ben", "Cleo")]
    await team.comes(ann)
    await team.comes(ben)
    await team.comes(ben, "away", "r2")
    await team.comes(cleo, "away")
    await world.handle(customers(tenant, device, 5))
    await world.forget_told()
    assert await team.give_out() == 5
    assert sorted([await team.has(one) for one in (ann, ben)]) == [2, 3]
    assert await team.has(cleo) == 0
    told = await world.told(ChatAssigned)
    assert [(one.data.way, one.data.actor) for one in told] == [("auto", None)] * 5
    assert {one.audience.assignee for one in told} == {ann.principal.id, ben.principal.id}
    assert await team.give_out() == 0


async def test_without_room_the_queue_waits_and_goes_on_when_somebody_closes_a_chat(client, world, tenant, device, team, owner, automatic):
    ann = await team.hire("Ann")
    assert (await put(client, owner, capacity=2))["capacity"] == 2
    await team.comes(ann)
    await world.handle(customers(tenant, device, 4))
    assert await team.give_out() == 2
    mine, queued = (await owners(world))[:2], (await owners(world))[2:]
    assert (mine, queued) == ([ann.principal.id] * 2, [None] * 2)
    first = (await client.get("/api/chats", params={"assignee": "me"}, headers=ann.headers)).json()["items"][0]
    await client.patch(f"/api/chats/{first['id']}", json={"status": "closed"}, headers=ann.headers)
    assert await team.give_out() == 1
    assert [row["queued_at"] for row in await world.rows("select queued_at from chats where queued_at is not null")] == [later(3)]
    shown = await put(client, owner, f"agents/{ids.public(ids.USER, ann.principal.id)}", capacity=3)
    [agent] = [one for one in shown["agents"] if one["name"] == "Ann"]
    assert (agent["capacity"], agent["load"]) == (3, 2)
    assert await team.give_out() == 1


async def test_who_leaves_keeps_his_waiting_chats_for_a_minute_and_as_long_as_nobody_else_is_there(
    client, world, tenant, device, team, automatic
):
    ann, ben = await team.hire("Ann"), await team.hire("Ben")
    await team.comes(ann)
    await world.handle(customers(tenant, device, 2))
    assert await team.give_out() == 2
    await team.leaves(ann, seconds_ago=300)
    assert await team.give_out() == 0
    await team.comes(ben)
    await team.leaves(ann, seconds_ago=50)
    assert await team.give_out() == 0
    await team.leaves(ann, seconds_ago=61)
    assert await team.give_out() == 2
    assert await owners(world) == [ben.principal.id] * 2


async def test_what_an_agent_was_given_by_hand_stays_his_when_he_leaves(client, world, tenant, device, team, automatic):
    ann, ben = await team.hire("Ann"), await team.hire("Ben")
    await world.handle(customers(tenant, device, 1))
    [chat] = (await client.get("/api/chats", headers=ann.headers)).json()["items"]
    await client.post(f"/api/chats/{chat['id']}/take", json={}, headers=ann.headers)
    await team.comes(ben)
    await team.leaves(ann, seconds_ago=9999)
    assert await team.give_out() == 0


async def test_chats_go_to_who_sees_the_number_and_belongs_to_the_team(client, world, tenant, device, team, owner, automatic):
    ann, ben, cleo = [await team.hire(name) for name in ("Ann", "Ben", "Cleo")]
    for one in (ann, ben, cleo, owner):
        await team.comes(one)
    team.access[cleo.principal.id] = Access(devices=frozenset({DeviceId(ids.new())}))
    sales = await team.found(ben, cleo)
    await world.handle(customers(tenant, device, 3))
    await world.admin.execute("update chats set team = $1", sales)
    assert await team.give_out() == 3
    assert await owners(world) == [ben.principal.id] * 3
    await team.regroup(sales, ann, seconds=5)
    await team.regroup(sales, ben, seconds=1)  # old news
    await world.handle(customers(tenant, device, 1, 10))
    await world.admin.execute("update chats set team = $1 where team is null", sales)
    assert await team.give_out() == 1
    assert await team.has(ann) == 1
    await put(client, owner, f"teams/{ids.public(ids.TEAM, sales)}", automatic=False)
    await world.handle(customers(tenant, device, 1, 20))
    await world.admin.execute("update chats set team = $1 where team is null", sales)
    assert await team.give_out() == 0
    assert await team.has(owner) == 0, "an owner is given chats only where a capacity of his own says so"


async def test_nothing_is_given_out_beyond_service_hours_or_where_nobody_asked_for_it(
    client, world, tenant, device, team, owner, automatic
):
    ann = await team.hire("Ann")
    await team.comes(ann)
    other = DeviceId(ids.new())
    await world.handle([a_device(tenant, other), *customers(tenant, other, 1), *customers(tenant, device, 1, 5)])
    monday = {"name": "Oficina", "time_zone": "America/Santiago", "weekly": [{"day": 0, "opens": "09:00", "closes": "18:00"}]}
    made = await client.post("/api/hours", json=monday | {"everywhere": True}, headers=owner.headers)
    assert made.status_code == 201, made.text
    opening = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert await team.give_out(opening - timedelta(seconds=1)) == 0
    assert await team.give_out(opening) == 1
    assert await world.rows("select device from chats where assignee is not null") == [{"device": device}]


async def test_two_assigners_at_once_give_each_chat_once(client, world, tenant, device, team, automatic):
    ann, ben = await team.hire("Ann"), await team.hire("Ben")
    await team.comes(ann)
    await team.comes(ben)
    await world.handle(customers(tenant, device, 20))
    await world.forget_told()
    given = await asyncio.gather(*(team.give_out() for _ in range(5)))
    while (more := await team.give_out()) > 0:
        given.append(more)
    assert sum(given) == 20
    assert [await team.has(one) for one in (ann, ben)] == [10, 10]
    assert len(await world.told(ChatAssigned)) == 20


async def test_what_an_agent_takes_or_closes_meanwhile_is_not_given_to_another(client, world, tenant, device, team, automatic):
    ann, ben = await team.hire("Ann"), await team.hire("Ben")
    await team.comes(ben)
    await world.handle(customers(tenant, device, 6))
    items = (await client.get("/api/chats", headers=ann.headers)).json()["items"]
    takes = [client.post(f"/api/chats/{chat['id']}/take", json={}, headers=ann.headers) for chat in items]
    *answers, given = await asyncio.gather(*takes, team.give_out())
    taken = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(taken) == await team.has(ann)
    assert given == await team.has(ben)
    assert await team.give_out() == 6 - len(taken) - given


async def test_what_somebody_had_who_cannot_sign_in_any_more_is_given_to_another(client, world, tenant, device, team, automatic):
    ann, ben = await team.hire("Ann"), await team.hire("Ben")
    await team.comes(ann)
    await world.handle(customers(tenant, device, 2))
    assert await team.give_out() == 2
    await team.comes(ben)
    await team.change(ann, active=False)
    assert await team.give_out() == 2
    assert await owners(world) == [ben.principal.id] * 2
    assert [told.data.way for told in await world.told(ChatAssigned)] == ["auto"] * 2 + ["rule"] * 2 + ["auto"] * 2


async def test_who_answers_a_chat_that_nobody_has_takes_it_where_chats_are_given_out(client, world, tenant, device, team, automatic):
    ann = await team.hire("Ann")
    await world.handle(customers(tenant, device, 1))
    [chat] = (await client.get("/api/chats", headers=ann.headers)).json()["items"]
    sent = await client.post("/api/messages/send", json={"chat_id": chat["id"], "text": "Voy"}, headers=ann.headers)
    assert sent.status_code == 202
    [row] = await world.rows("select assignee, assigned_way, first_response_by, queued_at, waiting_since from chats")
    assert row == {
        "assignee": ann.principal.id, "assigned_way": "manual", "first_response_by": ann.principal.id, "queued_at": None,
        "waiting_since": None,
    }  # fmt: skip


async def test_the_background_part_gives_out_as_people_come_and_survives_what_it_cannot_read(
    client, world, bus, tenant, device, team, automatic
):
    ann = await team.hire("Ann")
    presence = await bus.bucket(buckets.PRESENCE)
    await presence.put(f"{tenant}.nobody.r1", b"?")
    await presence.put(f"{tenant}.{ann.principal.id}.r9", b"{}")
    await world.handle(customers(tenant, device, 1))
    async with Database.open(world.urls.system_url, application="assigner", pool=2) as system:
        parts = [assigner.assigning(world.db, system, await Presence.of(bus), lambda user: Access()) for _ in range(2)]
        async with running(*parts):
            await team.comes(ann)

            async def mine():
                return await team.has(ann) == 1

            await eventually(mine)
            [row] = await world.rows("select last_seen_at from agents where id = $1", ann.principal.id)
            assert row["last_seen_at"] is not None


async def test_settings_are_for_admins_and_about_what_is_there(client, world, tenant, device, team, owner, automatic):
    ann = await team.hire("Ann")
    nobody = ids.new()
    for path, body in (("", {"capacity": 1}), (f"agents/{ids.public(ids.USER, ann.principal.id)}", {"capacity": 1})):
        assert (await client.put(f"/api/assignment/{path}".rstrip("/"), json=body, headers=ann.headers)).status_code == 403
    for path, body, code in (
        (f"agents/{ids.public(ids.USER, nobody)}", {"capacity": 1}, "user-not-found"),
        (f"devices/{ids.public(ids.DEVICE, nobody)}", {"automatic": True}, "device-not-found"),
        (f"teams/{ids.public(ids.TEAM, nobody)}", {"automatic": True}, "team-not-found"),
    ):
        refused = await client.put(f"/api/assignment/{path}", json=body, headers=owner.headers)
        assert (refused.status_code, refused.json()["code"]) == (404, code)
    assert (await client.put("/api/assignment", json={"capacity": -1}, headers=owner.headers)).status_code == 422
    shown = (await client.get("/api/assignment", headers=ann.headers)).json()
    assert shown["rules"] == [{"automatic": True, "device_id": ids.public(ids.DEVICE, device), "team_id": None}]
    assert [one["name"] for one in shown["agents"]] == ["Ann", "Olga"]


def test_the_contract_of_hours_and_the_assigner_agree_on_what_is_always_open():
    sets = [Assigned(hours=hours.Hours(time_zone="UTC", weekly=(), holidays=(hours.Holiday(date=date(2026, 1, 1)),)), everywhere=False)]
    assert hours.is_open(hours.covering(sets, device=ids.new()), datetime.now(UTC))
