"""As on a cluster: two of each service, two workers, three servers of the bus. Some of each kind are restarted under load; then
all of it is backed up while it runs, and lives on elsewhere. The tests follow each other."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.fleet import fleet
from bench.rolling import rolled
from bench.traffic import Traffic, listening
from bench.truth import tally
from clarin.client import Client, eventually
from clarin.folder import Folder
from clarin.testing import System, start, stop
from servicekit.testing.collector import Collector, collecting

NUMBERS = 4
#: One of each kind, and every replica of realtime: one of them has the socket.
RESTARTED = ("gateway", "auth", "conversations", "devices", "realtime", "worker-1", "nats-1", "valkey", "realtime-2")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    told = {"CLARIN_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "500"}
    running = start(tmp_path_factory.mktemp("large"), "--topology", "large", "--workers", "2", environment=told)
    yield running
    stop(running)


@pytest.mark.timeout(400)
async def test_nobody_notices_a_roll_out_and_one_trace_leads_from_the_phone_to_the_browser(large: System, collector: Collector):
    async with large.network() as network, fleet(large, network, NUMBERS, accounts=1) as numbers, listening(numbers) as heard:
        traffic = Traffic(network, numbers)
        await traffic.once_each("first", 10)
        await traffic.settled(heard, 60)
        await eventually(lambda: followed(collector), 60, "no trace leads all the way", every=0.5)
        result = await rolled(large, numbers, heard, traffic, rate=8, reads=10, at_once=8, names=RESTARTED)
    assert set(result["took"]) == set(RESTARTED)
    assert (result["failed_requests"], result["sends_refused"]) == (0, 0), result["requests"]
    assert (result["lost"], result["doubled"], result["failed"], result["unknown"]) == (0, 0, 0, 0), result
    assert (result["resynced"], result["resumed"] > 0) == (0, True)


@pytest.mark.timeout(400)
async def test_a_backup_lives_on_elsewhere_with_its_numbers_connected(large: System, tmp_path: Path):
    async with large.network() as network, fleet(large, network, NUMBERS, accounts=1) as numbers:
        number, owner = numbers.numbers[0], numbers.clients[0]
        await network.ask("POST", f"/phones/{number.customer}/messages", {"to": number.phone, "text": "before"})
        before = await eventually(lambda: texts(owner, number.customer, "before"), 30, "the message did not arrive")
        backup = tmp_path / "backup"
        await clarin("backup", "--to", str(backup), "--data", str(large.folder / "data"))
    await asyncio.to_thread(stop, large)
    key = Folder(large.folder / "data").key("encryption")
    await clarin("restore", "--from", str(backup), "--data", str(tmp_path / "data"), CLARIN_ENCRYPTION_KEY=key)
    # WhatsApp is in no backup: it goes on where it was, with the phones and what they know of our numbers.
    shutil.copytree(large.folder / "data" / "sim", tmp_path / "data" / "sim")
    shutil.copy(large.folder / "fleet.json", tmp_path)
    restored = await asyncio.to_thread(start, tmp_path, "--workers", "1")
    try:
        async with restored.network() as network, fleet(restored, network, NUMBERS, accounts=1) as numbers, listening(numbers) as heard:
            assert numbers.linked == 0, "a number had to be linked again"
            number, owner = numbers.numbers[0], numbers.clients[0]
            assert await texts(owner, number.customer, "before") == before
            traffic = Traffic(network, numbers)
            await traffic.once_each("restored", 10)
            counted = tally(await traffic.settled(heard, 60), "restored-")
            assert (counted.asked, counted.lost, counted.doubled, counted.unknown, counted.failed) == (2 * NUMBERS, 0, 0, 0, 0)
    finally:
        await asyncio.to_thread(stop, restored)


async def texts(owner: Client, customer: str, wanted: str) -> list[str] | None:
    """What a chat shows, once *wanted* is in it."""
    async for chat in owner.everything("/api/chats"):
        if (chat.get("contact") or {}).get("phone", "").removeprefix("+") == customer:
            shown = [str(message["text"]) async for message in owner.everything(f"/api/chats/{chat['id']}/messages")]
            return shown if wanted in shown else None
    return None


async def clarin(*words: str, **environment: str) -> None:
    """A command of the operator's has done its work."""
    command = [sys.executable, "-m", "clarin", *words]
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **environment}, stdout=PIPE, stderr=STDOUT)
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()


async def followed(collector: Collector) -> bool:
    """Both ways: from the phone's message to the frame, and from the request to what WhatsApp says of the message."""
    inward = [collector.trace(id) for id in collector.ids("realtime", "frame new_message")]
    outward = [collector.trace(id) for id in collector.ids("conversations", "POST /api/messages/send")]
    return any({"device-worker", "conversations", "realtime"} <= trace.keys() for trace in inward) and any(
        {"gateway", "conversations", "device-worker-api", "device-worker", "realtime"} <= trace.keys()
        and "whatsapp send" in trace["device-worker"]
        for trace in outward
    )
