"""Files that come in: from the phone that sends one to the browser that may show it, and what that costs in memory."""

import asyncio
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from aiohttp import FormData
from clarin.client import Client, Socket
from clarin.testing import System, start, stop
from sim.testing import Api as Network

from bench.figures import percentile
from bench.footprint import Footprint

_WITHIN = 120.0


async def run(*, files: int, size: int, large: int) -> dict[str, Any]:
    """Measure *files* files of *size* bytes, and after them one of *large* bytes in and back out."""
    folder = Path(tempfile.mkdtemp(prefix="clarin-bench-media-"))
    system = await asyncio.to_thread(start, folder, "--workers", "1")
    try:
        async with system.owner() as client, system.network() as network:
            return await _measure(system, client, network, files=files, size=size, large=large)
    finally:
        await asyncio.to_thread(stop, system)


async def _measure(system: System, client: Client, network: Network, *, files: int, size: int, large: int) -> dict[str, Any]:
    number = await system.phone(network, "Shop")
    device = (await client.add_device("Shop"))["id"]
    await client.pair(device, network, number)
    customer = await system.phone(network, "Luis")
    took: list[float] = []
    wrong = 0
    async with client.socket() as socket:
        await _one(client, socket, network, customer, number, size)  # the first one opens everything
        before = _memory(system)
        for _ in range(files):
            seconds, right = await _one(client, socket, network, customer, number, size)
            took.append(seconds * 1000)
            wrong += not right
        _, right = await _one(client, socket, network, customer, number, large)
        wrong += not right
        after = _memory(system)
    return {
        "files": len(took),
        "size": size,
        "large": large,
        "p50_ms": round(percentile(took, 0.5), 1),
        "p95_ms": round(percentile(took, 0.95), 1),
        "rss_growth_mb": round(after - before, 1),
        "asked": files + 1,
        "done": len(took) + 1 - wrong,
    }


async def _one(client: Client, socket: Socket, network: Network, customer: str, number: str, size: int) -> tuple[float, bool]:
    data = b"%PDF-1.4 " + os.urandom(size)
    name = f"{secrets.token_hex(8)}.pdf"
    form = FormData({"to": number, "kind": "document"})
    form.add_field("file", data, filename=name)
    began = time.monotonic()
    await network.ask("POST", f"/phones/{customer}/media", data=form)

    def here(frame: dict[str, Any]) -> bool:
        return bool(frame["event"] == "message_media" and frame["data"]["media"]["file_name"] == name)

    told = (await socket.until(here, _WITHIN))["data"]["media"]
    status, _, body = await client.raw("GET", told["url"]) if told["url"] else (0, {}, b"")
    return time.monotonic() - began, status == 200 and body == data


def _memory(system: System) -> float:
    """Megabytes of the processes that files pass through."""
    pids = system.pids()
    return sum(Footprint.of_family(pid).rss_mb for name, pid in pids.items() if name.startswith(("worker", "conversations", "gateway")))
