import importlib.util
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from contracts import ids
from contracts.ids import TenantId
from contracts.principal import Role
from device_worker import api, consumers
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.health import Health
from servicekit.http import create_app
from servicekit.testing.databases import Urls
from sim.launcher import environment
from sim.testing import Api

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@pytest.fixture
def urls(provisioned: Callable[[str, Path], Urls]) -> Urls:
    return provisioned("devices", MIGRATIONS)


@pytest_asyncio.fixture
async def db(urls: Urls) -> AsyncIterator[Database]:
    async with Database.open(urls.service_url, application="test", pool=4) as database:
        yield database


@pytest_asyncio.fixture
async def system_db(urls: Urls) -> AsyncIterator[Database]:
    async with Database.open(urls.system_url, application="test-system", pool=8) as database:
        yield database


def _neighbour(name: str) -> Any:
    """Import a module that lies beside the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(f"device_worker_tests_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


world_of = _neighbour("world")


@pytest.fixture
def tenant() -> TenantId:
    return TenantId(ids.new())


@pytest_asyncio.fixture
async def client(db: Database, bus: Bus, signed_in: Any, tenant: TenantId) -> AsyncIterator[httpx.AsyncClient]:
    """The API, as the owner of *tenant*."""
    async with Verifier.open(bus) as verifier:
        app = create_app(
            title="devices",
            service=Health(),
            verifier=verifier,
            routers=[api.router, api.alias],
            cursor_secret="s" * 32,
            state={"db": db, "vault": world_of.VAULT, "private_proxies": True},
        )
        headers = signed_in(Role.OWNER, tenant).headers
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://devices", headers=headers, timeout=30) as http:
            yield http


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The network on loopback, one for all tests; each uses numbers of its own."""
    network = world_of.Network(tmp_path_factory.mktemp("sim"))
    try:
        yield network
    finally:
        network.stop()


@pytest_asyncio.fixture
async def world(
    urls: Urls,
    db: Database,
    system_db: Database,
    bus: Bus,
    bus_url: str,
    client: httpx.AsyncClient,
    network: Any,
    empty_database: Callable[[], str],
    tenant: TenantId,
    tmp_path: Path,
) -> AsyncIterator[Any]:
    """Everything but the worker, which a test starts."""
    more = {
        "CLARIN_SYSTEM_DATABASE_URL": urls.system_url,
        "CLARIN_WHATSAPP_DATABASE_URL": empty_database(),
        "CLARIN_NATS_URL": bus_url,
    }
    network.resume()
    made = world_of.World(
        tenant=tenant,
        client=client,
        db=db,
        system_db=system_db,
        bus=bus,
        network=network,
        phones=Api(network.info.control_url),
        environment=environment(network.info, world_of.base_environment() | more),
        folder=tmp_path,
    )
    async with made.phones, world_of.running(bus.consumer(consumers.orders(db))):
        try:
            yield made
        finally:
            await made.end()
