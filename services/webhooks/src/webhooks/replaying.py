"""Replays, worked off one after another by whichever replica is free: a part of the stream becomes deliveries once more.

What has been dealt with is remembered in the transaction that made the deliveries, so a replay goes on where it was when a process
died. It waits while much waits for the endpoint already: what happens now goes first, and no table fills up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from contracts.ids import DeviceId, TenantId
from servicekit.bus import Bus, BusAway, Fact, Ordered
from servicekit.bus.failures import is_away, where
from servicekit.db import Database, raw
from servicekit.timers import first

from webhooks import stream
from webhooks.consumers import delivery
from webhooks.store import deliveries, endpoints, erasing, lanes, replays
from webhooks.store.replays import Replay

LEASE = timedelta(seconds=30)
BATCH = 200
BACKLOG = 1000
POLL_SECONDS = 1.0

log = structlog.get_logger()


def run(db: Database, system: Database, bus: Bus) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that works replays off."""

    async def loop(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                async with system.system() as tx:
                    claimed = await replays.claim(await raw(tx), LEASE)
                if claimed is not None:
                    await _Work(db, bus, stopping).do(*claimed)
                    continue
            except Exception as error:
                kind = log.warning if is_away(error) else log.error
                kind("a replay waits", error=type(error).__name__, where=where(error))
            await first(stopping, timeout=POLL_SECONDS)

    return loop


class _Work:
    def __init__(self, db: Database, bus: Bus, stopping: asyncio.Event) -> None:
        self._db = db
        self._bus = bus
        self._stopping = stopping

    async def do(self, tenant: TenantId, id: UUID) -> None:
        """Work on a replay to its end, or until the process is told to stop."""
        async with self._db.transaction(tenant) as tx:
            replay = await replays.open(await raw(tx), tenant, id, lease=LEASE)
        if replay is None:
            return
        patterns = replay.types
        begun = replay.reached is not None
        start: int | datetime = replay.reached + 1 if replay.reached is not None else replay.since
        async with await self._bus.ordered(stream.filters(tenant, patterns), start) as facts:
            named = stream.name(facts.created)
            if begun and replay.stream != named:
                await self._end(replay, "events-gone")
                return
            left = facts.pending
            if not begun:
                state = await self._bus.stream_state()
                async with self._db.transaction(tenant) as tx:
                    await replays.begun(await raw(tx), tenant, id, stream=named, first=facts.sequence + 1, last=state.last_sequence)
            while left > 0 and not self._stopping.is_set():
                some, left, gap = await self._some(facts, left, replay.until)
                if gap and begun:
                    await self._end(replay, "events-gone")
                    return
                if some and not await self._store(replay, some):
                    return
                begun = True
        if not self._stopping.is_set():
            await self._end(replay, None)

    async def _some(self, facts: Ordered, left: int, until: datetime) -> tuple[list[Fact], int, bool]:
        """Read the next facts, and how many are left; 0 behind the end of the time that is asked for."""
        some: list[Fact] = []
        gap = False
        try:
            async with asyncio.timeout(stream.SECONDS):
                while left > 0 and len(some) < BATCH:
                    fact = await anext(facts)
                    left -= 1
                    gap = gap or fact.gap
                    if fact.at >= until:
                        return some, 0, gap
                    some.append(fact)
        except (TimeoutError, StopAsyncIteration):
            raise BusAway("The stream cannot be read at the moment.") from None
        return some, left, gap

    async def _store(self, replay: Replay, some: list[Fact]) -> bool:
        """Make the deliveries of some facts; False where nobody wants them any more."""
        while not self._stopping.is_set():
            async with self._db.transaction(replay.tenant) as tx:
                c = await raw(tx)
                await erasing.hold(c, [replay.tenant])
                if await replays.open(c, replay.tenant, replay.id, lease=LEASE) is None:
                    return False
                if await replays.waiting(c, replay.tenant, replay.endpoint) < BACKLOG:
                    endpoint = await endpoints.get(c, replay.tenant, replay.endpoint)
                    if endpoint is None:
                        return False
                    found = [one for fact in some if (one := stream.read(fact.payload, replay.types)) is not None]
                    # They were read before this transaction began, and who they are about may be erased since.
                    about = await erasing.spoken_of(c, replay.tenant, [(one.type, one.at, one.data) for one in found])
                    new = [
                        delivery(endpoint, one, source="replay", origin=replay.id)
                        for one, erased in zip(found, about, strict=True)
                        if not erased and (endpoint.devices is None or one.device in endpoint.devices) and _among(replay, one.device)
                    ]
                    keys = await deliveries.enqueue(c, new)
                    await lanes.wake(c, keys)
                    await replays.went_on(c, replay.tenant, replay.id, reached=some[-1].sequence, found=len(new))
                    return True
            await first(self._stopping, timeout=POLL_SECONDS)
        return False

    async def _end(self, replay: Replay, error: str | None) -> None:
        async with self._db.transaction(replay.tenant) as tx:
            await replays.ended(await raw(tx), replay.tenant, replay.id, error)


def _among(replay: Replay, device: DeviceId | None) -> bool:
    return replay.devices is None or device in replay.devices
