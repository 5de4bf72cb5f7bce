"""What sessions cost, and how long they take to come back when every worker has died at once."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from clarin.client import eventually
from clarin.testing import System
from sim.testing import Api as Network

from bench.fleet import fleet, online
from bench.footprint import Footprint, connections, gauge
from bench.headroom import Processors, first_to_give, headroom
from bench.installation import installation
from bench.traffic import Traffic, listening
from bench.truth import tally

_BACK_WITHIN = 180.0
_LOOK = 0.1
_CALM = 15.0  # longer than whatsmeow's connections may be idle
_IDLE = 10.0
_RATE = 60.0
_SETTLED_WITHIN = 60.0


async def run(*, sessions: int, workers: int, folder: Path | None = None) -> dict[str, Any]:
    """Link *sessions* numbers, kill all *workers*, and see them come back; then one message each way through every session."""
    # Room for what is asked, whoever of the workers gets how many.
    os.environ.setdefault("CLARIN_SESSIONS_MAX", str(max(400, min(5000, 2 * sessions // workers))))
    bare = await _bare()
    async with installation(workers=workers, folder=folder) as system, system.network() as network:
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        database = await asyncpg.connect(str(system.ready["postgres"]))
        async with fleet(system, network, sessions) as numbers, listening(numbers) as heard:
            async with _peak(database) as peak:
                began, before_start = time.monotonic(), Processors.now()
                for name in names:
                    system.kill(name)
                await eventually(lambda: _all_off(network), 10, "the sessions of the dead workers are not off", every=0.02)
                seconds_to_95 = await _online_again(network, began, round(sessions * 0.95))
                seconds_to_100 = await _online_again(network, began, sessions)
                busy = Processors.now().since(before_start)
            await asyncio.sleep(_CALM)
            before = {name: Footprint.of_family(system.pid(name)) for name in names}
            await asyncio.sleep(_IDLE)
            after = {name: Footprint.of_family(system.pid(name)) for name in names}
            idle_connections = await connections(database)
            shares = await _sessions_by_worker(system, names)
            traffic = Traffic(network, numbers)
            began = time.monotonic()
            await traffic.once_each("each", _RATE)
            records = await traffic.settled(heard, _SETTLED_WITHIN)
            took = time.monotonic() - began
            most_connections = int(await database.fetchval("show max_connections"))
            full = [Footprint.of_family(system.pid(name)) for name in names]
        await database.close()

    counted = tally(records)
    used = headroom(
        rss_mb=sum(seen.rss_mb for seen in full),
        files=max(seen.files for seen in full),
        connections=max(peak),
        most_connections=most_connections,
        processors=busy,
    )
    return {
        "name": "sessions",
        "sessions": sessions,
        "workers": workers,
        "accounts": len(numbers.clients),
        "rss_mb_per_session": round(sum(seen.rss_mb - bare.rss_mb for seen in after.values()) / sessions, 2),
        "pss_mb_per_session": round(sum(seen.pss_mb - bare.pss_mb for seen in after.values()) / sessions, 2),
        "rss_mb_bare_worker": round(bare.rss_mb, 1),
        "rss_mb_all_workers": round(sum(seen.rss_mb for seen in after.values()), 1),
        "rss_mb_per_session_after_messages": round(sum(seen.rss_mb - bare.rss_mb for seen in full) / sessions, 2),
        "threads": sum(seen.threads for seen in after.values()),
        "files": sum(seen.files for seen in after.values()),
        "sessions_by_worker": shares,
        "linked": numbers.linked,
        "linking_seconds": numbers.seconds,
        "seconds_to_95": seconds_to_95,
        "seconds_to_100": seconds_to_100,
        "db_connections_idle": idle_connections,
        "db_connections_peak": max(peak),
        "idle_cpu_percent": round(sum(after[name].cpu - before[name].cpu for name in names) / _IDLE * 100, 1),
        "messages_seconds": round(took, 1),
        "used": used,
        "gives_first": first_to_give(used),
        **counted.figures(),
        "asked": traffic.asked,
        "done": counted.asked,
    }


async def _bare() -> Footprint:
    """Measure a worker that holds nothing, in an installation of its own."""
    async with installation(workers=1) as alone:
        return Footprint.of_family(alone.pid("worker-1"))


async def _all_off(network: Network) -> bool:
    return bool((await network.get("/stats"))["online"] == 0)


async def _online_again(network: Network, began: float, count: int) -> float:
    """Give the seconds from *began* until *count* sessions were connected."""
    await online(network, count, _BACK_WITHIN)
    return round(time.monotonic() - began, 1)


@asynccontextmanager
async def _peak(database: asyncpg.Connection) -> AsyncIterator[list[int]]:
    """Count the connections to whatsmeow's database again and again while the block lasts."""
    seen = [await connections(database)]

    async def look() -> None:
        while True:
            seen.append(await connections(database))
            await asyncio.sleep(_LOOK)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


async def _sessions_by_worker(system: System, names: list[str]) -> list[int]:
    """Ask each worker how many sessions it has."""
    urls: Any = system.ready["urls"]
    async with aiohttp.ClientSession() as http:

        async def ask(name: str) -> int:
            async with http.get(f"{urls[name]}/metrics") as answer:
                return int(gauge(await answer.text(), "clarin_devices_sessions"))

        return list(await asyncio.gather(*(ask(name) for name in names)))
