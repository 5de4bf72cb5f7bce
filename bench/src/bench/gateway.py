"""What the gateway adds to a request, and what it carries: beside the service alone, and beside FastAPI with httpx.

Twice: before one of our services (`GET /api/auth/me`), as it is used, and before one that does nothing, where the gateway is what
there is to measure. All ways are measured in turn, so that whatever else the machine does falls on each of them.
"""

import asyncio
import os
import statistics
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from clarin.client import Client
from servicekit.embedded import free_port

from bench import figures
from bench.installation import installation, register
from bench.wire import Lap, Link, drive

ME = "/api/auth/me"
ANYTHING = "/api/chats"
CONNECTIONS = 48
ROUNDS = 5

Ways = dict[str, Lap]


async def run(*, seconds: float, requests: int) -> dict[str, Any]:
    """Measure; each throughput takes *seconds*, each latency *requests* of one connection."""
    async with installation() as system, AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(system.url))
        await register(client)
        headers = [f"authorization: Bearer {client.token}"]
        ready: Mapping[str, Any] = system.ready

        auth = str(ready["urls"]["auth"])
        beside = await stack.enter_async_context(_proxy(auth))
        service = await _measure(ME, headers, {"direct": auth, "gateway": system.url, "httpx": beside}, seconds, requests)

        bare = await stack.enter_async_context(_python({}, "-m", "bench.wire", "PORT"))
        urls = {
            f"CLARIN_URL_{name}": bare for name in ("AUTH", "DEVICE_WORKER", "CONVERSATIONS", "PIPELINE", "BOT", "WEBHOOKS", "REALTIME")
        }
        own = {"CLARIN_NATS_URL": str(ready["nats"]), "CLARIN_REDIS_URL": str(ready["redis"]), "CLARIN_HTTP_PORT": "PORT"}
        alone = await stack.enter_async_context(_python(urls | own, "-m", "gateway"))
        beside = await stack.enter_async_context(_proxy(bare))
        nothing = await _measure(ANYTHING, headers, {"direct": bare, "gateway": alone, "httpx": beside}, seconds, requests)

        async with aiohttp.ClientSession() as session, session.get(f"{bare}/count") as answer:
            served = (await answer.json())["served"] - 1

    passed = nothing.pop("laps")
    laps = [*service.pop("laps"), *passed]
    asked, done = sum(lap.asked for lap in laps), sum(lap.good for lap in laps)
    return {
        "name": "gateway",
        "added_p50_ms": service["added_p50_ms"],
        "added_p99_ms": service["added_p99_ms"],
        "share_of_direct": service["share_of_direct"],
        "times_httpx": nothing["times_httpx"],
        "connections": CONNECTIONS,
        "asked": asked,
        "done": done,
        "lost": asked - done,
        "doubled": max(0, served - sum(lap.asked for lap in passed)),
        "before_a_service": service,
        "before_nothing": nothing,
    }


async def _measure(path: str, headers: list[str], urls: dict[str, str], seconds: float, requests: int) -> dict[str, Any]:
    # Connections of the proxies, caches, the processor's clock.
    warm = [await drive(url, path, headers, connections=CONNECTIONS, seconds=0.5) for url in urls.values()]
    alone = await _latencies(path, headers, urls, requests)
    rounds = [
        {name: await drive(url, path, headers, connections=CONNECTIONS, seconds=seconds) for name, url in urls.items()}
        for _ in range(ROUNDS)
    ]
    p50, p99 = ({name: figures.percentile(lap.waits, share) for name, lap in alone.items()} for share in (0.5, 0.99))

    def times(one: str, other: str) -> float:
        return round(statistics.median(ways[one].rate / ways[other].rate for ways in rounds), 3)

    return {
        "added_p50_ms": round((p50["gateway"] - p50["direct"]) * 1000, 3),
        "added_p99_ms": round((p99["gateway"] - p99["direct"]) * 1000, 3),
        "httpx_added_p50_ms": round((p50["httpx"] - p50["direct"]) * 1000, 3),
        "share_of_direct": times("gateway", "direct"),
        "times_httpx": times("gateway", "httpx"),
        "p50_ms": {name: round(value * 1000, 3) for name, value in p50.items()},
        "p99_ms": {name: round(value * 1000, 3) for name, value in p99.items()},
        "per_s": {name: round(statistics.median(ways[name].rate for ways in rounds)) for name in urls},
        "laps": [*warm, *alone.values(), *(lap for ways in rounds for lap in ways.values())],
    }


async def _latencies(path: str, headers: list[str], urls: dict[str, str], requests: int) -> Ways:
    links = {name: await Link.open(url, path, headers) for name, url in urls.items()}
    laps = {name: Lap() for name in urls}
    for _ in range(requests):
        for name, link in links.items():
            await link.ask(laps[name])
    for link in links.values():
        link.close()
    return laps


@asynccontextmanager
async def _proxy(upstream: str) -> AsyncIterator[str]:
    words = ("-m", "uvicorn", "bench.proxy:app", "--port", "PORT", "--no-access-log", "--log-level", "warning")
    async with _python({"BENCH_UPSTREAM": upstream}, *words) as url:
        yield url


@asynccontextmanager
async def _python(environment: Mapping[str, str], *words: str) -> AsyncIterator[str]:
    """A process that listens on the port that stands where PORT is written; it ends with this."""
    port = str(free_port())
    settings = {name: value.replace("PORT", port) for name, value in environment.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *(word.replace("PORT", port) for word in words), env=os.environ | settings, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        await _answers(url)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _answers(url: str, within: float = 30.0) -> None:
    parts = urlsplit(url)
    async with asyncio.timeout(within):
        while True:
            try:
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
