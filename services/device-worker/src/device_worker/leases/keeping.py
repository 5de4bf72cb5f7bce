"""The leases of this process: claimed, renewed, handed over, and the end of the process where they could not be."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

import msgspec
import structlog
from contracts import buckets
from prometheus_client import Gauge
from servicekit.bus import Bus, BusAway, KeyMoved
from servicekit.bus.keyvalue import KeyValue
from servicekit.db import Database, is_away, is_busy
from servicekit.timers import first

from device_worker import shards
from device_worker.leases.view import LIVES, View, read_lease, worker_key
from device_worker.shards import CAPACITY, LeaseEntry, Report, WorkerEntry
from device_worker.store import fences

RENEW_EVERY = 2.0
RENEW_TIMEOUT = 1.5
ENDS_ITSELF_AT = 12.0
#: Of a lease's life: by then everything of ours is over.
_SPARE = 1.0
_EX_FENCED = 70
_SETTLE = 0.05
#: After a claim that came too early: the bucket forgets a dead lease a little later than we do.
_AGAIN_AFTER = 0.25
#: So many sessions are under way from one worker to others at the same time; each is off the line for that long.
_HANDED_AT_ONCE = 6
_TAKEN_WITHIN = 1.0
#: A worker that was full takes sessions again when so much of its room is free.
_ROOM_AGAIN = 0.1

UNOWNED = Gauge("clarin_devices_shards_unowned", "Shards that no worker has; more than 0 for a minute: there is no room left.")
HELD = Gauge("clarin_devices_shards_held", "Shards of this worker.")

log = structlog.get_logger()


class Load(Protocol):
    """What a worker carries, and how much more it can."""

    @property
    def capacity(self) -> int:
        """How many sessions it may have."""

    def room(self) -> int:
        """Give how many more it may have."""

    def sessions(self, shard: int) -> int:
        """Give how many it has for *shard*."""

    async def weigh(self, some: Collection[int]) -> Mapping[int, int]:
        """Give how many sessions each of these shards would bring, none left out.  Raises: DatabaseAway, DatabaseBusy."""

    def report(self) -> Report | None:
        """Say how it is."""


class Weightless:
    """No load at all."""

    capacity = CAPACITY

    def room(self) -> int:
        """There is as much as there may ever be."""
        return self.capacity

    def sessions(self, shard: int) -> int:
        """There are none."""
        return 0

    async def weigh(self, some: Collection[int]) -> Mapping[int, int]:
        """They bring nothing."""
        return dict.fromkeys(some, 0)

    def report(self) -> Report | None:
        """There is nothing to say."""
        return None


@dataclass(slots=True)
class Held:
    """One lease of ours.

    Attributes:
        since: When its last renewal was asked for.
        unanswered: When the first one after that was asked for of which nobody knows what came; None: there is none.
        fence: None until the database knows of it.
    """

    revision: int
    since: float
    unanswered: float | None = None
    fence: int | None = None


class Leases:
    """The shards of this process. `gained` and `lost` start and stop what runs for them."""

    def __init__(
        self,
        bus: Bus,
        system: Database,
        worker: str,
        *,
        gained: Callable[[Mapping[int, int]], Awaitable[None]],
        lost: Callable[[Iterable[int]], Awaitable[None]],
        load: Load | None = None,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        ends_itself_at: float = ENDS_ITSELF_AT,
        before_end: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Be *worker*.

        Args:
            gained: Gets shards with their fencing tokens; is awaited before they count as served.
            lost: Gets shards whose sessions must stop; the lease is given away when it returns.
            ends_itself_at: The age of a lease, in seconds, at which this process ends.
            before_end: Is called just before, from a thread, with the seconds that it may take: it ends what must not outlive
                this process.
        """
        self._bus, self._system = bus, system
        self._gained, self._lost, self._clock = gained, lost, clock
        self._load: Load = load or Weightless()
        self._me = WorkerEntry(worker=worker, incarnation=uuid4(), capacity=self._load.capacity)
        self._ends_itself_at, self._before_end = ends_itself_at, before_end
        self._look = asyncio.Event()
        self.view = View(self.incarnation, clock, self._look.set)
        self.held: dict[int, Held] = {}
        self._leaving: list[int] = []
        self._releasing: dict[int, int] = {}
        self._handed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._too_heavy = 0
        self._too_early = False

    @property
    def incarnation(self) -> UUID:
        """This very process."""
        return self._me.incarnation

    @property
    def others(self) -> list[WorkerEntry]:
        """Every other living worker."""
        return [entry for name, entry in self.view.workers.items() if name != self._me.worker]

    def fence(self, shard: int) -> int | None:
        """Give the fencing token of a shard; None when it is not ours."""
        held = self.held.get(shard)
        return None if held is None or shard in self._releasing else held.fence

    async def confirm(self, shard: int) -> bool:
        """Ask the bucket whether the lease is ours right now.  Raises: BusAway."""
        entry = await self._shards.get(str(shard), timeout=RENEW_TIMEOUT)
        return entry is not None and read_lease(entry.value).incarnation == self.incarnation

    def recycle(self) -> None:
        """Say that this process is about to end because it has grown too large, so that no other does so meanwhile."""
        self._me = msgspec.structs.replace(self._me, recycling=True)

    async def run(self, stopping: asyncio.Event) -> None:
        """Hold what is ours until *stopping*; then hand everything over."""
        self._shards: KeyValue = await self._bus.bucket(buckets.SHARDS)
        self._registry: KeyValue = await self._bus.bucket(buckets.WORKERS)
        guard = threading.Thread(target=self._end_in_time, name="lease-guard", daemon=True)
        guard.start()
        try:
            await self._register()
            await self.view.open(self._bus)
            renewing = asyncio.create_task(self._keep_renewing())
            try:
                while not stopping.is_set():
                    self._look.clear()
                    await self._act()
                    await first(self._look, stopping, timeout=self._pause())
                    await asyncio.sleep(_SETTLE)  # changes come in crowds: look once at all of them
                await self._drain()
            finally:
                renewing.cancel()
        finally:
            await self.view.close()

    def _pause(self) -> float:
        """Give the seconds after which something may be different though nobody said so."""
        if self._too_early:
            return _AGAIN_AFTER
        return max(0.0, min(RENEW_EVERY, self.view.next_end()))

    async def _keep_renewing(self) -> None:
        while True:
            started = self._clock()
            try:
                await asyncio.gather(self._register(), *(self._renew(shard) for shard in list(self.held)))
            except BusAway:
                log.warning("leases.bus_away", shards=len(self.held))
            except Exception as error:
                log.exception("leases.renewal_failed", error=type(error).__name__)  # the guard counts
            await asyncio.sleep(max(0.1, RENEW_EVERY - (self._clock() - started)))

    async def _register(self) -> None:
        room = self._load.room()
        full = room <= 0 or (self._me.full and room < max(self._load.capacity * _ROOM_AGAIN, self._too_heavy))
        self._me = msgspec.structs.replace(self._me, full=full, report=self._load.report())
        await self._registry.put(worker_key(self._me.worker), msgspec.json.encode(self._me), timeout=RENEW_TIMEOUT)

    async def _renew(self, shard: int) -> None:
        held = self.held.get(shard)
        if held is None:
            return
        since = self._clock()
        if since - held.since >= self._ends_itself_at:
            return  # this machine has slept: the guard ends the process, and no renewal may make the lease look young
        if held.unanswered is None:
            held.unanswered = since
        try:
            held.revision = await self._shards.update(str(shard), self._value(held), held.revision, timeout=RENEW_TIMEOUT)
            held.since, held.unanswered = since, None
        except KeyMoved:
            await self._moved(shard, held)
        except BusAway:
            return  # the guard counts

    async def _moved(self, shard: int, held: Held) -> None:
        """Somebody wrote the lease: we ourselves, in a renewal whose answer was lost, or a new owner."""
        try:
            entry = await self._shards.get(str(shard), timeout=RENEW_TIMEOUT)
        except BusAway:
            return
        if self.held.get(shard) is not held:
            return  # given away while we asked
        if entry is not None and read_lease(entry.value).incarnation == self.incarnation:
            # A bus that is slow to answer has renewed all the same, and not before the first of these was asked for.
            if entry.revision != held.revision and held.unanswered is not None:
                held.since = max(held.since, held.unanswered)
            held.revision, held.unanswered = entry.revision, None
            return
        log.warning("leases.lost", shard=shard)
        self.held.pop(shard, None)
        await self._lost([shard])

    async def _act(self) -> None:
        plan = shards.plan(self._me, self.view.workers, self.view.leases, self.held, self.view.orders)
        self._too_early = False
        revisions = {shard: self.view.revision(shard) for shard in plan.take_back if shard not in self.held}
        claims = [self._claim(shard, None) for shard in await self._fitting(plan.claim)]
        claims += [self._claim(shard, revision) for shard, revision in revisions.items()]
        await asyncio.gather(*claims)
        await self._let_in()
        self._leaving = [shard for shard in plan.release if shard not in self._releasing]
        self._hand_over()
        HELD.set(len(self.held))
        UNOWNED.set(len(set(shards.EVERY) - self.view.leases.keys() - self.held.keys()))

    async def _fitting(self, claim: Collection[int]) -> list[int]:
        """Give those of *claim* for whose sessions there is room; with one for which there is none, this worker is full."""
        if not claim:
            return []
        try:
            weights = await self._load.weigh(claim)
        except Exception as error:
            if not (is_away(error) or is_busy(error)):
                raise
            log.warning("leases.database_away", shards=len(claim))
            return []
        room, taken, left = self._load.room(), [], []
        for shard in claim:
            if weights[shard] <= room:
                room -= weights[shard]
                taken.append(shard)
            else:
                left.append(shard)
        if left:
            self._too_heavy = min(weights[shard] for shard in left)
            self._me = msgspec.structs.replace(self._me, full=True)
            log.warning("leases.no_room", shards=len(left), capacity=self._load.capacity)
            try:
                await self._registry.put(worker_key(self._me.worker), msgspec.json.encode(self._me), timeout=RENEW_TIMEOUT)
            except BusAway:
                return taken  # said again with the next renewal
        return taken

    async def _claim(self, shard: int, dead: int | None) -> None:
        """Take a shard that is free, or whose lease at the revision *dead* is of a dead process of our name."""
        since = self._clock()
        value = self._value(None)
        try:
            if dead is None:
                revision = await self._shards.create(str(shard), value, timeout=RENEW_TIMEOUT)
            else:
                revision = await self._shards.update(str(shard), value, dead, timeout=RENEW_TIMEOUT)
        except KeyMoved:
            await self._look_at(shard)
        except BusAway:
            return
        else:
            self.held[shard] = Held(revision, since)
            self.view.forget(shard)

    async def _look_at(self, shard: int) -> None:
        """Somebody was faster, lives after all, or is dead and the bucket has not forgotten him yet: remember who."""
        try:
            entry = await self._shards.get(str(shard), timeout=RENEW_TIMEOUT)
        except BusAway:
            return
        if entry is None:
            self.view.forget(shard)
            self._too_early = True
        elif read_lease(entry.value).incarnation == self.incarnation:  # a claim of ours whose answer was lost
            self.held[shard] = Held(entry.revision, self._clock() - RENEW_TIMEOUT)
            self.view.forget(shard)
        else:
            self.view.found(shard, entry)
            self._too_early = True

    async def _let_in(self) -> None:
        """Make the database know of new claims, and start their sessions."""
        fresh = {shard: held.revision for shard, held in self.held.items() if held.fence is None and shard not in self._releasing}
        if not fresh:
            return
        try:
            async with self._system.system() as tx:
                tokens = await fences.claim(tx, fresh, self._me.worker)
            mine = {shard: fence for shard, fence in tokens.items() if shard in self.held}
            for shard, fence in mine.items():
                self.held[shard].fence = fence
            await self._gained(mine)
        except Exception as error:
            if not (is_away(error) or is_busy(error)):
                raise
            for shard in fresh:
                if shard in self.held:
                    self.held[shard].fence = None
            log.warning("leases.database_away", shards=len(fresh))
        else:
            log.info("leases.gained", shards=len(mine))

    async def reclaim(self, shard: int) -> None:
        """The database says that we were fenced: if the lease is ours all the same, draw a newer token; else let go.  Raises: BusAway."""
        held = self.held.get(shard)
        if held is None or shard in self._releasing:
            return
        if await self.confirm(shard):
            held.fence = None
            self._look.set()
        else:
            self.held.pop(shard, None)
            await self._lost([shard])

    def _hand_over(self) -> None:
        """As many of the leaving shards as may be under way are; each that has arrived makes place for the next.

        With nobody to take them there is nothing to wait for: all go at once.
        """
        takers = shards.candidates(self.others, self.view.orders)
        self._leaving.sort(key=self._load.sessions, reverse=True)  # taken from the end: those without sessions keep nobody waiting
        while self._leaving:
            weight = self._load.sessions(self._leaving[-1])
            under_way = sum(self._releasing.values())
            if takers and under_way and under_way + weight > _HANDED_AT_ONCE:
                return
            shard = self._leaving.pop()
            self._releasing[shard] = weight
            task = asyncio.create_task(self._release(shard, waits=bool(takers and weight)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _release(self, shard: int, *, waits: bool) -> None:
        try:
            await self._lost([shard])
            held = self.held.pop(shard, None)
            if held is not None:
                taken = self.view.awaited(shard)
                await self._give_away(shard, held)
                if waits:
                    await first(taken, timeout=_TAKEN_WITHIN)
        finally:
            self._releasing.pop(shard, None)
            self._handed.set()
            self._hand_over()

    async def _give_away(self, shard: int, held: Held) -> None:
        """Leave nothing under the shard's key. A renewal that was on its way has moved the entry on: then at its new revision."""
        revision = held.revision
        try:
            while True:
                try:
                    await self._shards.delete(str(shard), revision, timeout=RENEW_TIMEOUT)
                    return
                except KeyMoved:
                    entry = await self._shards.get(str(shard), timeout=RENEW_TIMEOUT)
                    if entry is None or entry.revision == revision or read_lease(entry.value).incarnation != self.incarnation:
                        return
                    revision = entry.revision
        except BusAway:
            return  # it dies by itself

    async def _drain(self) -> None:
        """Take nothing more and hand over, so that the next owners need not wait for leases to die."""
        self._me = msgspec.structs.replace(self._me, accepting=False)
        log.info("leases.draining", shards=len(self.held), sessions=sum(map(self._load.sessions, self.held)))
        try:
            await self._register()
        except BusAway:
            log.warning("leases.bus_away", shards=len(self.held))
        while self.held:
            self._handed.clear()
            self._leaving = [shard for shard in self.held if shard not in self._releasing]
            self._hand_over()
            await first(self._handed, self._look, timeout=1.0)
            self._look.clear()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        log.info("leases.drained")
        try:
            await self._registry.delete(worker_key(self._me.worker), timeout=RENEW_TIMEOUT)
        except BusAway:
            return

    def _value(self, held: Held | None) -> bytes:
        fence = held.fence if held is not None and held.fence is not None else 0
        return msgspec.json.encode(LeaseEntry(worker=self._me.worker, incarnation=self.incarnation, fence=fence))

    def _end_in_time(self) -> None:
        """End the process when a lease was not renewed in time: another worker may have the sessions in three seconds."""
        while True:
            oldest = min((held.since for held in list(self.held.values())), default=None)
            age = 0.0 if oldest is None else self._clock() - oldest
            if age >= self._ends_itself_at:
                sys.stderr.write(
                    f"clarin device-worker: a lease is {self._ends_itself_at:g} s old; ending before another worker takes over.\n"
                )
                sys.stderr.flush()
                self._before_end(max(0.0, LIVES - _SPARE - age))
                os._exit(_EX_FENCED)
            time.sleep(0.25)
