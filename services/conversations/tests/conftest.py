"""One conversations service on real servers: its database, the bus, its app, its consumer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from contracts import envelope, ids
from contracts.envelope import Envelope
from contracts.ids import DeviceId, TenantId
from conversations import api
from conversations.consumers import whatsapp
from conversations.files import Files
from conversations.settings import ConversationsSettings
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.health import Health
from servicekit.http import create_app
from servicekit.objects import Objects
from servicekit.outbox import Relay

from .team import Team

SCHEMA = "conversations"
MIGRATIONS = Path(__file__).parent.parent / "migrations"


class World:
    """A database of its own with the handler of the durable, and what stands in the outbox."""

    def __init__(self, urls: Any, db: Database, admin: asyncpg.Connection) -> None:
        self.urls = urls
        self.db = db
        self.admin = admin
        self.handle = whatsapp.handler(db)

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Read anything, as the superuser: no row-level security hides a thing."""
        return [dict(row) for row in await self.admin.fetch(query, *values)]

    async def told(self, kind: type[Any] | None = None) -> list[Envelope[Any]]:
        """List what is in the outbox, in order."""
        rows = await self.admin.fetch("select payload from conversations.outbox order by id")
        every = [envelope.decode(row["payload"]) for row in rows]
        return [one for one in every if kind is None or isinstance(one.data, kind)]

    async def forget_told(self) -> None:
        """Empty the outbox."""
        await self.admin.execute("delete from conversations.outbox")


@pytest_asyncio.fixture
async def world(provisioned: Callable[[str, Path], Any]) -> AsyncIterator[World]:
    urls = provisioned("conversations", MIGRATIONS)
    admin = await asyncpg.connect(urls.admin_url)
    try:
        await admin.execute("set search_path = conversations")
        async with Database.open(urls.service_url, application="test", pool=8) as db:
            yield World(urls, db, admin)
    finally:
        await admin.close()


@pytest.fixture
def tenant() -> TenantId:
    return TenantId(ids.new())


@pytest.fixture
def device() -> DeviceId:
    return DeviceId(ids.new())


@pytest_asyncio.fixture
async def client(world: World, bus: Bus, signed_in: Any, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API, called without a network."""
    from servicekit.auth import Verifier

    settings = ConversationsSettings(
        database_url="postgresql://unused", system_database_url="postgresql://unused", nats_url="nats://unused", cursor_secret="c" * 32,
        send_expiry=timedelta(hours=24),
    )  # fmt: skip
    async with Verifier.open(bus) as verifier:
        app = create_app(
            title="test",
            service=Health(),
            verifier=verifier,
            routers=api.ROUTERS,
            cursor_secret=settings.cursor_secret,
            state={"db": world.db, "bus": bus, "settings": settings, "files": Files(Objects.folder(tmp_path))},
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened:
            yield opened


@asynccontextmanager
async def running(*parts: Callable[[asyncio.Event], Any]) -> AsyncIterator[None]:
    """The background parts run inside, and have ended after."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part(stopping))
        try:
            yield
        finally:
            stopping.set()


@pytest.fixture
def consuming(world: World, bus: Bus) -> Callable[..., Any]:
    """Make the durable's consumer run, in as many replicas as asked for."""

    def run(replicas: int = 1, batch: int = 300) -> Any:
        return running(*(bus.consumer(whatsapp.consumer(world.db, batch=batch, concurrency=2)) for _ in range(replicas)))

    return run


@pytest_asyncio.fixture
async def relaying(world: World, bus: Bus) -> AsyncIterator[None]:
    """What is in the outbox reaches the bus."""
    async with Database.open(world.urls.system_url, application="relay", pool=3) as system, running(Relay(system, bus, schema=SCHEMA).run):
        yield


@pytest.fixture
def team(world: World, bus: Bus, tenant: TenantId, signed_in: Any) -> Team:
    return Team(world, bus, tenant, signed_in)
