"""Every public event becomes a delivery for each endpoint that wants it, in the order of the stream."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from contracts import ids, subjects
from contracts.envelope import Envelope, wrap
from contracts.events.auth import AccountChanged
from contracts.events.conversations import ContactErased
from contracts.events.privacy import PipelineErased, WebhooksErased
from servicekit import outbox
from servicekit.bus import Bus, Consumer
from servicekit.db import Database, raw
from servicekit.timers import first

from webhooks import stream
from webhooks.domain.endpoints import Endpoint
from webhooks.store import accounts, deliveries, endpoints, erasing, lanes, names
from webhooks.store.deliveries import New

DURABLE = "webhooks-events"
#: What happened before an endpoint was made is not for it, as far as the clocks of two machines can tell.
SKEW = timedelta(seconds=5)

#: Of a host that vanished the server notices within half a minute that its lock is nobody's; the other way round it is asked.
_KEEP_ALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
_BEAT_SECONDS = 5.0

#: Of which nobody is called.
_INTERNAL = (AccountChanged, PipelineErased)

log = structlog.get_logger()


def consumer(db: Database) -> Consumer:
    """Describe the durable. An event's id and the endpoint are a delivery's key: a repeat changes nothing.

    The endpoints are read with each batch, in its transaction: one that was made, changed or deleted a moment ago counts, in
    whichever replica that was.
    """

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        tenants = {one.tenant for one in envelopes}
        async with db.transaction(tenants) as tx:
            c = await raw(tx)
            await erasing.hold(c, tenants, {one.tenant for one in envelopes if isinstance(one.data, ContactErased | PipelineErased)})
            envelopes = await _of_the_living(c, envelopes)
            await names.learn(c, envelopes)
            resumed = await accounts.learn(c, envelopes)
            listening = await endpoints.listening(c, tenants)
            new = [
                delivery(endpoint, happened)
                for one in envelopes
                if one.tenant in listening and not isinstance(one.data, _INTERNAL) and (happened := stream.happened(one)) is not None
                for endpoint in listening[one.tenant]
                if endpoint.wants(happened.type, happened.device) and happened.at > endpoint.created_at - SKEW
            ]
            await lanes.wake(c, {*await deliveries.enqueue(c, new), *resumed})
            await outbox.add(tx, *[await _erase(c, one) for one in envelopes if isinstance(one.data, ContactErased)])
            for one in envelopes:
                if isinstance(one.data, PipelineErased):
                    await erasing.forget_leads(c, one.tenant, one.data.erasure, one.data.names)

    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=(*stream.BODIES, *_INTERNAL), handle=handle)


async def _of_the_living(c: asyncpg.Connection, envelopes: Sequence[Envelope[Any]]) -> list[Envelope[Any]]:
    """Leave out what comes late, or again, and is about somebody who was erased meanwhile."""
    known = await c.fetch("select distinct tenant from erased where tenant = any($1::uuid[])", list({one.tenant for one in envelopes}))
    left = list(envelopes)
    for (tenant,) in known:
        mine = [one for one in left if one.tenant == tenant and not isinstance(one.data, _INTERNAL)]
        told = [happened for one in mine if (happened := stream.happened(one)) is not None]
        about = await erasing.spoken_of(c, tenant, [(one.type, one.at, one.data) for one in told])
        gone = {one.id for one, erased in zip(told, about, strict=True) if erased}
        left = [one for one in left if one.tenant != tenant or one.id not in gone]
    return left


async def _erase(c: asyncpg.Connection, one: Envelope[Any]) -> Envelope[WebhooksErased]:
    fact = one.data
    contacts = [ids.parse(ids.CONTACT, id) for id in (fact.id, *fact.merged)]
    removed = await erasing.forget(c, one.tenant, contacts, fact.chat_ids, fact.message_ids, fact.erasure_id, fact.at)
    erasure = ids.parse(ids.ERASURE, fact.erasure_id)
    return wrap(one.tenant, WebhooksErased(erasure=erasure, removed=removed), id=ids.derived("erased", "webhooks", erasure))


def delivery(endpoint: Endpoint, happened: stream.Happened, **changes: Any) -> New:
    """Make the delivery of an event to an endpoint."""
    return New(
        tenant=endpoint.tenant,
        id=ids.new(),
        endpoint=endpoint.id,
        event=happened.id,
        type=happened.type,
        at=happened.at,
        data=happened.data,
        device=happened.device,
        chat=happened.chat,
        **changes,
    )


def run(db: Database, system: Database, bus: Bus) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that consumes, in one replica at a time: two would mix up the order of what they take."""
    return alone(system, DURABLE, bus.consumer(consumer(db)))


def alone(system: Database, name: str, part: Callable[[asyncio.Event], Awaitable[None]]) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that does *part* in whichever process holds the lock *name*, which dies with its connection."""

    async def loop(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                connection = await asyncpg.connect(system.url, timeout=5, server_settings={"application_name": name, **_KEEP_ALIVE})
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.info("waiting for the database", part=name, reason=type(error).__name__)
                await first(stopping, timeout=1.0)
                continue
            try:
                await _while_locked(connection, name, part, stopping)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.info("the lock was lost", part=name, reason=type(error).__name__)
            finally:
                connection.terminate()

    return loop


async def _while_locked(
    connection: asyncpg.Connection, name: str, part: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event
) -> None:
    gone = asyncio.Event()
    connection.add_termination_listener(lambda _: gone.set())
    while not await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", name):
        await first(stopping, gone, timeout=1.0)
        if stopping.is_set() or gone.is_set():
            return
    over = asyncio.Event()

    async def work() -> None:
        await part(over)

    running = asyncio.create_task(work())
    running.add_done_callback(lambda _: gone.set())
    try:
        while not stopping.is_set() and not gone.is_set():
            await first(stopping, gone, timeout=_BEAT_SECONDS)
            await connection.fetchval("select 1", timeout=_BEAT_SECONDS)
    finally:
        over.set()
        await running
