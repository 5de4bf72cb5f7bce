"""All workers and all shards as the bus's buckets tell of them, and the orders of who looks after the installation.

An order stands in the bucket of placement, which every worker watches, and outlives the worker that it is about: one that
was told to have no shards has none after a restart either.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec
from contracts import buckets
from contracts.buckets import Bucket
from contracts.errors import Conflict, NotFound
from servicekit.bus import Bus, BusAway
from servicekit.bus.keyvalue import Entry

from device_worker import shards
from device_worker.shards import EVERY, DrainOrder, LeaseEntry, MoveOrder, Orders, WorkerEntry

State = Literal["running", "full", "draining", "drained", "recycling", "ending"]

_TRIES = 5
_READ_WITHIN = 1.0

_lease = msgspec.json.Decoder(LeaseEntry)
_worker = msgspec.json.Decoder(WorkerEntry)
_order = msgspec.json.Decoder(DrainOrder | MoveOrder)


class WorkerMissing(NotFound):
    """There is no such worker."""

    code = "worker-not-found"


class ShardMissing(NotFound):
    """There is no such shard."""

    code = "shard-not-found"


class NoOtherWorker(Conflict):
    """No other worker could take its sessions."""

    code = "no-other-worker"


class WorkerTakesNone(Conflict):
    """The worker takes no shards now."""

    code = "worker-takes-none"


@dataclass(frozen=True, slots=True)
class Worker:
    """One live worker. *shards* are those that it has a lease of."""

    entry: WorkerEntry
    state: State
    shards: int


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard. *owner* None: nobody has it. *renewed_at*: UTC. *moved_to*: who is to have it, where that was ordered."""

    number: int
    owner: str | None = None
    fence: int = 0
    renewed_at: datetime | None = None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """What stood in the buckets at one moment."""

    entries: Mapping[str, WorkerEntry]
    leases: Mapping[int, tuple[LeaseEntry, datetime]]
    orders: Orders

    @classmethod
    async def read(cls, bus: Bus) -> "Fleet":
        """Read the buckets.  Raises: BusAway."""
        registry, leases, orders = [await _entries(bus, bucket) for bucket in (buckets.WORKERS, buckets.SHARDS, buckets.PLACEMENT)]
        workers = [_worker.decode(entry.value) for entry in registry.values() if _lives(entry)]
        given = [_order.decode(entry.value) for entry in orders.values()]
        return cls(
            {entry.worker: entry for entry in workers},
            {int(key): (_lease.decode(entry.value), entry.created) for key, entry in leases.items() if _lives(entry)},
            Orders(
                frozenset(order.worker for order in given if isinstance(order, DrainOrder)),
                {order.shard: order.worker for order in given if isinstance(order, MoveOrder)},
            ),
        )

    @property
    def workers(self) -> list[Worker]:
        """Every live worker, by its name."""
        return [self.worker(name) for name in sorted(self.entries)]

    @property
    def shards(self) -> list[Shard]:
        """All 128."""
        return [self.shard(number) for number in EVERY]

    def worker(self, name: str) -> Worker:
        """Give one worker, by its whole name or by what stands before the volume's id.  Raises: WorkerMissing."""
        known = [entry for id, entry in self.entries.items() if name in (id, id.partition("~")[0])]
        if len(known) != 1:
            raise WorkerMissing("No live worker has this id." if not known else "Several workers are called so: give the whole id.")
        [entry] = known
        count = sum(lease.incarnation == entry.incarnation for lease, _ in self.leases.values())
        return Worker(entry, self._state(entry, count), count)

    def shard(self, number: int) -> Shard:
        """Give one shard.  Raises: ShardMissing."""
        if number not in EVERY:
            raise ShardMissing(f"Shards are numbered from 0 to {EVERY[-1]}.")
        moved = self.orders.moved.get(number)
        if number not in self.leases:
            return Shard(number, moved_to=moved)
        lease, renewed = self.leases[number]
        return Shard(number, lease.worker, lease.fence, renewed, moved)

    def takes(self, name: str) -> bool:
        """Tell whether the worker takes shards."""
        return name in shards.candidates(self.entries.values(), self.orders)

    def _state(self, entry: WorkerEntry, count: int) -> State:
        if entry.recycling:
            return "recycling"
        if not entry.accepting:
            return "ending"
        if entry.worker in self.orders.drained:
            return "draining" if count else "drained"
        return "full" if entry.full else "running"


async def drain(bus: Bus, name: str) -> Worker:
    """The worker gives its shards to the others, a few at a time, and takes none.  Raises: WorkerMissing, NoOtherWorker, BusAway."""
    fleet = await Fleet.read(bus)
    worker = fleet.worker(name)
    id = worker.entry.worker
    if id not in fleet.orders.drained:
        if not any(fleet.takes(other) for other in fleet.entries if other != id):
            raise NoOtherWorker("Start another worker first, or one with room.")
        await (await bus.bucket(buckets.PLACEMENT)).put(_worker_key(id), msgspec.json.encode(DrainOrder(worker=id)))
        fleet = await Fleet.read(bus)
    return fleet.worker(id)


async def undrain(bus: Bus, name: str) -> Worker:
    """The worker takes its share again.  Raises: WorkerMissing, BusAway."""
    fleet = await Fleet.read(bus)
    id = fleet.worker(name).entry.worker
    if id in fleet.orders.drained:
        await (await bus.bucket(buckets.PLACEMENT)).delete(_worker_key(id))
        fleet = await Fleet.read(bus)
    return fleet.worker(id)


async def move(bus: Bus, number: int, name: str | None) -> Shard:
    """The shard goes to the worker and stays there while that takes any; None: where it would be by itself.

    Raises:
        ShardMissing, WorkerMissing, BusAway:
        WorkerTakesNone: It is full, or ends, or was told to have none.
    """
    fleet = await Fleet.read(bus)
    fleet.shard(number)
    placement = await bus.bucket(buckets.PLACEMENT)
    if name is None:
        await placement.delete(f"shard.{number}")
    else:
        id = fleet.worker(name).entry.worker
        if not fleet.takes(id):
            raise WorkerTakesNone("It is full, ends, or was told to have none.")
        await placement.put(f"shard.{number}", msgspec.json.encode(MoveOrder(shard=number, worker=id)))
    return (await Fleet.read(bus)).shard(number)


async def _entries(bus: Bus, bucket: Bucket) -> dict[str, Entry]:
    """Read a whole bucket. One that is written to all the time may take more than one try: what is replaced meanwhile leaves a gap."""
    found = await bus.bucket(bucket)
    for _ in range(_TRIES):
        with contextlib.suppress(BusAway):
            return await found.entries(timeout=_READ_WITHIN)
    return await found.entries(timeout=_READ_WITHIN)


def _lives(entry: Entry) -> bool:
    """Tell whether the entry is younger than its bucket lets it grow, which is a little later than it should."""
    return (datetime.now(UTC) - entry.created).total_seconds() < 2 * buckets.WORKERS.ttl.total_seconds() if buckets.WORKERS.ttl else True


def _worker_key(worker: str) -> str:
    return f"worker.{worker.replace('.', '_').replace('~', '/')}"
