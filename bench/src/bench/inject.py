"""How many messages a second the path behind whatsmeow keeps up with: events on the bus, faster until the knee."""

import asyncio
import random
import time
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import asyncpg
from clarin.client import Client, Socket
from contracts import ids
from contracts.envelope import Envelope, wrap
from contracts.events.devices import MessageObserved
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from servicekit.bus import Bus

from bench import figures
from bench.installation import installation, register

TENANTS = 100
WATCHED = 10
CHATS = 20
STEPS = (250, 500, 750, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 5000)
KNEE = 0.5  # seconds at p99


async def run(*, seconds: float) -> dict[str, Any]:
    """Publish at each rate for *seconds*, over 100 tenants; a tenth of them have a browser open."""
    async with installation() as system, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(system.url)) for _ in range(WATCHED)]
        for client in clients:
            await register(client)
        watched = [TenantId(ids.parse(ids.ACCOUNT, client.me["account"]["id"])) for client in clients]
        tenants = watched + [TenantId(ids.new()) for _ in range(TENANTS - WATCHED)]
        devices = {tenant: DeviceId(ids.new()) for tenant in tenants}
        sockets = [await stack.enter_async_context(client.socket()) for client in clients]
        readers = [asyncio.create_task(socket.listen()) for socket in sockets]
        bus = await stack.enter_async_context(Bus.open(str(system.ready["nats"]), name="bench"))
        database = await asyncpg.connect(str(system.ready["postgres"]))
        stack.push_async_callback(database.close)

        steps: list[dict[str, Any]] = []
        total = 0
        lost = doubled = 0
        for rate in STEPS:
            step = await _step(bus, sockets, devices, watched, rate, seconds)
            total += step["sent"]
            step["stored"] = await _drained(database, total)
            lost, doubled = lost + step.pop("unseen") + max(0, total - step["stored"]), doubled + step.pop("repeated")
            steps.append(step)
            if step["p99_ms"] > KNEE * 1000 or step["rate"] < rate * 0.9 or lost:
                break
        for reader in readers:
            reader.cancel()

    kept = [step for step in steps if step["p99_ms"] <= KNEE * 1000 and step["rate"] >= step["target"] * 0.9]
    best = kept[-1] if kept else steps[0]
    return {
        "name": "inbound --inject",
        "tenants": TENANTS,
        "sustained_per_s": best["rate"] if kept else 0,
        "p50_ms": best["p50_ms"],
        "p99_ms": best["p99_ms"],
        "lost": lost,
        "doubled": doubled,
        "asked": total,
        "done": steps[-1]["stored"],
        "steps": steps,
    }


async def _step(
    bus: Bus, sockets: list[Socket], devices: dict[TenantId, DeviceId], watched: list[TenantId], rate: int, seconds: float
) -> dict[str, Any]:
    for socket in sockets:
        socket.frames.clear()
    tenants = list(devices)
    mine: dict[str, float] = {}
    began = time.monotonic()
    sent = 0
    publishing: set[asyncio.Task[None]] = set()
    while (elapsed := time.monotonic() - began) < seconds:
        due = int(elapsed * rate) - sent
        if due > 0:
            batch = [_message(tenants, devices, rate, sent + n) for n in range(due)]
            now = time.monotonic()
            mine |= {envelope.data.text or "": now for envelope in batch if envelope.tenant in watched}
            task = asyncio.create_task(bus.publish(*batch))
            publishing.add(task)
            task.add_done_callback(publishing.discard)
            sent += due
        await asyncio.sleep(0.005)
    await asyncio.gather(*publishing)
    took = time.monotonic() - began
    deadline = time.monotonic() + 30
    while True:
        arrived = [
            (frame["data"]["text"], at) for socket in sockets for at, frame in list(socket.frames) if frame["event"] == "new_message"
        ]
        if len({text for text, _ in arrived}) >= len(mine) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    seen = Counter(text for text, _ in arrived)
    waits = [at - mine[text] for text, at in arrived if text in mine]
    return {
        "target": rate,
        "rate": round(sent / took, 1),
        "sent": sent,
        "measured": len(waits),
        **figures.latencies(waits),
        "unseen": len([text for text in mine if not seen[text]]),
        "repeated": len([text for text in mine if seen[text] > 1]),
    }


def _message(tenants: list[TenantId], devices: dict[TenantId, DeviceId], rate: int, n: int) -> Envelope[MessageObserved]:
    tenant = tenants[n % len(tenants)]
    phone = f"52155{n % len(tenants):04d}{random.randrange(CHATS):04d}"
    return wrap(
        tenant,
        MessageObserved(
            device=devices[tenant],
            chat=Address("pn", phone),
            wa_id=f"3EB0{rate:05d}{n:08d}",
            from_me=False,
            at=datetime.now(UTC),
            kind="text",
            text=f"{rate}-{n} " + "texto " * 10,
            push_name="Luis",
        ),
    )


async def _drained(database: asyncpg.Connection, total: int, within: float = 60.0) -> int:
    deadline = time.monotonic() + within
    while True:
        stored = int(await database.fetchval("select count(*) from conversations.messages"))
        if stored >= total or time.monotonic() > deadline:
            return stored
        await asyncio.sleep(0.3)
