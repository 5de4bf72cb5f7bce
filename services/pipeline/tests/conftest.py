"""One pipeline service on real servers: its database, the bus, its app, its consumers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from contracts import envelope, ids
from contracts.envelope import Envelope
from contracts.ids import DeviceId, TenantId
from contracts.principal import Role
from pipeline import api
from pipeline.consumers import automations, facts
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.health import Health
from servicekit.http import create_app
from servicekit.testing.identity import SignedIn

MIGRATIONS = Path(__file__).parent.parent / "migrations"


class World:
    """A database of its own with the handlers of both durables, and what stands in the outbox."""

    def __init__(self, urls: Any, db: Database, admin: asyncpg.Connection) -> None:
        self.urls = urls
        self.db = db
        self.admin = admin
        self.handle = facts.handler(db)
        self.automate = automations.handler(db)

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Read anything, as the superuser: no row-level security hides a thing."""
        return [dict(row) for row in await self.admin.fetch(query, *values)]

    async def told(self, kind: type[Any] | None = None) -> list[Envelope[Any]]:
        """List what is in the outbox, in order."""
        rows = await self.admin.fetch("select payload from pipeline.outbox order by id")
        every = [envelope.decode(row["payload"]) for row in rows]
        return [one for one in every if kind is None or isinstance(one.data, kind)]

    async def forget_told(self) -> None:
        """Empty the outbox."""
        await self.admin.execute("delete from pipeline.outbox")

    async def follow(self) -> None:
        """Rules have run for what is in the outbox, and for what came of that, until nothing comes any more."""
        done: set[Any] = set()
        for _ in range(20):
            new = [one for one in await self.told() if isinstance(one.data, automations.BODIES) and one.id not in done]
            if not new:
                return
            await self.automate(new)
            done |= {one.id for one in new}
        raise AssertionError("rules go round and round")


@pytest_asyncio.fixture
async def world(provisioned: Callable[[str, Path], Any]) -> AsyncIterator[World]:
    urls = provisioned("pipeline", MIGRATIONS)
    admin = await asyncpg.connect(urls.admin_url)
    try:
        await admin.execute("set search_path = pipeline")
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


class Api:
    """The API as one caller, called without a network."""

    def __init__(self, http: httpx.AsyncClient, caller: SignedIn) -> None:
        self.http = http
        self.caller = caller

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200, key: str | None = None, **params: Any) -> Any:
        headers = self.caller.headers | ({"Idempotency-Key": key} if key else {})
        answer = await self.http.request(method, path, json=body, params=params, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else answer.text

    async def get(self, path: str, **params: Any) -> Any:
        return await self.ask("GET", path, **params)

    async def lead(self, title: str = "Mesas", **fields: Any) -> Any:
        return await self.ask("POST", "/api/leads", {"title": title, **fields}, status=201)

    async def refused(self, method: str, path: str, body: Any, status: int, code: str, **params: Any) -> Any:
        problem = await self.ask(method, path, body, status=status, **params)
        assert problem["code"] == code, problem
        return problem

    async def move(self, lead: Any, stage: str, *, status: int = 200, **fields: Any) -> Any:
        body = {"stage_id": stage, "version": lead["version"], **fields}
        return await self.ask("POST", f"/api/leads/{lead['id']}/move", body, status=status)

    async def stages(self) -> list[str]:
        """The ids of the default pipeline's stages."""
        return [stage["id"] for stage in (await self.get("/api/pipelines"))["items"][0]["stages"]]

    async def columns(self, **params: Any) -> list[list[str]]:
        """The titles of each column of the default board."""
        return [[lead["title"] for lead in column["leads"]["items"]] for column in (await self.get("/api/pipeline", **params))["items"]]


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


@pytest.fixture
def owner(client: httpx.AsyncClient, signed_in: Any, tenant: TenantId) -> Api:
    """The owner of the tenant."""
    return Api(client, signed_in(Role.OWNER, tenant))


@pytest.fixture
def agent(client: httpx.AsyncClient, signed_in: Any, tenant: TenantId) -> Api:
    """An agent of the tenant."""
    return Api(client, signed_in(Role.AGENT, tenant))


@pytest.fixture
def stranger(client: httpx.AsyncClient, signed_in: Any) -> Api:
    """The owner of another tenant."""
    return Api(client, signed_in(Role.OWNER))


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
