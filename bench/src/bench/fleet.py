"""Many linked numbers over several accounts, each with one customer's phone.

Linking is the slow part: each is a process of its own in the worker, some 0.6 s of a processor. So a fleet can be kept: a
folder with a fleet in it is used again, and only what is missing is linked.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
from clarin.client import Client, eventually
from clarin.folder import write
from clarin.testing import System
from contracts import ids
from sim.testing import Api as Network

ACCOUNTS = 5
#: More at once are no faster: it is the processor that they wait for, and each of them the longer.
LINKED_AT_ONCE = 6
_CONNECTED_WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Number:
    """A linked number. *account* is the index of the account that it belongs to."""

    account: int
    device: str
    phone: str
    customer: str


@dataclass(frozen=True, slots=True)
class Login:
    """Who owns one of the accounts."""

    email: str
    password: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """Numbers, and for each account a client who is signed in as its owner.

    Attributes:
        seconds: How long the linking of *linked* numbers took.
    """

    clients: list[Client]
    numbers: list[Number]
    linked: int
    seconds: float


@asynccontextmanager
async def fleet(system: System, network: Network, count: int, *, accounts: int = ACCOUNTS, paced: bool = False) -> AsyncIterator[Fleet]:
    """*count* connected numbers; those that the system's folder has already are connected again, and used first.

    *paced*: those that are new send as real ones do, and not as fast as it goes.
    """
    path = system.folder / "fleet.json"
    logins, numbers = _read(path)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(system.url)) for _ in range(accounts)]
        if not logins:
            logins = [Login(f"bench-{secrets.token_hex(6)}@example.com", f"bench-horse-{secrets.token_hex(6)}") for _ in clients]
            for client, login in zip(clients, logins, strict=True):
                await client.register(login.email, login.password)
        linked = max(0, count - len(numbers))
        await _sign_in(clients, logins)
        began = time.monotonic()
        gate = asyncio.Semaphore(LINKED_AT_ONCE)

        async def one(index: int) -> Number:
            account = index % len(clients)
            async with gate:
                phone = await system.phone(network, f"Tienda {index}")
                customer = await system.phone(network, f"Cliente {index}")
                device = await link(clients[account], network, phone, f"Número {index}")
                if not paced:
                    await clients[account].unpaced(device)
                return Number(account, device, phone, customer)

        try:
            made = [asyncio.create_task(one(index)) for index in range(len(numbers), count)]
            await asyncio.gather(*made)
        finally:
            numbers += [task.result() for task in made if task.done() and not task.cancelled() and task.exception() is None]
            _write(path, logins, numbers)
        took = time.monotonic() - began
        await online(network, len(numbers), _CONNECTED_WITHIN)
        yield Fleet(clients, numbers[:count], linked, round(took, 1))


async def link(client: Client, network: Network, phone: str, name: str) -> str:
    """A new device whose QR that phone has scanned; it connects by itself. Gives its id."""
    device = str((await client.add_device(name))["id"])
    await client.insist("POST", f"/api/devices/{device}/connect")
    qr = await eventually(lambda: client.qr(device), 90, f"no QR for {device}", every=0.25)
    await network.ask("POST", f"/phones/{phone}/scan", {"qr": qr})
    return device


async def online(network: Network, count: int, within: float) -> float:
    """So many sessions are connected, as the network sees it; gives the seconds that it took.  Raises: TimeoutError."""
    began = time.monotonic()

    async def there() -> bool:
        return bool((await network.get("/stats"))["online"] >= count)

    await eventually(there, within, f"{count} sessions are not connected", every=0.1)
    return time.monotonic() - began


async def held_by(database: asyncpg.Connection, fleet: Fleet, worker: str) -> list[str]:
    """Give the phones of the numbers whose shards *worker* was the last to claim."""
    rows = await database.fetch(
        "select d.id from devices.devices d join devices.shards s using (shard) where s.worker like $1 || '~%'", worker
    )
    held = {row["id"] for row in rows}
    return [number.phone for number in fleet.numbers if ids.parse(ids.DEVICE, number.device) in held]


async def _sign_in(clients: list[Client], logins: list[Login]) -> None:
    for client, login in zip(clients, logins, strict=True):
        await client.login(login.email, login.password)


def _read(path: Path) -> tuple[list[Login], list[Number]]:
    if not path.exists():
        return [], []
    kept = json.loads(path.read_text())
    return [Login(**login) for login in kept["logins"]], [Number(**number) for number in kept["numbers"]]


def _write(path: Path, logins: list[Login], numbers: list[Number]) -> None:
    kept = {"logins": [asdict(login) for login in logins], "numbers": [asdict(number) for number in numbers]}
    write(path, json.dumps(kept))
