"""`clarin restart`: every process, one after the other, each only once the one before is back and whole.

Whoever keeps the processes alive starts again what ends: to restart one is to ask it to end, and to wait.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import chain

import aiohttp
import asyncpg
import msgspec
from device_worker.fleet import Fleet
from redis.asyncio import Redis
from redis.exceptions import RedisError
from servicekit.bus import Bus, BusAway, BusRefused

from clarin.folder import Folder, Running

WITHIN = 90.0
#: Parts in the order of a roll-out: who asks before who answers. Whatever is not named here comes before the workers.
_FIRST, _LAST = ("gateway",), ("worker", "nats", "valkey", "pgbouncer", "postgres")
#: The loopback network stands in for WhatsApp, which no roll-out restarts.
_LEFT = ("sim",)
#: Every other signal lets PostgreSQL wait for its clients, who have no reason to go.
_SIGNALS = {"postgres": signal.SIGINT}

Say = Callable[[str], None]


class NotBack(Exception):
    """A process that was asked to end is not there again, or not whole; nothing more is restarted."""


def kind(name: str) -> str:
    """Tell what *name* is one of."""
    return name.partition("-")[0]


def order(names: Sequence[str]) -> list[str]:
    """Bring processes into the order in which they are restarted."""

    def place(name: str) -> tuple[int, str]:
        if kind(name) in _FIRST:
            return 0, name
        return (2 + _LAST.index(kind(name)) if kind(name) in _LAST else 1), name

    return sorted((name for name in names if kind(name) not in _LEFT), key=place)


def waves(names: Sequence[str], at_once: int) -> list[list[str]]:
    """Group them: at most *at_once* together, and never two of one kind."""
    left, made = order(names), list[list[str]]()
    while left:
        wave: list[str] = []
        for name in left:
            if wave and kind(name) in _LAST:  # servers and workers go alone, whatever is asked
                break
            if len(wave) < at_once and kind(name) not in map(kind, wave):
                wave.append(name)
        left = [name for name in left if name not in wave]
        made.append(wave)
    return made


async def roll(folder: Folder, names: Sequence[str] = (), *, at_once: int = 1, say: Say = print) -> dict[str, float]:
    """Every process is another one than before; gives the seconds that each took.  Raises: NotBack."""
    running = _running(folder)
    groups = waves(names or list(running.pids), at_once)
    if missing := set(chain(*groups)) - running.pids.keys():
        raise NotBack(f"There is no process {', '.join(sorted(missing))}.")
    took: dict[str, float] = {}
    for group in groups:
        seconds = await asyncio.gather(*(_restart(folder, name, say) for name in group))
        took |= dict(zip(group, seconds, strict=True))
    return took


async def _restart(folder: Folder, name: str, say: Say) -> float:
    began = time.monotonic()
    before = _running(folder).pids[name]
    os.kill(before, _SIGNALS.get(kind(name), signal.SIGTERM))
    await _until(lambda: _another(folder, name, before), f"{name} was not started again")
    await _until(lambda: _whole(_running(folder), name), f"{name} is not ready")
    took = time.monotonic() - began
    say(f"{name} {took:.1f} s")
    return round(took, 1)


async def _another(folder: Folder, name: str, before: int) -> bool:
    pid = _running(folder).pids.get(name, before)
    return pid != before


async def _whole(running: Running, name: str) -> bool:
    """Tell whether it serves, and what it is a part of has all its parts again."""
    try:
        if name in running.health:
            if not await _ready(running.health[name]):
                return False
            return kind(name) != "worker" or await _fleet_is_whole(running)
        if kind(name) == "nats":
            return await _streams_are_whole(running)
        if kind(name) == "valkey":
            async with Redis.from_url(running.redis) as redis:
                return bool(await redis.ping())
        await (await asyncpg.connect(running.postgres, timeout=2)).close()
    except (OSError, TimeoutError, aiohttp.ClientError, asyncpg.PostgresError, RedisError, BusAway, BusRefused):
        return False
    return True


async def _ready(url: str) -> bool:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as http, http.get(f"{url}/health/ready") as response:
        return response.status == 200


async def _fleet_is_whole(running: Running) -> bool:
    """Every shard has a worker, and whoever wants to be connected is."""
    async with Bus.open(running.nats, name="clarin-restart") as bus:
        fleet = await Fleet.read(bus)
    connection = await asyncpg.connect(running.postgres, timeout=2)
    try:
        away = await connection.fetchval(
            "select count(*) from devices.devices where wanted = 'connected' and state in ('connecting', 'disconnected')"
        )
    finally:
        await connection.close()
    return all(shard.owner is not None for shard in fleet.shards) and not away


async def _streams_are_whole(running: Running) -> bool:
    """Every server of the bus has all of every stream: only then may the next one go."""
    async with Bus.open(running.nats, name="clarin-restart") as bus:
        names = (await bus.connection.api("STREAM.NAMES"))["streams"]
        clusters = [(await bus.connection.api(f"STREAM.INFO.{name}")).get("cluster", {}) for name in names]
    copies = running.nats.count(",")
    return all(
        cluster.get("leader") and len(current := cluster.get("replicas", ())) == copies and all(map(_is_current, current))
        for cluster in clusters
    )


def _is_current(copy: dict[str, object]) -> bool:
    return bool(copy.get("current")) and not copy.get("offline")


async def _until(probe: Callable[[], Awaitable[bool]], complaint: str) -> None:
    deadline = time.monotonic() + WITHIN
    while not await probe():
        if time.monotonic() > deadline:
            raise NotBack(f"{complaint} within {WITHIN:.0f} s.")
        await asyncio.sleep(0.1)


def _running(folder: Folder) -> Running:
    with suppress(OSError, msgspec.MsgspecError):
        running = folder.running()
        if running is not None:
            return running
    raise NotBack(f"Nothing runs on {folder.root}.")
