"""An erasure goes on until all its parts are done, whatever falls over in between.

First conversations' own tables; then every service its part, by the event; the files by the deletion of released objects; and at last,
when nobody adds to them any more, the events and dead letters that speak of the person, one by one out of their streams.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from contracts import subjects
from contracts.errors import Unavailable
from contracts.ids import TenantId
from servicekit import outbox, timers
from servicekit.bus import Bus, BusAway, dlq
from servicekit.db import Database, raw
from servicekit.timers import first

from conversations import store
from conversations.domain.privacy import Dossier, Needles
from conversations.store import chats, erasing

EVERY = timedelta(seconds=1)
LEASE_SECONDS = 120.0
#: Events that are looked at before others have their turn.
_BURST = 500

log = structlog.get_logger()


def erase(db: Database, system: Database, bus: Bus) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that works on the erasures of all accounts."""

    async def loop(stopping: asyncio.Event) -> None:
        async def run() -> None:
            async with system.system() as tx:
                some = await erasing.open_ones(await raw(tx))
            for tenant, id in some:
                if stopping.is_set():
                    return
                try:
                    await go_on(db, bus, tenant, id, stopping=stopping)
                except BusAway as away:
                    log.info("an erasure waits for the bus", erasure=str(id), reason=str(away))
                except Unavailable:
                    raise
                except Exception as error:  # the others go on
                    log.exception("an erasure waits", erasure=str(id), reason=type(error).__name__)

        await timers.every(EVERY, run, name="erasures")(stopping)

    return loop


async def go_on(db: Database, bus: Bus, tenant: TenantId, id: UUID, *, stopping: asyncio.Event | None = None) -> None:
    """Everything that can be done for this erasure now is done, by one replica."""
    async with db.transaction(tenant) as tx:
        if not await erasing.lease(await raw(tx), tenant, id, LEASE_SECONDS):
            return
    pause = 0.0
    try:
        pause = await _work(db, bus, tenant, id, stopping)
    finally:
        async with db.transaction(tenant) as tx:
            await erasing.give_back(await raw(tx), tenant, id, pause)


async def _work(db: Database, bus: Bus, tenant: TenantId, id: UUID, stopping: asyncio.Event | None) -> float:
    async with db.transaction(tenant) as tx:
        erasure = await erasing.find(await raw(tx), tenant, id)
    if erasure is None or erasure.completed_at is not None:
        return 0.0
    if erasure.erased_at is None and not await _empty_tables(db, erasure, stopping):
        return 0.0
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        files = await erasing.settle_files(c, tenant, id)
        parts = (await erasing.parts(c, tenant, [id]))[id]
        erasure = await erasing.find(c, tenant, id)
    dossier = (erasure and erasure.dossier) or Dossier()
    if not erasing.others_done(parts):
        return 2.0  # the last of them wakes it
    waiting = {part.part for part in parts if part.done_at is None}
    needles = Needles(tenant, dossier)
    if "events" in waiting:
        await _count(db, tenant, id, "events", await erase_events(bus, tenant, needles))
    if "dead-letters" in waiting:
        await _count(db, tenant, id, "dead-letters", await erase_letters(bus, needles))
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        # Answers that were on their way when the tables were emptied.
        await erasing.forget_answers(c, tenant, dossier)
        await erasing.complete(c, tenant, id)
    return 0.0 if files else 0.5


async def _empty_tables(db: Database, erasure: erasing.Erasure, stopping: asyncio.Event | None) -> bool:
    async def thin() -> bool:
        async with db.transaction(erasure.tenant) as tx:
            return await erasing.thin_out(await raw(tx), erasure)

    async def finish() -> None:
        async with db.transaction(erasure.tenant) as tx:
            await outbox.add(tx, *await erasing.finish(await raw(tx), erasure, datetime.now(UTC)))

    while await store.persistently(thin):
        if stopping is not None and stopping.is_set():
            return False
        await first(stopping or asyncio.Event(), timeout=0.05)
    await _tidy_groups(db, erasure)
    await store.persistently(finish)
    return True


async def _tidy_groups(db: Database, erasure: erasing.Erasure) -> None:
    async with db.transaction(erasure.tenant) as tx:
        c = await raw(tx)
        addresses = await erasing.addresses(c, erasure)
        groups = await erasing.groups(c, erasure.tenant)
    for chat in groups:

        async def tidy(chat=chat) -> None:  # type: ignore[no-untyped-def]
            async with db.transaction(erasure.tenant) as tx:
                c = await raw(tx)
                await chats.lock(c, [(erasure.tenant, chat)])
                await erasing.tidy_group(c, erasure.tenant, addresses, chat)

        await store.persistently(tidy)


async def _count(db: Database, tenant: TenantId, id: UUID, part: str, removed: int) -> None:
    async with db.transaction(tenant) as tx:
        await erasing.count(await raw(tx), tenant, id, part, removed, done=True)


async def erase_events(bus: Bus, tenant: TenantId, needles: Needles) -> int:
    """No event of the account that is in the stream now speaks of the person; tells how many did.  Raises: BusAway."""
    last = (await bus.stream_state()).last_sequence
    erased = looked = 0
    async with await bus.ordered(subjects.feed(tenant), 1) as ordered:
        left = ordered.pending
        if not left:
            return 0
        async for fact in ordered:
            left -= 1
            looked += 1
            if needles.speaks(fact.subject, fact.payload) and await bus.erase(fact.sequence):
                erased += 1
            if looked % _BURST == 0:
                await asyncio.sleep(0)
            if left <= 0 or fact.sequence >= last:
                break
    return erased


async def erase_letters(bus: Bus, needles: Needles) -> int:
    """No dead letter speaks of the person, nor one that was given back; tells how many did.  Raises: BusAway."""
    erased = 0
    for letters in (dlq.entries(bus), dlq.given_back(bus)):
        async for letter in letters:
            if needles.speaks(letter.subject, letter.payload) and await bus.erase(letter.sequence, subjects.DLQ):
                erased += 1
    return erased
