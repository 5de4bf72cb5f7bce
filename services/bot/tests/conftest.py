"""The bot on real servers: its database, its handler, its app."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from bot import api, consumers, timers
from contracts import envelope, ids
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import ChatChanged, ChatCreated, MessageConfirmed, MessageQueued, MessageReceived
from contracts.events.devices import DeviceChanged, DeviceState
from contracts.ids import DeviceId, TenantId
from contracts.views import MessageStatus
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.health import Health
from servicekit.http import create_app

MIGRATIONS = Path(__file__).parent.parent / "migrations"
NOW = datetime.now(UTC).replace(microsecond=0)


class World:
    """A database of its own, the handler of the durable, and a clock that the test moves."""

    def __init__(self, urls: Any, db: Database, system: Database, admin: asyncpg.Connection) -> None:
        self.urls, self.db, self.system, self.admin = urls, db, system, admin
        self.now = NOW
        self.handle = consumers.handler(db, clock=lambda: self.now)

    async def told(self) -> list[Envelope[Any]]:
        """List what is in the outbox, in order."""
        rows = await self.admin.fetch("select payload from bot.outbox order by id")
        return [envelope.decode(row["payload"]) for row in rows]

    async def waiting(self) -> list[Envelope[Any]]:
        """List the orders that wait for their moment, in order."""
        rows = await self.admin.fetch("select payload from bot.pending order by due_at")
        return [envelope.decode(row["payload"]) for row in rows]

    async def said(self) -> list[str | None]:
        """List the texts that wait to be said."""
        return [one.data.text for one in await self.waiting() if one.type == "conversations.write_message"]

    async def speak(self) -> int:
        """The time of all that waits has come."""
        await self.admin.execute("update bot.pending set due_at = now() - interval '1 second'")
        return await timers.speak(self.db, self.system)


@pytest_asyncio.fixture
async def world(provisioned: Callable[[str, Path], Any]) -> AsyncIterator[World]:
    urls = provisioned("bot", MIGRATIONS)
    admin = await asyncpg.connect(urls.admin_url)
    try:
        async with (
            Database.open(urls.service_url, application="test", pool=4) as db,
            Database.open(urls.system_url, application="test", pool=2) as system,
        ):
            yield World(urls, db, system, admin)
    finally:
        await admin.close()


@pytest.fixture
def tenant() -> TenantId:
    return TenantId(ids.new())


@pytest_asyncio.fixture
async def client(world: World, bus: Bus, signed_in: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The API, called without a network."""
    async with Verifier.open(bus) as verifier:
        app = create_app(
            title="test",
            service=Health(),
            verifier=verifier,
            routers=api.ROUTERS,
            cursor_secret="c" * 32,
            state={"db": world.db, "bus": bus},
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened:
            yield opened


class Chat:
    """One customer's chat on one number, as the facts about it tell."""

    def __init__(self, tenant: TenantId, device: DeviceId | None = None) -> None:
        self.tenant = tenant
        self.device = device or DeviceId(ids.new())
        self.id = ids.new()
        self.revision = 0

    def _message(self, kind: type[Any], from_me: bool, status: MessageStatus, at: datetime, **more: Any) -> Envelope[Any]:
        body = kind(
            **{
                "id": ids.public(ids.MESSAGE, ids.new()),
                "chat_id": ids.public(ids.CHAT, self.id),
                "device_id": ids.public(ids.DEVICE, self.device),
                "from_me": from_me,
                "kind": "text",
                "status": status,
                "at": at,
                **more,
            }
        )
        return wrap(self.tenant, body)

    def number(self, name: str = "Tienda") -> Envelope[Any]:
        id = ids.public(ids.DEVICE, self.device)
        return wrap(self.tenant, DeviceChanged(id=id, name=name, state=DeviceState.CONNECTED, revision=1, at=NOW))

    def created(self) -> Envelope[Any]:
        return self._standing(ChatCreated, "open")

    def stands(self, status: str, at: datetime = NOW) -> Envelope[Any]:
        self.revision += 1
        return self._standing(ChatChanged, status, at)

    def _standing(self, kind: type[Any], status: str, at: datetime = NOW) -> Envelope[Any]:
        body = kind(
            id=ids.public(ids.CHAT, self.id), device_id=ids.public(ids.DEVICE, self.device), contact_id=None, name="Luis",
            status=status, revision=self.revision, at=at,
        )  # fmt: skip
        return wrap(self.tenant, body)

    def customer(self, text: str | None, after: float = 0, **more: Any) -> Envelope[Any]:
        at = NOW + timedelta(seconds=after)
        return self._message(MessageReceived, False, MessageStatus.RECEIVED, at, text=text, sender_name="Luis", **more)

    def phone(self, text: str, after: float = 0) -> Envelope[Any]:
        return self._message(MessageReceived, True, MessageStatus.SENT, NOW + timedelta(seconds=after), text=text, origin="phone")

    def queued(self, text: str, after: float = 0, origin: str = "user") -> Envelope[Any]:
        return self._message(MessageQueued, True, MessageStatus.QUEUED, NOW + timedelta(seconds=after), text=text, origin=origin)

    def confirmed(self, text: str, replaces: str, origin: str = "bot") -> Envelope[Any]:
        return self._message(MessageConfirmed, True, MessageStatus.SENT, NOW, text=text, origin=origin, replaces=replaces)
