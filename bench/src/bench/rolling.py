"""A roll-out under load: every process of a large installation is restarted, one after the other, and nobody may notice.

What people ask meanwhile is counted by what they were answered. 503 is an answer that says to come again, and every client
does; anything else that is no answer at all, or a failure, counts against the roll-out.
"""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from clarin.client import Client
from clarin.folder import Folder
from clarin.rolling import roll
from clarin.testing import System

from bench.fleet import Fleet, fleet
from bench.installation import installation
from bench.traffic import Heard, Traffic, listening
from bench.truth import tally

WORKERS = 4
_SETTLED_WITHIN = 90.0
_READS = ("/api/chats?limit=20", "/api/devices", "/api/auth/me", "/api/pipelines", "/api/webhooks", "/api/bot")


async def run(*, sessions: int, rate: float, reads: float, at_once: int, folder: Path | None = None) -> dict[str, Any]:
    """Restart everything under *rate* messages and *reads* requests a second, *at_once* services at a time."""
    async with (
        installation(workers=WORKERS, topology="large", folder=folder) as system,
        system.network() as network,
        fleet(system, network, sessions) as numbers,
        listening(numbers) as heard,
    ):
        traffic = Traffic(network, numbers)
        await traffic.once_each("warm", rate)
        return await rolled(system, numbers, heard, traffic, rate=rate, reads=reads, at_once=at_once)


async def rolled(
    system: System, numbers: Fleet, heard: Heard, traffic: Traffic, *, rate: float, reads: float, at_once: int, names: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Restart *names* (all when none is given) under load; gives what became of requests, messages and sockets."""
    for client in numbers.clients:
        client.answers.clear()
    stopping = asyncio.Event()
    beside = [asyncio.create_task(traffic.run("roll", rate, stopping))]
    beside += [asyncio.create_task(_read(client, len(numbers.clients) / reads, stopping)) for client in numbers.clients]
    began = time.monotonic()
    try:
        took = await roll(Folder(system.folder / "data"), names, at_once=at_once)
    finally:
        seconds = time.monotonic() - began
        stopping.set()
        await asyncio.gather(*beside)
    answers = sum((client.answers for client in numbers.clients), Counter[str]())
    await traffic.once_each("after", rate)
    records = await traffic.settled(heard, _SETTLED_WITHIN)
    counted = tally(records)
    return {
        "name": "rolling",
        "sessions": len(numbers.numbers),
        "rate": rate,
        "processes": len(took),
        "seconds": round(seconds, 1),
        "slowest": max(took, key=lambda name: took[name]),
        "slowest_s": max(took.values()),
        "requests": dict(sorted(answers.items())),
        "retried": answers["503"],
        "failed_requests": sum(count for status, count in answers.items() if is_failure(status)),
        "sends_refused": traffic.refused,
        "sockets": len(numbers.clients),
        "resumed": heard.resumed,
        "resynced": heard.resynced,
        **counted.figures(),
        "placeholders": records.placeholders,
        "asked": traffic.asked,
        "done": counted.asked,
        "took": took,
    }


def is_failure(status: str) -> bool:
    """Tell whether an answer is one that no client can do anything about."""
    return not status.isdecimal() or (int(status) >= 500 and status != "503") or int(status) in (401, 403, 404)


async def _read(client: Client, every: float, stopping: asyncio.Event) -> None:
    """Ask for one page after the other, at a steady pace."""
    for path in itertools.cycle(_READS):
        if stopping.is_set():
            return
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # counted by the client
            await client.raw("GET", path)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), every)
