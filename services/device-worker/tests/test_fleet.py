"""Several workers as processes: too large, too full, and a cluster of the bus whose leader dies."""

import asyncio
import json
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from contracts import buckets
from prometheus_client.parser import text_string_to_metric_families
from servicekit import bus as buses
from servicekit.bus import Bus
from servicekit.embedded import Nats, free_port
from servicekit.testing import eventually

pytestmark = pytest.mark.timeout(180)

FENCED = 70


async def test_a_worker_that_has_grown_too_large_hands_its_sessions_over_and_ends(world):
    one = await world.worker("one", CLARIN_WORKER_ID="one", CLARIN_RECYCLE_MEMORY_MB="100", CLARIN_RECYCLE_MINUTES="0")
    device = await world.linked()
    assert one.process.returncode is None  # too large it is, but there is nobody to go on with its sessions
    two = await world.worker("two", CLARIN_WORKER_ID="two")
    assert await asyncio.wait_for(one.process.wait(), 60) == 0
    assert '"worker.recycles"' in one.log.read_text()
    await world.phones.write(world.ana, world.shop, "still there?")
    await world.some("devices.message.observed", timeout=30)
    await world.until(device, "connected")
    owners = {row["worker"].partition("~")[0] for row in await world.rows("select worker from shards")}
    assert owners == {"two"}
    assert two.process.returncode is None


async def test_a_number_for_which_no_worker_has_room_says_so_and_begins_when_there_is_some(world):
    lines = [await world.device(f"Line {number}") for number in range(4)]
    for line in lines:
        await world.client.post(f"/api/devices/{line}/connect")
    port = free_port()
    one = await world.worker("one", CLARIN_WORKER_ID="one", CLARIN_SESSIONS_MAX="2", CLARIN_PAIRINGS_MAX="1", CLARIN_HTTP_PORT=str(port))

    async def waiting(count: int) -> list[str]:
        """Every shard is served, and so many numbers wait for room; gives those."""
        seen = await metrics(port)
        assert (seen["clarin_devices_shards_unowned"], seen["clarin_devices_shards_held"]) == (0, 128)
        assert seen["clarin_devices_capacity_sessions"] == 2
        shown = [await world.show(line) for line in lines]
        found = [device["id"] for device in shown if (device["reason"], device["action"]) == ("no-capacity", "wait")]
        assert seen["clarin_devices_without_room"] == len(found) == count
        assert {device["state"] for device in shown if device["id"] in found} == {"pairing"}
        return found

    refused = await eventually(lambda: waiting(2), timeout=90, every=0.1)
    [ended, _] = set(lines) - set(refused)
    await world.client.post(f"/api/devices/{ended}/disconnect")
    [left] = await eventually(lambda: waiting(1), timeout=90, every=0.1)
    assert left in refused
    await world.worker("two", CLARIN_WORKER_ID="two")
    await world.qr(left)
    owners = {row["worker"].partition("~")[0] for row in await world.rows("select worker from shards")}
    assert owners == {"one", "two"}
    assert one.process.returncode is None


async def test_a_qr_that_nobody_scans_runs_out_with_a_reason_and_another_can_be_asked_for(world):
    await world.worker(CLARIN_PAIRING_SECONDS="4")
    device = await world.device()
    await world.client.post(f"/api/devices/{device}/connect")
    first = await world.qr(device)
    expired = await world.until(device, "new")
    assert (expired["reason"], expired["action"], expired["wanted"]) == ("qr-expired", "scan-again", "disconnected")
    assert (await world.client.get(f"/api/devices/{device}/qr")).status_code == 409
    await world.client.post(f"/api/devices/{device}/connect")
    assert await world.qr(device) != first


@pytest.fixture
def cluster(server_folder: Path) -> Any:
    """Three servers of the bus that are one."""
    ports = [free_port() for _ in range(3)]
    servers = [
        Nats(
            server_folder / f"cluster-{number}",
            durable=False,
            options={
                "server_name": f"n{number}",
                "cluster": {"name": "clarin", "listen": f"127.0.0.1:{port}", "routes": [f"nats://127.0.0.1:{other}" for other in ports]},
            },
        )
        for number, port in enumerate(ports)
    ]
    for server in servers:
        server.start()
    yield {f"n{number}": server for number, server in enumerate(servers)}
    for server in servers:
        server.stop()


class TestCluster:
    @pytest_asyncio.fixture
    async def bus_url(self, cluster: dict[str, Nats]) -> str:
        await buses.declare(cluster["n0"].url, replicas=3)
        return cluster["n0"].url

    @pytest_asyncio.fixture
    async def bus(self, bus_url: str) -> AsyncIterator[Bus]:
        async with Bus.open(bus_url, name="test") as opened:
            yield opened

    async def test_no_worker_ends_itself_when_the_leader_of_the_bus_is_killed(self, world, cluster):
        workers = [await world.worker(name, CLARIN_WORKER_ID=name) for name in ("one", "two")]
        device = await world.linked()

        async def both() -> bool:
            rows = await world.rows("select worker, count(*) from shards group by worker having count(*) > 30")
            return len(rows) == 2

        await eventually(both)
        before = await world.rows("select shard, fence, worker from shards order by shard")
        info = await world.bus.connection.api(f"STREAM.INFO.KV_{buckets.SHARDS.name}")
        cluster[info["cluster"]["leader"]].kill()
        bucket = await world.bus.bucket(buckets.SHARDS)
        revisions: dict[str, int] = {}

        async def renewed_again() -> None:
            """Every lease was renewed under the new leader, and is another revision a little later."""
            try:
                found = await bucket.entries(timeout=2)
            except buses.BusAway as away:
                raise AssertionError("the bus is away") from away
            assert len(found) == 128
            assert {json.loads(entry.value)["worker"].partition("~")[0] for entry in found.values()} == {"one", "two"}
            if not revisions:
                revisions.update({key: entry.revision for key, entry in found.items()})
            assert all(entry.revision > revisions[key] for key, entry in found.items())

        await eventually(renewed_again, every=0.2)
        assert [worker.process.returncode for worker in workers] == [None, None]
        assert await world.rows("select shard, fence, worker from shards order by shard") == before
        await world.phones.write(world.ana, world.shop, "still there?")
        await world.some("devices.message.observed", timeout=30)
        assert (await world.show(device))["state"] == "connected"


async def test_a_worker_whose_machine_slept_ends_itself_before_it_does_anything_else(bus_url, urls, tmp_path):
    """The clock that goes on while a machine sleeps has jumped by a minute: the leases are long another's."""
    program = tmp_path / "sleeps.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import asyncio, time
            from device_worker.leases import Leases
            from servicekit.bus import Bus
            from servicekit.db import Database

            async def nothing(*_):
                pass

            slept = 0.0

            async def main():
                global slept
                async with Bus.open({bus_url!r}, name="t") as bus, Database.open({urls.system_url!r}, application="t") as db:
                    held = Leases(bus, db, "sleeps", gained=nothing, lost=nothing, clock=lambda: time.monotonic() + slept)
                    task = asyncio.create_task(held.run(asyncio.Event()))
                    while len(held.held) < 128:
                        await asyncio.sleep(0.01)
                    slept = 60.0
                    await task

            asyncio.run(main())
            """
        )
    )
    process = await asyncio.create_subprocess_exec(sys.executable, str(program), stderr=asyncio.subprocess.PIPE)
    _, error = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == FENCED
    assert b"ending before another worker takes over" in error


async def metrics(port: int) -> dict[str, float]:
    """What a worker counts, without labels."""
    try:
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    except httpx.TransportError as away:
        raise AssertionError("the worker does not answer yet") from away
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: sample.value for sample in samples if not sample.labels}
