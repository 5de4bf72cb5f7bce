"""Holding shards: the leases in the bus's bucket, kept by compare-and-set, given up in time.

The accident to prevent is two workers with the same session. So a lease is renewed every 2 s and dies in the bucket after
15; a worker whose oldest lease has not been renewed for 12 s ends itself, from a thread of its own, because the event loop
may be what hangs. The age counts from before the request, on a clock that goes on while the machine sleeps. And what a
worker writes for a shard carries the fencing token of its claim, which the database checks (`store.fences`).

A restart does not wait for those 15 s. A worker keeps its name on its volume, and holds a lock there while it lives; who
has the lock knows that the former process of that name is dead, and takes its leases back at once.
"""

import asyncio
import contextlib
import fcntl
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import structlog
from contracts import buckets
from servicekit.bus import Bus, BusAway, KeyMoved
from servicekit.bus.keyvalue import Entry, KeyValue, Watch
from servicekit.db import Database, is_away, is_busy
from servicekit.timers import first

from device_worker import shards
from device_worker.shards import LeaseEntry, WorkerEntry
from device_worker.store import fences

RENEW_EVERY = 2.0
RENEW_TIMEOUT = 1.5
LIVES = 15.0
ENDS_ITSELF_AT = 12.0
_EX_FENCED = 70
_SETTLE = 0.05
_ON_ITS_WAY_OUT = 1.5
VOLUME_PATIENCE = timedelta(seconds=30)

log = structlog.get_logger()

_lease = msgspec.json.Decoder(LeaseEntry)
_worker = msgspec.json.Decoder(WorkerEntry)


class VolumeTaken(Exception):
    """Another living process has this worker's name and volume."""


def own_volume(folder: Path, name: str | None, *, patience: timedelta = VOLUME_PATIENCE) -> tuple[str, int]:
    """Make sure that no other living process is this worker on this volume; give what it is called on the bus, and the lock to keep.

    The volume's own id is part of that: two processes that were given one name by mistake, on two volumes, are two
    workers, and neither takes the other for dead. Without a *name* the first of ``worker-1``, ``worker-2``… is taken
    whose lock is free.

    Raises:
        VolumeTaken: A living process has kept the name for longer than *patience*.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    started = time.monotonic()
    until = started + patience.total_seconds()
    number = 1
    while time.monotonic() < until:
        fd = os.open(folder / f"{name or f'worker-{number}'}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            if name is None and time.monotonic() - started >= _ON_ITS_WAY_OUT:
                number += 1
            else:  # a predecessor, or its host, may be on its way out
                time.sleep(0.05)
            continue
        return f"{name or f'worker-{number}'}~{_volume_id(folder)}", fd
    raise VolumeTaken(f"Another process is {name or 'every worker'} on this volume.")


def _volume_id(folder: Path) -> str:
    """Read the volume's id, which the first process there has made up."""
    file = folder / "volume"
    if not file.exists():
        mine = folder / f"volume.{uuid4()}"
        mine.write_text(uuid4().hex[:12])
        with contextlib.suppress(FileExistsError):
            os.link(mine, file)  # whole or not at all, and never over another's
        mine.unlink()
    return file.read_text()


@dataclass(slots=True)
class Held:
    """One lease of ours. *since* is when its last renewal was asked for; *fence* is None until the database knows of it."""

    revision: int
    since: float
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
        full: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        ends_itself_at: float = ENDS_ITSELF_AT,
        before_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Be *worker*.

        Args:
            gained: Gets shards with their fencing tokens; is awaited before they count as served.
            lost: Gets shards whose sessions must stop; the lease is given away when it returns.
            ends_itself_at: The age of a lease, in seconds, at which this process ends.
            before_end: Is called just before, from a thread: it ends what must not outlive this process.
        """
        self._bus, self._system = bus, system
        self._gained, self._lost, self._full, self._clock = gained, lost, full, clock
        self._me = WorkerEntry(worker=worker, incarnation=uuid4())
        self._ends_itself_at, self._before_end = ends_itself_at, before_end
        self.held: dict[int, Held] = {}
        self._leases: dict[int, tuple[LeaseEntry, int, float]] = {}
        self._workers: dict[str, tuple[WorkerEntry, float]] = {}
        self._look = asyncio.Event()
        self._releasing: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def incarnation(self) -> UUID:
        """This very process."""
        return self._me.incarnation

    def fence(self, shard: int) -> int | None:
        """Give the fencing token of a shard; None when it is not ours."""
        held = self.held.get(shard)
        return None if held is None or shard in self._releasing else held.fence

    async def confirm(self, shard: int) -> bool:
        """Ask the bucket whether the lease is ours right now.  Raises: BusAway."""
        entry = await self._shards.get(str(shard), timeout=RENEW_TIMEOUT)
        return entry is not None and _lease.decode(entry.value).incarnation == self.incarnation

    async def run(self, stopping: asyncio.Event) -> None:
        """Hold what is ours until *stopping*; then stop the sessions and give every lease away."""
        self._shards: KeyValue = await self._bus.bucket(buckets.SHARDS)
        self._registry: KeyValue = await self._bus.bucket(buckets.WORKERS)
        guard = threading.Thread(target=self._end_in_time, name="lease-guard", daemon=True)
        guard.start()
        watches: list[Watch] = []
        try:
            await self._register()
            watches = [await self._registry.watch(self._on_worker), await self._shards.watch(self._on_lease)]
            renewing = asyncio.create_task(self._keep_renewing())
            try:
                while not stopping.is_set():
                    self._look.clear()
                    await self._act()
                    await first(self._look, stopping, timeout=RENEW_EVERY)
                    await asyncio.sleep(_SETTLE)  # changes come in crowds: look once at all of them
                await self._drain()
            finally:
                renewing.cancel()
        finally:
            for watch in watches:
                await watch.close()

    async def _keep_renewing(self) -> None:
        while True:
            started = self._clock()
            try:
                await asyncio.gather(self._register(), *(self._renew(shard) for shard in list(self.held)))
            except BusAway:
                log.warning("leases.bus_away", shards=len(self.held))
            except Exception as error:
                log.exception("leases.renewal_failed", error=type(error).__name__)  # the guard counts
            self._look.set()
            await asyncio.sleep(max(0.1, RENEW_EVERY - (self._clock() - started)))

    async def _register(self) -> None:
        me = msgspec.structs.replace(self._me, full=self._full())
        self._me = me
        await self._registry.put(_key(me.worker), msgspec.json.encode(me), timeout=RENEW_TIMEOUT)

    async def _renew(self, shard: int) -> None:
        held = self.held.get(shard)
        if held is None:
            return
        since = self._clock()
        try:
            held.revision = await self._shards.update(str(shard), self._value(held), held.revision, timeout=RENEW_TIMEOUT)
            held.since = since
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
        if entry is not None and _lease.decode(entry.value).incarnation == self.incarnation:
            held.revision = entry.revision
            return
        log.warning("leases.lost", shard=shard)
        self.held.pop(shard, None)
        await self._lost([shard])

    async def _act(self) -> None:
        now = self._clock()
        workers = {name: entry for name, (entry, heard) in self._workers.items() if now - heard < LIVES}
        known = {shard: entry for shard, (entry, _, heard) in self._leases.items() if now - heard < LIVES}
        plan = shards.plan(self._me, workers, known, self.held)
        revisions = {shard: self._leases[shard][1] for shard in plan.take_back if shard not in self.held}
        claims = [self._claim(shard, None) for shard in plan.claim]
        claims += [self._claim(shard, revision) for shard, revision in revisions.items()]
        await asyncio.gather(*claims)
        await self._let_in()
        if release := [shard for shard in plan.release if shard not in self._releasing]:
            self._releasing.update(release)
            task = asyncio.create_task(self._release(release))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

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

    async def _look_at(self, shard: int) -> None:
        """Somebody was faster, or lives after all: remember who."""
        try:
            entry = await self._shards.get(str(shard), timeout=RENEW_TIMEOUT)
        except BusAway:
            return
        if entry is None:
            self._leases.pop(shard, None)
            return
        lease = _lease.decode(entry.value)
        if lease.incarnation == self.incarnation:  # a claim of ours whose answer was lost
            self.held[shard] = Held(entry.revision, self._clock() - RENEW_TIMEOUT)
        else:
            self._leases[shard] = (lease, entry.revision, self._clock())

    async def _let_in(self) -> None:
        """Make the database know of new claims, and start their sessions."""
        fresh = {shard: held.revision for shard, held in self.held.items() if held.fence is None}
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

    async def _release(self, some: list[int]) -> None:
        try:
            await self._lost(some)
            for shard in some:
                held = self.held.pop(shard, None)
                if held is not None:
                    self._leases.pop(shard, None)
                    await self._give_away(shard, held)
            log.info("leases.released", shards=len(some))
        finally:
            self._releasing.difference_update(some)

    async def _give_away(self, shard: int, held: Held) -> None:
        try:
            await self._shards.delete(str(shard), held.revision, timeout=RENEW_TIMEOUT)
        except (KeyMoved, BusAway):
            return  # it dies by itself

    async def _drain(self) -> None:
        """Take nothing more, stop everything, hand over: the next owner need not wait for a lease to die."""
        self._me = msgspec.structs.replace(self._me, accepting=False)
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        some = list(self.held)
        self._releasing.update(some)
        await self._lost(some)
        held, self.held = self.held, {}
        await asyncio.gather(*(self._give_away(shard, lease) for shard, lease in held.items()))
        try:
            await self._registry.delete(_key(self._me.worker), timeout=RENEW_TIMEOUT)
        except BusAway:
            return

    async def _on_lease(self, key: str, entry: Entry | None) -> None:
        shard = int(key)
        if entry is None:
            self._leases.pop(shard, None)
            self._look.set()
            return
        lease = _lease.decode(entry.value)
        if lease.incarnation == self.incarnation:
            self._leases.pop(shard, None)
            return
        if self._leases.get(shard, (None,))[0] != lease:
            self._look.set()
        self._leases[shard] = (lease, entry.revision, self._clock())

    async def _on_worker(self, key: str, entry: Entry | None) -> None:
        if entry is None:
            self._workers = {name: known for name, known in self._workers.items() if _key(name) != key}
            self._look.set()
            return
        worker = _worker.decode(entry.value)
        if self._workers.get(worker.worker, (None,))[0] != worker:
            self._look.set()
        self._workers[worker.worker] = (worker, self._clock())

    def _value(self, held: Held | None) -> bytes:
        fence = held.fence if held is not None and held.fence is not None else 0
        return msgspec.json.encode(LeaseEntry(worker=self._me.worker, incarnation=self.incarnation, fence=fence))

    def _end_in_time(self) -> None:
        """End the process when a lease was not renewed in time: another worker may have the sessions in three seconds."""
        while True:
            oldest = min((held.since for held in list(self.held.values())), default=None)
            if oldest is not None and self._clock() - oldest >= self._ends_itself_at:
                sys.stderr.write(
                    f"clarin device-worker: a lease is {self._ends_itself_at:g} s old; ending before another worker takes over.\n"
                )
                sys.stderr.flush()
                self._before_end()
                os._exit(_EX_FENCED)
            time.sleep(0.25)


def _key(worker: str) -> str:
    """Write a worker's name as a key of the bucket."""
    return worker.replace(".", "_").replace("~", "/")
