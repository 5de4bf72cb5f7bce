"""What the others say, as far as it was heard: workers, leases, and the orders of the installation's owner."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import msgspec
import structlog
from contracts import buckets
from servicekit.bus import Bus
from servicekit.bus.keyvalue import Entry, Watch

from device_worker.shards import DrainOrder, LeaseEntry, MoveOrder, Orders, WorkerEntry

log = structlog.get_logger()

LIVES = 15.0

read_lease = msgspec.json.Decoder(LeaseEntry).decode
read_worker = msgspec.json.Decoder(WorkerEntry).decode
read_order = msgspec.json.Decoder(DrainOrder | MoveOrder).decode


def worker_key(worker: str) -> str:
    """Write a worker's name as a key of the bucket."""
    return worker.replace(".", "_").replace("~", "/")


class View:
    """Follows the buckets. An entry dies 15 s after it was last written, which nobody is told: its time is counted here."""

    def __init__(self, incarnation: UUID, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        """Be the view of *incarnation*, whose own leases are not in it; call *changed* when something means a new decision."""
        self.incarnation, self._clock, self._changed = incarnation, clock, changed
        self._leases: dict[int, tuple[LeaseEntry, int, float]] = {}
        self._workers: dict[str, tuple[WorkerEntry, float]] = {}
        self._drained: dict[str, str] = {}
        self._moved: dict[str, MoveOrder] = {}
        self._awaited: dict[int, asyncio.Event] = {}
        self._given: set[int] = set()
        self._opened = False
        self._watches: list[Watch] = []

    async def open(self, bus: Bus) -> None:
        """Everything that stands there is known, and changes are followed.  Raises: BusAway."""
        for bucket, handler in ((buckets.WORKERS, self._on_worker), (buckets.PLACEMENT, self._on_order), (buckets.SHARDS, self._on_lease)):
            self._watches.append(await (await bus.bucket(bucket)).watch(handler))
        self._opened = True

    async def close(self) -> None:
        """Nothing is followed any more."""
        for watch in self._watches:
            await watch.close()
        self._watches.clear()

    @property
    def workers(self) -> dict[str, WorkerEntry]:
        """Every live worker, by its name."""
        now = self._clock()
        return {name: entry for name, (entry, heard) in self._workers.items() if now - heard < LIVES}

    @property
    def leases(self) -> dict[int, LeaseEntry]:
        """The living leases of other processes, by shard."""
        now = self._clock()
        return {shard: entry for shard, (entry, _, heard) in self._leases.items() if now - heard < LIVES}

    @property
    def orders(self) -> Orders:
        """What the installation's owner wants."""
        return Orders(frozenset(self._drained.values()), {order.shard: order.worker for order in self._moved.values()})

    def revision(self, shard: int) -> int:
        """Give the revision of a lease that is known.  Raises: KeyError."""
        return self._leases[shard][1]

    def was_given(self, shard: int) -> bool:
        """Tell whether its last owner gave *shard* away, while we were watching."""
        return shard in self._given

    def awaited(self, shard: int) -> asyncio.Event:
        """Forget who had *shard*; what is given is set when another process serves it."""
        self._leases.pop(shard, None)
        return self._awaited.setdefault(shard, asyncio.Event())

    def next_end(self) -> float:
        """Give the seconds until the next entry dies, unless it is renewed; 15 at most."""
        now = self._clock()
        ages = [now - heard for _, _, heard in self._leases.values()] + [now - heard for _, heard in self._workers.values()]
        return min((LIVES - age for age in ages if age < LIVES), default=LIVES)

    def found(self, shard: int, entry: Entry) -> None:
        """A lease was read: another has it. One that we know at this very revision is as old as it was."""
        known = self._leases.get(shard)
        if known is None or known[1] != entry.revision:
            self._leases[shard] = (read_lease(entry.value), entry.revision, self._clock())

    def forget(self, shard: int) -> None:
        """Nobody has a lease of *shard*, or we have it."""
        self._leases.pop(shard, None)

    async def _on_lease(self, key: str, entry: Entry | None) -> None:
        shard = int(key)
        if entry is None:
            self._leases.pop(shard, None)
            if self._opened:
                self._given.add(shard)
            self._changed()
            return
        self._given.discard(shard)
        lease = read_lease(entry.value)
        if lease.incarnation == self.incarnation:
            self._leases.pop(shard, None)
            return
        if self._leases.get(shard, (None,))[0] != lease:
            self._changed()
        self._leases[shard] = (lease, entry.revision, self._clock())
        if lease.served and (awaited := self._awaited.pop(shard, None)) is not None:
            awaited.set()

    async def _on_worker(self, key: str, entry: Entry | None) -> None:
        if entry is None:
            self._workers = {name: known for name, known in self._workers.items() if worker_key(name) != key}
            self._changed()
            return
        worker = read_worker(entry.value)
        known = self._workers.get(worker.worker)
        if known is None or not known[0].stands_as(worker):
            self._changed()
        self._workers[worker.worker] = (worker, self._clock())

    async def _on_order(self, key: str, entry: Entry | None) -> None:
        self._drained.pop(key, None)
        self._moved.pop(key, None)
        if entry is not None:
            match read_order(entry.value):
                case DrainOrder() as order:
                    self._drained[key] = order.worker
                case MoveOrder() as order:
                    self._moved[key] = order
        self._changed()
