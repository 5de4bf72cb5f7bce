"""The fleet as the installation's owner sees and orders it: real buckets, workers that are objects of this process."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from contracts import ids
from contracts.ids import DeviceId, TenantId
from contracts.principal import Role
from device_worker import ops
from device_worker.domain import Device
from device_worker.leases import Leases
from device_worker.shards import EVERY, Report, shard_of
from device_worker.store import devices
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.health import Health
from servicekit.http import create_app
from servicekit.testing import eventually

ALL = set(EVERY)


class Cargo:
    """A load that a test decides; what is beyond its capacity waits for room."""

    def __init__(self, capacity: int = 400, weights: Mapping[int, int] | None = None) -> None:
        self.capacity = capacity
        self.weights = dict(weights or {})
        self.served: dict[int, None] = {}

    def running(self) -> set[int]:
        left, running = self.capacity, set()
        for shard in self.served:
            if (left := left - self.weights.get(shard, 0)) >= 0:
                running.add(shard)
        return running

    def room(self) -> int:
        return self.capacity - sum(self.weights.get(shard, 0) for shard in self.running())

    def sessions(self, shard: int) -> int:
        return self.weights.get(shard, 0) if shard in self.running() else 0

    def up(self, shard: int) -> bool:
        return True

    def crowded(self) -> Mapping[int, int]:
        return {shard: self.weights[shard] for shard in self.served.keys() - self.running()}

    async def weigh(self, some: Iterable[int]) -> Mapping[int, int]:
        return {shard: self.weights.get(shard, 0) for shard in some}

    def report(self) -> Report:
        return Report(version="1.2", started_at=datetime.now(UTC), sessions={"connected": 3}, rss_mb=120.5)


@asynccontextmanager
async def worker(bus: Bus, system: Database, name: str, cargo: Cargo | None = None) -> AsyncIterator[Leases]:

    cargo = cargo or Cargo()

    async def gained(tokens: Mapping[int, int], given: Collection[int]) -> None:
        cargo.served.update(dict.fromkeys(tokens))

    async def lost(some: Iterable[int]) -> None:
        for shard in some:
            cargo.served.pop(shard, None)

    held = Leases(bus, system, name, gained=gained, lost=lost, load=cargo)
    stopping = asyncio.Event()
    task = asyncio.create_task(held.run(stopping))
    try:
        yield held
    finally:
        stopping.set()
        await task


@pytest_asyncio.fixture
async def owner(db: Database, system_db: Database, bus: Bus, signed_in: Any, tenant: TenantId) -> AsyncIterator[httpx.AsyncClient]:
    async with Verifier.open(bus) as verifier:
        state = {"db": db, "system": system_db, "bus": bus}
        app = create_app(title="devices", service=Health(), verifier=verifier, routers=[ops.router], cursor_secret="s" * 32, state=state)
        headers = signed_in(Role.OWNER, tenant, installation=True).headers
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://devices", headers=headers) as http:
            yield http


async def workers(owner: httpx.AsyncClient) -> dict[str, Any]:
    answer = await owner.get("/api/ops/workers")
    assert answer.status_code == 200, answer.text
    return {item["id"]: item for item in answer.json()["items"]}


async def shard(owner: httpx.AsyncClient, number: int) -> dict[str, Any]:
    return next(item for item in (await owner.get("/api/ops/shards")).json()["items"] if item["number"] == number)


async def test_the_owner_sees_every_worker_and_every_shard_with_what_is_in_it(bus, db, system_db, owner, tenant):
    now = datetime.now(UTC)
    device = Device(tenant=tenant, id=DeviceId(ids.new()), name="Ventas", created_at=now, changed_at=now).connect(now)
    async with db.transaction(tenant) as tx:
        await devices.insert(tx, device)
    async with worker(bus, system_db, "a~1"):

        async def told() -> None:
            found = await workers(owner)
            assert "a~1" in found
            shown = found["a~1"]
            assert (shown["state"], shown["shards"], shown["version"], shown["sessions"]) == ("running", 128, "1.2", {"connected": 3})
            assert (shown["capacity"], shown["rss_mb"], shown["loss_windows"]) == (400, 120.5, {})
            its = await shard(owner, shard_of(device.id))
            assert (its["worker"], its["devices"], its["sessions"], its["connected"]) == ("a~1", 1, 1, 0)
            assert its["fence"] > 0
            assert its["age_seconds"] < 15

        await eventually(told)
    assert (await shard(owner, 0))["worker"] is None


async def test_a_worker_that_is_drained_has_nothing_until_it_is_undrained_and_the_last_one_cannot_be(bus, system_db, owner):
    async with worker(bus, system_db, "a~1"), worker(bus, system_db, "b~2"):
        await eventually(lambda: has(owner, "b~2", some=True))
        answer = await owner.post("/api/ops/workers/b/drain")
        assert (answer.status_code, answer.json()["id"]) == (202, "b~2")
        await eventually(lambda: state(owner, "b~2", "drained"))
        await eventually(lambda: has(owner, "a~1", exactly=128))
        assert (await owner.post("/api/ops/workers/b~2/drain")).status_code == 202
        last = await owner.post("/api/ops/workers/a~1/drain")
        assert (last.status_code, last.json()["code"]) == (409, "no-other-worker")
        missing = await owner.post("/api/ops/workers/nobody/drain")
        assert (missing.status_code, missing.json()["code"]) == (404, "worker-not-found")
        assert (await owner.post("/api/ops/workers/b~2/undrain")).status_code == 202
        await eventually(lambda: has(owner, "b~2", some=True))
        assert await state(owner, "b~2", "running")


async def test_a_shard_that_is_moved_stays_where_it_was_put_until_it_is_let_go(bus, system_db, owner):
    async with worker(bus, system_db, "a~1"), worker(bus, system_db, "b~2"):
        await eventually(lambda: has(owner, "b~2", some=True))
        number = next(item["number"] for item in (await owner.get("/api/ops/shards")).json()["items"] if item["worker"] == "a~1")
        assert (await owner.post(f"/api/ops/shards/{number}/move", json={"worker": "b~2"})).status_code == 202
        await eventually(lambda: owned(owner, number, "b~2"))
        assert (await shard(owner, number))["moved_to"] == "b~2"
        await owner.post("/api/ops/workers/b~2/drain")
        refused = await owner.post(f"/api/ops/shards/{number}/move", json={"worker": "b~2"})
        assert (refused.status_code, refused.json()["code"]) == (409, "worker-takes-none")
        await eventually(lambda: owned(owner, number, "a~1"))
        await owner.post("/api/ops/workers/b~2/undrain")
        await eventually(lambda: owned(owner, number, "b~2"))
        assert (await owner.post(f"/api/ops/shards/{number}/move", json={"worker": None})).status_code == 202
        await eventually(lambda: owned(owner, number, "a~1"))


@pytest.mark.parametrize(
    ("number", "body", "status", "code"),
    [(128, {"worker": None}, 404, "shard-not-found"), (1, {"worker": "x"}, 404, "worker-not-found"), (1, {}, 422, "invalid")],
)
async def test_what_is_not_there_cannot_be_moved(owner, number, body, status, code):
    answer = await owner.post(f"/api/ops/shards/{number}/move", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_only_the_installations_owner_is_served(owner, signed_in, tenant):
    headers = signed_in(Role.OWNER, tenant).headers
    for method, path in (("GET", "/api/ops/workers"), ("GET", "/api/ops/shards"), ("POST", "/api/ops/workers/a/drain")):
        answer = await owner.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "installation-only")


async def test_what_nobody_has_room_for_is_kept_by_who_is_full_until_one_with_room_comes(bus, system_db, owner):
    weights = dict.fromkeys(EVERY, 1)
    async with worker(bus, system_db, "a~1", Cargo(50, weights)):
        await eventually(lambda: state(owner, "a~1", "full"))
        await eventually(lambda: has(owner, "a~1", exactly=128))
        async with worker(bus, system_db, "b~2", Cargo(100, weights)):
            await eventually(lambda: has(owner, "b~2", exactly=78))
            assert (await workers(owner))["a~1"]["shards"] == 50


async def has(owner: httpx.AsyncClient, name: str, *, some: bool = False, exactly: int = -1) -> bool:
    count = (await workers(owner)).get(name, {"shards": 0})["shards"]
    return count > 30 if some else bool(count == exactly)


async def state(owner: httpx.AsyncClient, name: str, wanted: str) -> bool:
    return bool((await workers(owner)).get(name, {}).get("state") == wanted)


async def owned(owner: httpx.AsyncClient, number: int, wanted: str) -> bool:
    return bool((await shard(owner, number))["worker"] == wanted)
