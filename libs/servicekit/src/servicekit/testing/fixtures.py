"""The pytest plugin: real servers, one set for each xdist worker, and something fresh of each for every test.

    postgres, nats, valkey   servers from their wheels, for the whole session; a test may kill, pause and restart them
    provisioned              (service, folder of migrations) → Urls of a new database
    empty_database           () → DSN of a new database without tables
    bus_url, bus             the NATS server with streams and buckets as new; a Bus on it, allowed everything
    guarded_nats             a NATS server of its own that knows every service's user and permissions
    redis_url                the Valkey server, emptied
    signed_in                (role, tenant) → SignedIn: a token that every service accepts, as headers
    limited                  (someone, devices) → it sees no more than these, as soon as the services have heard it

Where a server is given by CLARIN_TEST_POSTGRES_URL, CLARIN_TEST_NATS_URL or CLARIN_TEST_REDIS_URL it is used instead (and
cannot be killed); with CLARIN_TEST_CONTAINERS=1 they run in containers, where a Docker engine is at hand.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from contracts import access
from contracts.ids import DeviceId
from contracts.principal import Access

from servicekit.auth import encode_access
from servicekit.embedded import Nats, Postgres, Valkey
from servicekit.testing.databases import Databases, Urls
from servicekit.testing.identity import SignedIn, SignIn

if TYPE_CHECKING:
    from servicekit.bus import Bus


class Given:
    """A server that someone else runs: it has a URL and nothing else."""

    def __init__(self, url: str) -> None:
        self.url = url


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for this worker's servers, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="clarin-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[Postgres | Given]:
    """PostgreSQL; what it commits does not survive a power cut, and is fast."""
    with contextlib.ExitStack() as stack:
        yield _given(stack, "postgres") or stack.enter_context(Postgres(server_folder / "postgres", durable=False))


@pytest.fixture(scope="session")
def nats(server_folder: Path) -> Iterator[Nats | Given]:
    """NATS with JetStream, without users."""
    with contextlib.ExitStack() as stack:
        yield _given(stack, "nats") or stack.enter_context(Nats(server_folder / "nats", durable=False))


@pytest.fixture(scope="session")
def valkey(server_folder: Path) -> Iterator[Valkey | Given]:
    """Valkey without a password."""
    with contextlib.ExitStack() as stack:
        yield _given(stack, "redis") or stack.enter_context(Valkey(server_folder / "valkey"))


@pytest.fixture(scope="session")
def databases(postgres: Postgres | Given) -> Databases:
    """The templates and databases of this worker."""
    return Databases(postgres.url)


@pytest.fixture
def provisioned(databases: Databases, postgres: Postgres | Given) -> Iterator[Callable[[str, Path], Urls]]:
    """Make a fresh database with a service's roles and tables; dropped after the test."""
    _up(postgres)
    yield databases.provisioned
    databases.drop()


@pytest.fixture
def empty_database(databases: Databases, postgres: Postgres | Given) -> Iterator[Callable[[], str]]:
    """Make a fresh database without tables; dropped after the test."""
    _up(postgres)
    yield databases.empty
    databases.drop()


@pytest_asyncio.fixture
async def bus_url(nats: Nats | Given) -> str:
    """Where the bus is: every stream and bucket declared, nothing in them, no durable left of another test."""
    from servicekit import bus as buses
    from servicekit.testing import streams

    _up(nats)
    await streams.clear(nats.url)
    await buses.declare(nats.url)
    return nats.url


@pytest_asyncio.fixture
async def bus(bus_url: str) -> AsyncIterator["Bus"]:
    """A connection to the bus that may do everything."""
    from servicekit.bus import Bus

    async with Bus.open(bus_url, name="test") as opened:
        yield opened


@pytest_asyncio.fixture
async def guarded_nats(server_folder: Path) -> AsyncIterator[Nats]:
    """A NATS server of this test alone that knows the services' users, each with its permissions; ``url_as(user)``."""
    from servicekit import bus as buses
    from servicekit.bus.permissions import MIGRATOR, permissions
    from servicekit.embedded import User

    folder = Path(tempfile.mkdtemp(prefix="guarded-", dir=server_folder))
    known = {name: User(password=f"{name}-of-the-tests", permissions=permissions(name)) for name in (MIGRATOR, *access.EVERY)}
    with Nats(folder, durable=False, users=known, admin=MIGRATOR) as server:
        await buses.declare(server.url)
        yield server


@pytest_asyncio.fixture
async def redis_url(valkey: Valkey | Given) -> str:
    """Where Valkey is, with nothing in it."""
    from redis.asyncio import Redis

    _up(valkey)
    async with Redis.from_url(valkey.url) as client:
        await client.flushall()
    return valkey.url


@pytest_asyncio.fixture
async def signed_in(bus: "Bus") -> Callable[..., SignedIn]:
    """Sign tokens with a key that stands in the bucket of keys: ``signed_in(Role.AGENT, tenant).headers``."""
    from contracts import buckets

    identity = SignIn()
    keys = await bus.bucket(buckets.KEYS)
    await keys.put(identity.kid, identity.public_jwk)
    return identity


@pytest_asyncio.fixture
async def limited(bus: "Bus") -> Callable[..., Awaitable[None]]:
    """Set what somebody sees: no more than the given devices, or with *all* everything of its account again."""
    from contracts import buckets

    limits = await bus.bucket(buckets.ACCESS)

    async def limit(someone: SignedIn, *devices: DeviceId, all: bool = False) -> None:
        if all:
            await limits.delete(str(someone.principal.id))
        else:
            await limits.put(str(someone.principal.id), encode_access(Access(devices=frozenset(devices))))

    return limit


def _up(server: Postgres | Nats | Valkey | Given) -> None:
    """Start a server that the test before left dead or frozen."""
    if not isinstance(server, Given):
        if server.alive:
            server.resume()
        server.start()


def _given(stack: contextlib.ExitStack, name: str) -> Given | None:
    url = os.environ.get(f"CLARIN_TEST_{name.upper()}_URL")
    if url is None and os.environ.get("CLARIN_TEST_CONTAINERS") == "1":
        from servicekit.testing.containers import contained

        url = stack.enter_context(contained(name))
    return Given(url) if url else None
