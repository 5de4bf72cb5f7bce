"""Somebody is erased: the log of deliveries says nothing of them any more."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from contracts import examples, ids, subjects
from contracts.envelope import wrap
from contracts.events.conversations import ContactCreated, ContactErased
from contracts.events.pipeline import LeadChanged, LeadCreated, TaskChanged
from contracts.events.privacy import PipelineErased, WebhooksErased
from servicekit.bus import Bus
from servicekit.testing import eventually
from webhooks.store import erasing

from .receiver import Receiver
from .world import World, a_message, event_id


async def test_of_somebody_who_is_erased_nothing_is_in_the_log_and_nothing_more_is_delivered_but_that(
    world: World, receiver: Receiver, bus: Bus
):
    ana = world.caller()
    endpoint = await ana.make(f"{receiver.url}/all")
    receiver.answers = {"/all": 503}
    contact, chat, lead = ids.public(ids.CONTACT, ids.new()), ids.new(), ids.public(ids.LEAD, ids.new())
    tenant = ana.tenant
    known = wrap(tenant, ContactCreated(id=contact, name="Ana Perez", phone="5215550001111"))
    said = a_message(tenant, "soy Ana Perez", chat=chat, contact_id=contact)
    card = examples_of(LeadCreated, id=lead, contact_id=contact, title="Ana Perez")
    task = examples_of(TaskChanged, lead_id=lead, title="llamar a Ana Perez")
    other = a_message(tenant, "otra persona")
    await bus.publish(known, said, wrap(tenant, card), wrap(tenant, task), other)
    await eventually(lambda: len(receiver.received) >= 1)
    fact = ContactErased(
        id=contact, erasure_id=ids.public(ids.ERASURE, ids.new()), at=datetime.now(UTC), chat_ids=(ids.public(ids.CHAT, chat),)
    )
    erasure = wrap(tenant, fact)
    await bus.publish(erasure)

    async def told() -> bool:
        async with await bus.ordered(subjects.every(WebhooksErased), 1) as ordered:
            return ordered.pending > 0

    await eventually(told)
    left = await world.admin.fetch("select convert_from(data, 'UTF8') as data from events")
    assert sorted(row["data"] for row in left) == sorted(row["data"] for row in left if "Perez" not in row["data"])
    assert len(left) == 2
    assert await world.admin.fetchval("select count(*) from people") == 0
    events = {attempt["event_id"] for attempt in await ana.attempts(endpoint["id"])}
    assert events <= {event_id(other), event_id(erasure)}


@pytest.mark.parametrize("over", [True, False], ids=["erased", "being erased"])
async def test_an_attempt_under_way_while_somebody_is_erased_leaves_nothing_in_the_log(
    world: World, receiver: Receiver, bus: Bus, over: bool
):
    ana = world.caller()
    endpoint = await ana.make(f"{receiver.url}/slow")
    answering = asyncio.Event()
    receiver.answers = {"/slow": (answering, "", "of Ana Perez")}
    contact = ids.public(ids.CONTACT, ids.new())
    await bus.publish(wrap(ana.tenant, ContactCreated(id=contact, name="Ana Perez", phone="5215550001111")))
    await eventually(lambda: receiver.received)

    async def recorded() -> None:
        assert await world.admin.fetchval("select sum(delivered) from statistics") == 1

    async with world.admin.transaction():
        await erasing.hold(world.admin, {ana.tenant}, {ana.tenant})
        erasure = ids.public(ids.ERASURE, ids.new())
        assert await erasing.forget(world.admin, ana.tenant, [ids.parse(ids.CONTACT, contact)], (), (), erasure, datetime.now(UTC)) == 1
        if not over:
            answering.set()
            await eventually(recorded)
    answering.set()
    await eventually(recorded)
    assert await ana.attempts(endpoint["id"]) == []
    assert await world.admin.fetchval("select count(*) from attempts") == 0


async def settled(ana: Any, path: str) -> dict[str, Any]:
    """The replay at its end."""

    async def ended() -> dict[str, Any]:
        shown: dict[str, Any] = await ana("GET", path)
        assert shown["state"] == "done", shown
        return shown

    return await eventually(ended)


async def test_a_replay_that_read_of_somebody_before_they_were_erased_brings_nothing_of_them_back(
    world: World, receiver: Receiver, bus: Bus
):
    ana = world.caller()
    contact, chat, lead = ids.public(ids.CONTACT, ids.new()), ids.new(), ids.public(ids.LEAD, ids.new())
    tenant, since = ana.tenant, datetime.now(UTC) - timedelta(minutes=1)
    known = wrap(tenant, ContactCreated(id=contact, name="Ana Perez", phone="5215550001111"))
    said = a_message(tenant, "soy Ana Perez", chat=chat, contact_id=contact)
    card = wrap(tenant, examples_of(LeadCreated, id=lead, contact_id=contact, title="Ana Perez"))
    task = wrap(tenant, examples_of(TaskChanged, lead_id=lead, title="llamar a Ana Perez"))
    other = a_message(tenant, "otra persona")
    earlier = datetime.now(UTC) - timedelta(seconds=30)
    await bus.publish(*(msgspec.structs.replace(one, occurred_at=earlier) for one in (known, said, card, task, other)))
    endpoint = await ana.make(f"{receiver.url}/late")  # what happened before is for it by replay alone
    erased = ContactErased(
        id=contact, erasure_id=ids.public(ids.ERASURE, ids.new()), at=datetime.now(UTC), chat_ids=(ids.public(ids.CHAT, chat),)
    )

    async with world.admin.transaction():
        # The erasure is under way, and its transaction not over, when the replay has read and comes to write.
        await world.admin.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"webhooks log {tenant}")
        replay = await ana("POST", f"/api/webhooks/{endpoint['id']}/replays", {"since": since.isoformat()}, key="replay")
        path = f"/api/webhooks/{endpoint['id']}/replays/{replay['id']}"

        async def waits() -> None:
            assert await world.admin.fetchval("select count(*) from pg_locks where locktype = 'advisory' and not granted") == 1

        await eventually(waits)
        await erasing.forget(world.admin, tenant, [ids.parse(ids.CONTACT, contact)], erased.chat_ids, (), erased.erasure_id, erased.at)
    assert (await settled(ana, path))["found"] == 2, "the task, of a lead that nobody has named yet, and somebody else"
    left = [row["data"] for row in await world.admin.fetch("select convert_from(data, 'UTF8') as data from events")]
    assert [data for data in left if "soy Ana" in data or "5215550001111" in data] == []

    # The same once the erasure is told, with all that hangs on it: the stream still has every word of it.
    stripped = wrap(tenant, PipelineErased(erasure=ids.parse(ids.ERASURE, erased.erasure_id), removed=1, names=(lead,)))
    await bus.publish(wrap(tenant, erased), stripped)

    async def forgotten() -> None:
        assert await world.admin.fetchval("select true from erased where name = $1", lead)

    await eventually(forgotten)
    again = await ana("POST", f"/api/webhooks/{endpoint['id']}/replays", {"since": since.isoformat()}, key="again")
    await settled(ana, f"/api/webhooks/{endpoint['id']}/replays/{again['id']}")
    left = [row["data"] for row in await world.admin.fetch("select convert_from(data, 'UTF8') as data from events")]
    assert [data for data in left if "Perez" in data] == []
    assert any("otra persona" in data for data in left)


async def test_what_comes_again_of_somebody_erased_is_not_delivered_and_a_lead_that_stays_is(world: World, receiver: Receiver, bus: Bus):
    ana = world.caller()
    await ana.make(f"{receiver.url}/all")
    contact, lead = ids.public(ids.CONTACT, ids.new()), ids.public(ids.LEAD, ids.new())
    card = wrap(ana.tenant, examples_of(LeadCreated, id=lead, contact_id=contact, title="Ana Perez"))
    await bus.publish(card)
    await eventually(lambda: len(receiver.received) >= 1)
    await bus.publish(wrap(ana.tenant, ContactErased(id=contact, erasure_id=ids.public(ids.ERASURE, ids.new()), at=datetime.now(UTC))))
    await eventually(lambda: told_done(bus))
    late = a_message(ana.tenant, "soy Ana Perez", contact_id=contact)
    stays = wrap(ana.tenant, examples_of(LeadChanged, id=lead, contact_id=None, title="—"))
    await bus.publish(late, stays)
    await eventually(lambda: any(event_id(stays) in str(one) for one in receiver.received))
    assert not any(event_id(late) in str(one) for one in receiver.received)
    assert await world.admin.fetchval("select count(*) from people") == 0


async def told_done(bus: Bus) -> bool:
    """Whether the service has said that its part is done."""
    async with await bus.ordered(subjects.every(WebhooksErased), 1) as ordered:
        return ordered.pending > 0


def examples_of(body: Any, **changes: Any) -> Any:
    """The example of this kind of event, with other values."""
    return msgspec.structs.replace(next(one for one in examples.BODIES if type(one) is body), **changes)
