"""What auth makes of the facts that are told: the record of who did what, and who sees a number that is new or gone."""

import asyncio
from collections.abc import Sequence
from typing import Any

from contracts import ids, subjects
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import ContactErased
from contracts.events.devices import DeviceDeleted, DeviceOrdered
from contracts.events.privacy import AuthErased
from contracts.ids import DeviceId
from servicekit import outbox
from servicekit.bus import Consumer
from servicekit.db import Database

from auth import store
from auth.domain.activity import BODIES, deed

ACTIVITY = "auth-activity"
NUMBERS = "auth-numbers"


def activity(db: Database) -> Consumer:
    """Describe the durable that writes the record. A fact's own id is its line's: a repeat changes nothing."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        deeds = [done for done in map(deed, envelopes) if done is not None]
        if deeds:
            async with db.transaction({done.tenant for done in deeds}) as tx:
                await store.activity.add(tx, deeds)
                # A line names ids and nobody: of who was erased, nothing here has to go.
                await outbox.add(tx, *(_erased(one) for one in envelopes if isinstance(one.data, ContactErased)))

    return Consumer(durable=ACTIVITY, stream=subjects.EVENTS, bodies=BODIES, handle=handle)


def _erased(one: Envelope[ContactErased]) -> Envelope[AuthErased]:
    erasure = ids.parse(ids.ERASURE, one.data.erasure_id)
    return wrap(one.tenant, AuthErased(erasure=erasure), id=ids.derived("erased", "auth", erasure))


def numbers(db: Database, limited: asyncio.Event) -> Consumer:
    """Describe the durable by which who adds a number sees it, even where they see some numbers only. Repeats change nothing."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        told = [envelope for envelope in envelopes if isinstance(envelope.data, DeviceDeleted) or envelope.data.order == "add"]
        if not told:
            return
        async with db.transaction({envelope.tenant for envelope in told}) as tx:
            for envelope in told:
                device = DeviceId(ids.parse(ids.DEVICE, envelope.data.id))
                if isinstance(envelope.data, DeviceDeleted):
                    await store.access.hide(tx, envelope.tenant, device)
                else:
                    await store.access.show(tx, envelope.tenant, envelope.data.actor.id, device)
        limited.set()

    return Consumer(durable=NUMBERS, stream=subjects.EVENTS, bodies=(DeviceOrdered, DeviceDeleted), handle=handle)
