"""The stream of events read again: pulled, and replayed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from contracts import ids, subjects
from contracts.envelope import wrap
from contracts.events.conversations import ContactCreated
from contracts.ids import DeviceId, TenantId
from servicekit.bus import Bus
from servicekit.testing import eventually

from .receiver import Receiver
from .world import World, a_message, event_id


def a_contact(tenant: TenantId):
    return wrap(tenant, ContactCreated(id=ids.public(ids.CONTACT, uuid4()), name="Luis", phone=None))


async def test_events_are_pulled_page_by_page_in_their_order_for_as_long_as_they_are_kept(world: World, bus: Bus):
    ana, stranger = world.caller(), world.caller()
    nothing = await ana("GET", "/api/events")
    assert (nothing["items"], nothing["more"]) == ([], False)
    assert (await ana("GET", f"/api/events?after={nothing['next_cursor']}"))["items"] == []
    some = []
    for _ in range(7):
        some += [a_message(ana.tenant), a_contact(ana.tenant)]
    await bus.publish(*some, a_message(ana.tenant, "viejo", history=True), *(a_message(stranger.tenant) for _ in range(3)))
    found, after = [], f"&after={nothing['next_cursor']}"
    for size in (5, 5, 4):
        page = await ana("GET", f"/api/events?limit=5{after}")
        assert len(page["items"]) == size
        found += page["items"]
        after = f"&after={page['next_cursor']}"
    assert [one["id"] for one in found] == list(map(event_id, some))
    end = await ana("GET", f"/api/events?{after}")
    assert (end["items"], end["more"]) == ([], False)
    latest = await ana("GET", "/api/events?after=latest")
    await bus.publish(new := a_message(ana.tenant, "nuevo"))
    for place in (end, latest):
        assert [one["id"] for one in (await ana("GET", f"/api/events?after={place['next_cursor']}"))["items"]] == [event_id(new)]
    only = await ana("GET", "/api/events?types=contact.*,device.status&limit=100")
    assert {one["type"] for one in only["items"]} == {"contact.created"}
    assert len(only["items"]) == 7
    assert (await ana("GET", "/api/events?types=nada", expect=422))["code"] == "webhook-type-unknown"
    assert (await stranger("GET", f"/api/events?after={end['next_cursor']}", expect=422))["code"] == "bad-cursor"
    await bus.publish(a_message(ana.tenant, "más nuevo"))
    state = await bus.stream_state()
    await bus.connection.api(f"STREAM.PURGE.{subjects.EVENTS}", {"seq": state.last_sequence})
    early = (await ana("GET", "/api/events?after=latest"))["next_cursor"]
    gone = await ana("GET", f"/api/events?after={end['next_cursor']}", expect=410)
    assert gone["code"] == "events-gone"
    assert (await ana("GET", f"/api/events?after={early}"))["items"] == []


async def test_a_time_is_replayed_to_a_new_webhook_with_the_same_ids(world: World, receiver: Receiver, bus: Bus):
    ana, stranger = world.caller(), world.caller()
    mine = DeviceId(uuid4())
    await ana.make(f"{receiver.url}/old")
    before = [a_message(ana.tenant, "antes", device=mine) for _ in range(3)]
    await bus.publish(*before)
    since = await _now(bus)
    wanted = [a_message(ana.tenant, "durante", device=mine) for _ in range(25)]
    others = [a_message(ana.tenant, "otro número"), a_contact(ana.tenant), a_message(stranger.tenant, "ajeno", device=mine)]
    await bus.publish(*wanted[:10], *others, *wanted[10:])
    until = await _now(bus)
    await bus.publish(a_message(ana.tenant, "después", device=mine))
    await eventually(lambda: len(receiver.at("/old")) == 3 + 25 + 2 + 1)
    made = await ana.make(f"{receiver.url}/new")
    body = {"since": since, "until": until, "types": ["message.*"], "devices": [ids.public(ids.DEVICE, mine)]}
    replay = await ana("POST", f"/api/webhooks/{made['id']}/replays", body, key="replay")
    assert await ana("POST", f"/api/webhooks/{made['id']}/replays", body, key="replay") == replay
    path = f"/api/webhooks/{made['id']}/replays/{replay['id']}"

    async def over() -> dict[str, Any]:
        now: dict[str, Any] = await ana("GET", path)
        assert (now["state"], now["delivered"]) == ("done", 25)
        return now

    done = await eventually(over)
    assert (done["found"], done["progress"], done["failed"], done["waiting"]) == (25, 1.0, 0, 0)
    assert sorted(receiver.ids("/new")) == sorted(map(event_id, wanted))
    assert all(one.verified(made["secret"])["data"]["text"] == "durante" for one in receiver.at("/new"))
    assert {one["source"] for one in await ana.deliveries(made["id"])} == {"replay"}
    assert [one["id"] for one in (await ana("GET", f"/api/webhooks/{made['id']}/replays"))["items"]] == [replay["id"]]
    for wrong in ({"since": until, "until": since}, {"since": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, {}):
        await ana("POST", f"/api/webhooks/{made['id']}/replays", wrong, expect=422)
    await stranger("GET", path, expect=404)


async def _now(bus: Bus) -> str:
    """The server's time, between what is in the stream and what comes."""
    await bus.ping()
    return datetime.now(UTC).isoformat()


async def test_a_replay_goes_on_where_it_was_and_can_be_cancelled(bare: World, receiver: Receiver, bus: Bus):
    stop = await bare.replica()
    ana = bare.caller()
    made = await ana.make(f"{receiver.url}/", types=["message.received"])
    await ana("PATCH", f"/api/webhooks/{made['id']}", {"state": "paused"})
    some = [a_message(ana.tenant) for _ in range(450)]
    since = await _now(bus)
    await bus.publish(*some)
    await eventually(lambda: _waiting(bare, 450))
    replay = await ana("POST", f"/api/webhooks/{made['id']}/replays", {"since": since})
    assert (await ana("POST", f"/api/webhooks/{made['id']}/replays", {"since": since}, expect=409))["code"] == "replay-running"
    await eventually(lambda: _waiting(bare, 900))
    await stop()
    # as it would be, had the process died after its first batch
    first = await bare.admin.fetchval("select first from replays")
    await bare.admin.execute(
        "delete from deliveries d where source = 'replay' and seq > (select min(seq) + 199 from deliveries where source = d.source)"
    )
    await bare.admin.execute("update replays set state = 'running', reached = $1, found = 200, leased_until = null", first + 199)
    await bare.replica()
    ana = type(ana)(bare.urls[-1], ana.http, ana.tenant, ana.headers)
    path = f"/api/webhooks/{made['id']}/replays/{replay['id']}"
    await eventually(lambda: _waiting(bare, 900))
    done = await ana("GET", path)
    assert (done["found"], done["waiting"]) == (450, 450)
    await ana("DELETE", path)
    assert await _waiting(bare, 450)
    await ana("PATCH", f"/api/webhooks/{made['id']}", {"state": "enabled"})
    await eventually(lambda: len(receiver.received) == 450)
    assert sorted(receiver.ids("/")) == sorted(map(event_id, some))


async def test_what_was_under_way_when_its_replay_was_cancelled_is_in_the_log(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    await bus.publish(msgspec.structs.replace(a_message(ana.tenant), occurred_at=datetime.now(UTC) - timedelta(seconds=30)))
    made = await ana.make(f"{receiver.url}/slow")
    answering = asyncio.Event()
    receiver.answers = {"/slow": answering}
    replay = await ana("POST", f"/api/webhooks/{made['id']}/replays", {"since": since})
    await eventually(lambda: receiver.received)
    await ana("DELETE", f"/api/webhooks/{made['id']}/replays/{replay['id']}")
    assert await ana.deliveries(made["id"]) == []
    answering.set()

    async def recorded() -> None:
        assert [one["error"] for one in await ana.attempts(made["id"])] == [None]

    await eventually(recorded)


async def _waiting(world: World, count: int) -> bool:
    return await world.admin.fetchval("select count(*) from deliveries where state = 'waiting'") == count
