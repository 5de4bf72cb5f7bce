"""Who should own which shard: decisions only, no I/O.

Every worker decides for itself from the same three maps: the live workers, the leases, and what the installation's owner
ordered. The wanted owner of a shard is the live worker with the highest score of (worker, shard), weighted by what each
can carry, so that a worker that comes or goes moves its own share and nobody else's.
"""

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from types import MappingProxyType
from uuid import UUID

import msgspec

SHARDS = 128
EVERY = range(SHARDS)
#: Sessions that a worker of a version that does not tell is taken to carry.
CAPACITY = 400


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself to whoever looks after the fleet; no decision hangs on it.

    Attributes:
        sessions: How many sessions stand where (`DeviceState`).
        connects: Of the way to WhatsApp: ``open``, ``probing`` or ``away`` (see `pacing.Breaker`).
        rss_mb: Of the worker and its host together, as `threads` and `files` are.
        db_connections: To whatsmeow's database and to ours.
        inbound, outbound: Messages a second, over the last report's time.
        loss_windows: Times at which something that WhatsApp had counted as delivered may have been lost, by cause.
    """

    version: str = ""
    started_at: datetime | None = None
    sessions: dict[str, int] = {}
    connects: str = "open"
    waiting: int = 0
    rss_mb: float = 0.0
    threads: int = 0
    files: int = 0
    db_connections: int = 0
    journal_bytes: int = 0
    sends_waiting: int = 0
    sends_oldest_seconds: float = 0.0
    inbound: float = 0.0
    outbound: float = 0.0
    loss_windows: dict[str, int] = {}


class WorkerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself in the bucket of workers.

    Attributes:
        incarnation: This very process; a restart is another.
        accepting: False while it ends: it takes nothing more and gives away what it has.
        full: It holds as many sessions as it may: it keeps what it has.
        capacity: How many sessions it may hold: its weight.
        recycling: It gives everything away in order to start anew, because it has grown too large.
        room: How many more sessions it may hold; None where its version does not tell.
    """

    worker: str
    incarnation: UUID
    accepting: bool = True
    full: bool = False
    capacity: int = CAPACITY
    recycling: bool = False
    room: int | None = None
    report: Report | None = None

    def stands_as(self, other: "WorkerEntry") -> bool:
        """Tell whether *other* means the same for who should own what."""
        return msgspec.structs.replace(self, report=None, room=None) == msgspec.structs.replace(other, report=None, room=None)


class LeaseEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a shard's lease.

    Attributes:
        fence: The revision of the claim; renewals keep it.
        served: Its sessions are up again, as far as they can be: who gave the shard away may give the next.
    """

    worker: str
    incarnation: UUID
    fence: int = 0
    served: bool = False


class DrainOrder(msgspec.Struct, frozen=True, kw_only=True, tag="drain"):
    """The worker is to have no shards; its process goes on."""

    worker: str


class MoveOrder(msgspec.Struct, frozen=True, kw_only=True, tag="move"):
    """The shard is to be the worker's for as long as that lives and takes any."""

    shard: int
    worker: str


@dataclass(frozen=True, slots=True)
class Orders:
    """What the installation's owner wants: workers without shards, and shards by hand."""

    drained: frozenset[str] = frozenset()
    moved: Mapping[int, str] = field(default_factory=dict)


NOTHING: frozenset[int] = frozenset()
NO_ORDERS = Orders()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now.

    Attributes:
        claim: Free, and to be taken if there is room for it.
        take_back: Left by a dead incarnation of ours.
        release: To be given away.
        adopt: Free, and no worker has room: to be taken all the same, so that somebody tells its numbers that they wait.
    """

    claim: frozenset[int]
    take_back: frozenset[int]
    release: frozenset[int]
    adopt: frozenset[int] = NOTHING


def shard_of(device: UUID) -> int:
    """Name the shard of a device: for good, so it may stand in a table."""
    return zlib.crc32(device.bytes) % SHARDS


def wanted_owner(shard: int, workers: Mapping[str, int], moved: str | None = None) -> str | None:
    """Name who of *workers*, each with its weight, should have the shard; None when there is nobody.

    Args:
        moved: Who is to have it whatever the scores say, if it is one of them.
    """
    if moved in workers:
        return moved
    return max(workers, key=lambda worker: (_score(worker, shard, workers[worker]), worker), default=None)


def candidates(workers: Iterable[WorkerEntry], orders: Orders = NO_ORDERS, *, full: bool = False) -> dict[str, int]:
    """Give those of *workers* that take shards, each with its weight; those that are *full* too, where that is no reason."""
    return {
        entry.worker: max(entry.capacity, 1)
        for entry in workers
        if entry.accepting and (full or not entry.full) and entry.worker not in orders.drained
    }


def plan(
    me: WorkerEntry,
    workers: Mapping[str, WorkerEntry],
    leases: Mapping[int, LeaseEntry],
    held: Iterable[int],
    orders: Orders = NO_ORDERS,
    crowded: Mapping[int, int] = MappingProxyType({}),
) -> Plan:
    """Decide for the worker *me*.

    Args:
        workers: Every live worker by its name; what it says of *me* is not looked at, *me* is.
        leases: The lease of every shard that has one.
        held: The shards that this incarnation holds.
        crowded: Those of them in which numbers wait for room, each with the sessions that it would bring elsewhere.
    """
    held = frozenset(held)
    if not me.accepting:
        return Plan(NOTHING, NOTHING, held)
    others = [entry for name, entry in workers.items() if name != me.worker]
    able = candidates([me, *others], orders)
    mine = _share(me.worker, able, orders)
    take_back = {shard for shard, lease in leases.items() if lease.worker == me.worker and lease.incarnation != me.incarnation}
    claim = {shard for shard in mine if shard not in leases and shard not in held}
    if me.worker in orders.drained:
        # With nobody to give them to, they stay where they are served.
        return Plan(NOTHING, frozenset(take_back), held if able else NOTHING)
    if me.full:
        # It keeps its shards, since nobody is served by moving them to and fro; but what was moved by hand goes, and where
        # numbers wait for room, to who has it.
        moved = {shard for shard in held if orders.moved.get(shard) in able}
        adopt = NOTHING
        if not able:
            adopt = _share(me.worker, candidates([me, *others], orders, full=True), orders) - leases.keys() - held
        return Plan(
            NOTHING, frozenset(take_back), held & (moved | _fitting(crowded, (entry for entry in others if entry.worker in able))), adopt
        )
    return Plan(frozenset(claim), frozenset(take_back), held - mine)


def _share(me: str, able: Mapping[str, int], orders: Orders) -> frozenset[int]:
    return frozenset(shard for shard in EVERY if wanted_owner(shard, able, orders.moved.get(shard)) == me) if me in able else NOTHING


def _fitting(crowded: Mapping[int, int], others: Iterable[WorkerEntry]) -> set[int]:
    """Give those of *crowded* that one of *others* has room for; who says that it has none passes them on to who has."""
    room = max((entry.capacity if entry.room is None else entry.room for entry in others), default=0)
    found = set()
    for shard, weight in sorted(crowded.items(), key=lambda item: item[1]):
        if weight <= room:
            room -= weight
            found.add(shard)
    return found


def _score(worker: str, shard: int, weight: int) -> float:
    """Score by weighted rendezvous hashing: twice the weight gets twice the shards, and only those move that must."""
    hashed = int.from_bytes(blake2b(f"{worker}\0{shard}".encode(), digest_size=7).digest())
    return -weight / math.log((hashed + 1) / (2**56 + 1))
