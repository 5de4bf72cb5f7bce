"""An installation for one measurement, in a folder that goes with it unless it is to be kept."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from clarin.client import Client
from clarin.testing import System, start, stop
from sim.testing import Api as Network

from bench.fleet import link


@asynccontextmanager
async def installation(*, workers: int = 1, topology: str = "small", folder: Path | None = None) -> AsyncIterator[System]:
    """An installation runs; it is stopped at the end, and its folder removed, if that was not given."""
    with _folder(folder) as path:
        system = await asyncio.to_thread(start, path, "--workers", str(workers), "--topology", topology)
        try:
            yield system
        finally:
            await asyncio.to_thread(stop, system)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="clarin-bench-", ignore_cleanup_errors=True) as path:
        yield Path(path)


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
            device = await link(client, network, number, f"Número {index}")
            await client.connected(device, within=90)
            return client, device, number

    return list(await asyncio.gather(*(one(index) for index in range(count))))
