"""From the phone's send to the browser's frame, with the real client and the network's own encryption."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

from clarin.client import Client, Socket

from bench import figures
from bench.installation import fleet, installation, register

TENANTS = 5
CUSTOMERS = 3
WARM_UP = 40


async def run(*, devices: int, rate: float, seconds: float) -> dict[str, Any]:
    """Customers write at *rate*; every account has a browser open."""
    async with installation() as system, AsyncExitStack() as stack, system.network() as network:
        clients = [await stack.enter_async_context(Client(system.url)) for _ in range(min(TENANTS, devices))]
        for client in clients:
            await register(client)
        numbers = await fleet(system, network, clients, devices)
        sockets = [await stack.enter_async_context(client.socket()) for client in clients]
        readers = [asyncio.create_task(socket.listen()) for socket in sockets]
        pairs = [(await system.phone(network, f"C{n}"), number) for _, _, number in numbers for n in range(CUSTOMERS)]

        async def send(name: str, n: int) -> float:
            customer, number = pairs[n % len(pairs)]
            at = time.monotonic()
            await network.ask("POST", f"/phones/{customer}/messages", {"to": number, "text": f"{name}-{n}"})
            return at

        # First messages set up sessions on both sides: they are sent before, and not measured.
        for n in range(max(WARM_UP, len(pairs))):
            await send("warm", n)
        await asyncio.sleep(1)

        asked = int(rate * seconds)
        sending: dict[str, asyncio.Task[float]] = {}
        began = time.monotonic()
        for n in range(asked):
            await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
            sending[f"m-{n}"] = asyncio.create_task(send("m", n))
        sent = dict(zip(sending, await asyncio.gather(*sending.values()), strict=True))
        took = time.monotonic() - began
        arrived = await _arrivals(sockets, sent)
        for reader in readers:
            reader.cancel()
        stored = Counter([text async for text in _stored(clients)])

    seen = Counter(text for text, _ in arrived)
    waits = [at - sent[text] for text, at in arrived]
    return {
        "name": "inbound",
        "devices": devices,
        "tenants": len(clients),
        "asked": asked,
        "done": len(sent),
        "rate": round(len(sent) / took, 1),
        **figures.latencies(waits),
        "lost": len([text for text in sent if not seen[text] or not stored[text]]),
        "doubled": len([text for text in sent if seen[text] > 1 or stored[text] > 1]),
    }


async def _arrivals(sockets: list[Socket], sent: dict[str, float], within: float = 30.0) -> list[tuple[str, float]]:
    deadline = time.monotonic() + within
    while True:
        arrived = [
            (frame["data"]["text"], at)
            for socket in sockets
            for at, frame in socket.frames
            if frame["event"] == "new_message" and frame["data"]["text"] in sent
        ]
        if len({text for text, _ in arrived}) == len(sent) or time.monotonic() > deadline:
            return arrived
        await asyncio.sleep(0.2)


async def _stored(clients: list[Client]) -> Any:
    for client in clients:
        async for chat in client.everything("/api/chats"):
            async for message in client.everything(f"/api/chats/{chat['id']}/messages"):
                yield message["text"]
