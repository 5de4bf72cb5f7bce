"""Who should own which shard: decisions only, no I/O.

Every worker decides for itself from the same two maps, the live workers and the leases. The wanted owner of a shard is
the live worker with the highest hash of (worker, shard), so that a worker that comes or goes moves its own share and
nobody else's.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

import msgspec

SHARDS = 128
EVERY = range(SHARDS)


class WorkerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself in the bucket of workers.

    Attributes:
        incarnation: This very process; a restart is another.
        accepting: False while it drains: it takes nothing more and gives away what it has.
        full: It holds as many sessions as it may: it keeps what it has.
    """

    worker: str
    incarnation: UUID
    accepting: bool = True
    full: bool = False


class LeaseEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a shard's lease. *fence* is the revision of the claim; renewals keep it."""

    worker: str
    incarnation: UUID
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now: take what is free, take back what a dead incarnation of ours left, give away the rest."""

    claim: frozenset[int]
    take_back: frozenset[int]
    release: frozenset[int]


def shard_of(device: UUID) -> int:
    """Name the shard of a device: for good, so it may stand in a table."""
    return zlib.crc32(device.bytes) % SHARDS


def wanted_owner(shard: int, workers: Iterable[str]) -> str | None:
    """Name who of *workers* should have the shard; None when there is nobody."""
    return max(workers, key=lambda worker: (_score(worker, shard), worker), default=None)


def plan(me: WorkerEntry, workers: Mapping[str, WorkerEntry], leases: Mapping[int, LeaseEntry], held: Iterable[int]) -> Plan:
    """Decide for the worker *me*.

    Args:
        workers: Every live worker by its name; what it says of *me* is not looked at, *me* is.
        leases: The lease of every shard that has one.
        held: The shards that this incarnation holds.
    """
    held = frozenset(held)
    if not me.accepting:
        return Plan(frozenset(), frozenset(), held)
    others = {name for name, entry in workers.items() if name != me.worker and entry.accepting and not entry.full}
    candidates = others if me.full else others | {me.worker}
    mine = {shard for shard in EVERY if wanted_owner(shard, candidates) == me.worker}
    take_back = {shard for shard, lease in leases.items() if lease.worker == me.worker and lease.incarnation != me.incarnation}
    claim = {shard for shard in mine if shard not in leases and shard not in held}
    # A full worker keeps its shards: nobody is served by moving them to and fro.
    release = frozenset() if me.full else held - mine
    return Plan(frozenset(claim), frozenset(take_back), release)


def _score(worker: str, shard: int) -> bytes:
    return blake2b(f"{worker}\0{shard}".encode(), digest_size=8).digest()
