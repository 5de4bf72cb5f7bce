"""The leases of this process: claimed, renewed, and given to who should have them."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
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
from device_worker.leases.handing import Handing
from device_worker.leases.held import ENDS_ITSELF_AT, Held, end_in_time
from device_worker.leases.load import Load, Weightless
from device_worker.leases.view import View, read_lease, worker_key
from device_worker.shards import LeaseEntry, WorkerEntry
from device_worker.store import fences

RENEW_EVERY = 2.0
RENEW_TIMEOUT = 1.5
_SETTLE = 0.02
#: After a claim that came too early: the bucket forgets a dead lease a little later than we do.
_AGAIN_AFTER = 0.25
_TRIES = 3
#: A worker that was full takes sessions again when so much of its room is free.
_ROOM_AGAIN = 0.1

UNOWNED = Gauge("clarin_devices_shards_unowned", "Shards that no worker has; more than 0 for a minute: no worker lives that takes any.")
HELD = Gauge("clarin_devices_shards_held", "Shards of this worker.")

log = structlog.get_logger()


class Leases:
    """The shards of this process. `gained` and `lost` start and stop what runs for them."""

    def __init__(
        self,
        bus: Bus,
        system: Database,
        worker: str,
        *,
        gained: Callable[[Mapping[int, int], Collection[int]], Awaitable[None]],
        lost: Callable[[Iterable[int]], Awaitable[None]],
        load: Load | None = None,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        ends_itself_at: float = ENDS_ITSELF_AT,
        before_end: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Be *worker*.

        Args:
            gained: Gets shards with their fencing tokens, and those of them that were given away and not lost; is awaited before
                they count as served.
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

    @property
    def _takers(self) -> bool:
        return bool(shards.candidates(self.others, self.view.orders))

    def fence(self, shard: int) -> int | None:
        """Give the fencing token of a shard; None when it is not ours."""
        held = self.held.get(shard)
        return None if held is None or shard in self._handing else held.fence

    async def confirm(self, shard: int) -> bool:
        """Ask the bucket whether the lease is ours right now.  Raises: BusAway."""
        entry = await self._shards.get(str(shard), timeout=RENEW_TIMEOUT)
        return entry is not None and read_lease(entry.value).incarnation == self.incarnation

    def came_up(self, shard: int) -> None:
        """Tell who gave *shard* away that it is served, if all of it is."""
        held = self.held.get(shard)
        if held is None or held.served or held.fence is None or not self._load.up(shard):
            return
        held.served = True
        if held.given:
            self._start(self._say_served(shard, held))

    def recycle(self) -> None:
        """Say that this process is about to end because it has grown too large, so that no other does so meanwhile."""
        self._me = msgspec.structs.replace(self._me, recycling=True)

    async def run(self, stopping: asyncio.Event) -> None:
        """Hold what is ours until *stopping*; then hand everything over."""
        self._shards: KeyValue = await self._bus.bucket(buckets.SHARDS)
        self._registry: KeyValue = await self._bus.bucket(buckets.WORKERS)
        self._handing = Handing(self._shards, self.held, self.view, self._load, self._lost)
        guard = (self.held, self._clock, self._ends_itself_at, self._before_end)
        threading.Thread(target=end_in_time, args=guard, name="lease-guard", daemon=True).start()
        try:
            # In this order: what others give away because we are there is seen to have been given.
            await self.view.open(self._bus)
            await self._register()
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
            self._handing.abandon()
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
        self._me = msgspec.structs.replace(self._me, full=full, room=max(room, 0), report=self._load.report())
        await self._registry.put(worker_key(self._me.worker), msgspec.json.encode(self._me), timeout=RENEW_TIMEOUT)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _say_served(self, shard: int, held: Held) -> None:
        for _ in range(_TRIES):  # a renewal may be on its way that says otherwise still
            if await self._renew(shard) or self.held.get(shard) is not held:
                return

    async def _renew(self, shard: int) -> bool:
        """Renew one lease; True when that is certain."""
        held = self.held.get(shard)
        if held is None:
            return False
        since = self._clock()
        if since - held.since >= self._ends_itself_at:
            return False  # this machine has slept: the guard ends the process, and no renewal may make the lease look young
        if held.unanswered is None:
            held.unanswered = since
        try:
            held.revision = await self._shards.update(str(shard), self._value(held), held.revision, timeout=RENEW_TIMEOUT)
            held.since, held.unanswered = since, None
        except KeyMoved:
            await self._moved(shard, held)
        except BusAway:
            pass  # the guard counts
        else:
            return True
        return False

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
        plan = shards.plan(self._me, self.view.workers, self.view.leases, self.held, self.view.orders, self._load.crowded())
        self._too_early = False
        revisions = {shard: self.view.revision(shard) for shard in plan.take_back if shard not in self.held}
        claims = [self._claim(shard, None) for shard in (*await self._fitting(plan.claim), *plan.adopt)]
        claims += [self._claim(shard, revision) for shard, revision in revisions.items()]
        await asyncio.gather(*claims)
        await self._let_in()
        self._handing.give(plan.release, takers=self._takers)
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
            self.held[shard] = Held(revision, since, given=dead is None and self.view.was_given(shard))
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
        fresh = {shard: held.revision for shard, held in self.held.items() if held.fence is None and shard not in self._handing}
        if not fresh:
            return
        try:
            async with self._system.system() as tx:
                tokens = await fences.claim(tx, fresh, self._me.worker)
            mine = {shard: fence for shard, fence in tokens.items() if shard in self.held}
            for shard, fence in mine.items():
                self.held[shard].fence = fence
            await self._gained(mine, {shard for shard in mine if self.held[shard].given})
        except Exception as error:
            if not (is_away(error) or is_busy(error)):
                raise
            for shard in fresh:
                if shard in self.held:
                    self.held[shard].fence = None
            log.warning("leases.database_away", shards=len(fresh))
        else:
            log.info("leases.gained", shards=len(mine))
            for shard in mine:
                self.came_up(shard)

    async def reclaim(self, shard: int) -> None:
        """The database says that we were fenced: if the lease is ours all the same, draw a newer token; else let go.  Raises: BusAway."""
        held = self.held.get(shard)
        if held is None or shard in self._handing:
            return
        if await self.confirm(shard):
            held.fence = None
            self._look.set()
        else:
            self.held.pop(shard, None)
            await self._lost([shard])

    async def _drain(self) -> None:
        """Take nothing more and hand over, so that the next owners need not wait for leases to die."""
        self._me = msgspec.structs.replace(self._me, accepting=False)
        log.info("leases.draining", shards=len(self.held), sessions=sum(map(self._load.sessions, self.held)))
        try:
            await self._register()
        except BusAway:
            log.warning("leases.bus_away", shards=len(self.held))
        while self.held:
            self._handing.gone.clear()
            self._handing.give(self.held, takers=self._takers)
            await first(self._handing.gone, self._look, timeout=1.0)
            self._look.clear()
        await self._handing.end()
        log.info("leases.drained")
        try:
            await self._registry.delete(worker_key(self._me.worker), timeout=RENEW_TIMEOUT)
        except BusAway:
            return

    def _value(self, held: Held | None) -> bytes:
        fence = held.fence if held is not None and held.fence is not None else 0
        served = held is not None and held.served
        return msgspec.json.encode(LeaseEntry(worker=self._me.worker, incarnation=self.incarnation, fence=fence, served=served))
