"""Somebody is erased: the log of deliveries says nothing of them any more."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from contracts import examples, ids, subjects
from contracts.envelope import wrap
from contracts.events.conversations import ContactCreated, ContactErased
from contracts.events.pipeline import LeadCreated, TaskChanged
from contracts.events.privacy import WebhooksErased
from servicekit.bus import Bus
from servicekit.testing import eventually

from .receiver import Receiver
from .world import World, a_message, event_id


async def test_of_somebody_who_is_erased_nothing_is_in_the_log_and_nothing_more_is_delivered_but_that(
    world: World, receiver: Receiver, bus: Bus
):
    ana = world.caller()
    endpoint = await ana.make(f"{receiver.url}/all")
    receiver.answers = [503]
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


def examples_of(body: Any, **changes: Any) -> Any:
    """The example of this kind of event, with other values."""
    return msgspec.structs.replace(next(one for one in examples.BODIES if type(one) is body), **changes)
