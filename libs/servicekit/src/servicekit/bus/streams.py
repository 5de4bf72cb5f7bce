"""Declaring the streams and the buckets; the migrator's user does it, before any service starts."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from contracts import buckets, subjects
from contracts.buckets import Bucket

from servicekit.bus.connection import START, Connection
from servicekit.bus.errors import BusAway, BusRefused

GIB = 1024**3
_STREAM_NOT_FOUND = 10059
_NO_ROOM = 10047
_NO_PEERS = 10005
_FAILED = 500
_NANO = 1_000_000_000


async def declare(
    url: str,
    *,
    events_bytes: int = 2 * GIB,
    commands_bytes: int = GIB // 4,
    dead_bytes: int = GIB // 4,
    replicas: int = 1,
    extra: Iterable[Bucket] = (),
) -> None:
    """Every stream and bucket is there with these settings; what was in them stays.

    The server sets the bytes aside, so together they must fit into what it may use of the disk.

    Raises:
        BusAway: JetStream did not answer within half a minute.
        BusRefused: The disk is too small, a setting cannot be changed, or there are fewer servers than replicas.
    """
    async with Connection.open(url, name="migrator") as connection:
        common = {"storage": "file", "num_replicas": replicas, "allow_direct": True}
        for config in (
            {
                "name": subjects.EVENTS,
                "retention": "limits",
                "discard": "old",
                "max_age": _nanoseconds(timedelta(days=7)),
                "max_bytes": events_bytes,
            },
            # Full, it refuses what is new: the outbox keeps it, where dropping the oldest would lose an order.
            {"name": subjects.COMMANDS, "retention": "workqueue", "discard": "new", "max_bytes": commands_bytes},
            {
                "name": subjects.DLQ,
                "retention": "limits",
                "discard": "old",
                "max_age": _nanoseconds(timedelta(days=30)),
                "max_bytes": dead_bytes,
            },
        ):
            name = str(config["name"])
            window = {"duplicate_window": _nanoseconds(timedelta(minutes=2))}
            await _stream(connection, {"subjects": subjects.STREAMS[name], **common, **window, **config})
        for bucket in (*buckets.EVERY, *extra):
            await _stream(connection, _bucket(bucket, replicas))


def _bucket(bucket: Bucket, replicas: int) -> dict[str, Any]:
    age = _nanoseconds(bucket.ttl) if bucket.ttl else 0
    return {
        "name": f"KV_{bucket.name}",
        "subjects": [f"$KV.{bucket.name}.>"],
        "retention": "limits",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "max_age": age,
        "duplicate_window": min(age or 120 * _NANO, 120 * _NANO),
        "max_bytes": 16 * 1024**2,
        "storage": "file",
        "num_replicas": replicas,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
    }


async def _stream(connection: Connection, config: dict[str, Any]) -> None:
    deadline = asyncio.get_running_loop().time() + START
    while True:
        try:
            await _update_or_create(connection, config)
        except (BusAway, BusRefused) as problem:
            if not _passes(problem) or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return


def _passes(problem: BusAway | BusRefused) -> bool:
    """Tell whether the same may be granted in a moment."""
    if isinstance(problem, BusAway):
        return True
    # A server that listens while its JetStream still reads its files, or still removes those of a stream of that name.
    starting = problem.status == _FAILED and problem.number != _NO_ROOM
    return starting or problem.number == _NO_PEERS  # servers that have not all found each other yet


async def _update_or_create(connection: Connection, config: dict[str, Any]) -> None:
    try:
        await connection.api(f"STREAM.UPDATE.{config['name']}", config)
    except BusRefused as problem:
        if problem.number != _STREAM_NOT_FOUND:
            raise
        await connection.api(f"STREAM.CREATE.{config['name']}", config)


def _nanoseconds(time: timedelta) -> int:
    return int(time.total_seconds()) * _NANO
