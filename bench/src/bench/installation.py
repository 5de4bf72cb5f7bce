"""An installation for one measurement, in a folder that goes with it."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from clarin.client import Client
from clarin.testing import System, start, stop
from sim.testing import Api as Network


@asynccontextmanager
async def installation(*, workers: int = 1) -> AsyncIterator[System]:
    """A fresh installation runs; it is stopped and its folder removed at the end."""
    with tempfile.TemporaryDirectory(prefix="clarin-bench-", ignore_cleanup_errors=True) as folder:
        system = await asyncio.to_thread(start, Path(folder), "--workers", str(workers))
        try:
            yield system
        finally:
            await asyncio.to_thread(stop, system)


async def register(client: Client) -> None:
    """The client is the owner of a new account."""
    await client.register(f"bench-{secrets.token_hex(6)}@example.com", f"bench-horse-{secrets.token_hex(6)}")


async def fleet(system: System, network: Network, clients: list[Client], count: int) -> list[tuple[Client, str, str]]:
    """*count* connected numbers, spread over the clients' accounts: client, device, number."""
    gate = asyncio.Semaphore(4)

    async def one(index: int) -> tuple[Client, str, str]:
        client = clients[index % len(clients)]
        async with gate:
            number = await system.phone(network, f"Tienda {index}")
            device = (await client.add_device(f"Número {index}"))["id"]
            await client.pair(device, network, number, within=90)
            return client, device, number

    return list(await asyncio.gather(*(one(index) for index in range(count))))
