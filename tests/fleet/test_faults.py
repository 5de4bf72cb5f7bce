"""Workers die, hang and are drained, and what they need goes away: every session comes back, and every message arrives once."""

import asyncio
import os
import signal
import sys
from datetime import datetime

import pytest
from bench.failover import unattended
from bench.fleet import link
from clarin.client import eventually

pytestmark = pytest.mark.timeout(360)

#: Seconds: without the bus a worker ends itself within these; elsewhere less will do.
WITHOUT = {"nats": 13.0, "postgres": 5.0, "whatsapp": 6.0}
RATE = 20.0


async def test_two_workers_share_the_shards_evenly(scene):
    rows = await scene.database.fetch("select worker, count(*) as shards from devices.shards group by worker")
    assert sum(row["shards"] for row in rows) == 128
    assert len(rows) == 2
    assert min(row["shards"] for row in rows) >= 40


async def test_the_sessions_of_a_killed_worker_are_on_the_other_when_its_leases_have_died(scene):
    assert await scene.held_by("worker-1")
    with unattended(scene.system):
        scene.system.kill("worker-1")
        await scene.traffic.once_each("killed", 100)
        await eventually(lambda: moved(scene, "worker-1"), 90, "the other worker has not taken over")
        found = await scene.every_session_still_talks("after-kill")
    assert (found.lost, found.doubled, found.unknown) == (0, 0, 0), found


async def test_a_worker_that_is_told_to_end_hands_its_sessions_over(scene):
    with unattended(scene.system):
        stopping = asyncio.Event()
        running = asyncio.create_task(scene.traffic.run("drained", RATE, stopping))
        os.kill(scene.system.pid("worker-2"), signal.SIGTERM)
        await eventually(lambda: moved(scene, "worker-2"), 60, "the other worker has not taken over")
        stopping.set()
        await running
        found = await scene.every_session_still_talks("after-drain")
    assert (found.lost, found.doubled, found.unknown) == (0, 0, 0), found


async def test_a_worker_that_is_drained_by_order_hands_its_sessions_over_and_goes_on_running(scene):
    pid = scene.system.pid("worker-1")
    assert await clarin(scene, "workers", "drain", "worker-1") == 0
    await eventually(lambda: moved(scene, "worker-1"), 60, "the other worker has not taken over")
    assert await clarin(scene, "workers", "drain", "worker-2") == 1  # there is nobody left to take its sessions
    found = await scene.every_session_still_talks("after-order")
    assert (found.lost, found.doubled, found.unknown) == (0, 0, 0), found
    assert scene.system.pid("worker-1") == pid
    assert await clarin(scene, "workers", "undrain", "worker-1") == 0
    await scene.shared()


async def test_a_worker_that_hung_until_another_had_its_sessions_ends_itself_and_doubles_nothing(scene):
    hung = scene.system.pid("worker-1")
    os.kill(hung, signal.SIGSTOP)
    stopping = asyncio.Event()
    running = asyncio.create_task(scene.traffic.run("hung", RATE, stopping))
    await eventually(lambda: moved(scene, "worker-1"), 90, "the other worker has not taken over")
    os.kill(hung, signal.SIGCONT)
    await eventually(lambda: another(scene, "worker-1", hung), 30, "the worker that hung did not end itself")
    stopping.set()
    await running
    await scene.shared()
    found = await scene.every_session_still_talks("after-hang", 3)
    assert (found.lost, found.doubled) == (0, 0), found
    assert found.asked >= 100


@pytest.mark.parametrize("server", ["nats", "postgres"])
async def test_every_message_arrives_once_though_a_server_was_away(scene, server):
    stopping = asyncio.Event()
    with unattended(scene.system):
        running = asyncio.create_task(scene.traffic.run(f"no-{server}", RATE, stopping))
        scene.system.kill(server)
        await asyncio.sleep(WITHOUT[server])
    await scene.all_online()
    stopping.set()
    await running
    found = await scene.every_session_still_talks(f"after-{server}")
    assert (found.lost, found.doubled) == (0, 0), found
    assert scene.traffic.refused == 0


async def test_all_sessions_come_back_when_whatsapp_was_away(scene):
    stopping = asyncio.Event()
    running = asyncio.create_task(scene.traffic.run("offline", RATE, stopping))
    await scene.network.post("/network", state="down")
    await asyncio.sleep(WITHOUT["whatsapp"])
    await scene.network.post("/network", state="up")
    await scene.all_online()
    stopping.set()
    await running
    found = await scene.every_session_still_talks("after-offline")
    assert (found.lost, found.doubled, found.unknown) == (0, 0, 0), found


async def test_a_session_that_was_opened_elsewhere_is_opened_here_again_once(scene):
    client, device, phone = scene.device(0)
    async with client.socket() as socket:
        await scene.network.post(f"/sessions/{phone}/replace")
        replaced = await socket.event("device_status", id=device, state="replaced")
        await socket.event("device_status", id=device, state="connected")
    assert replaced["reason"] == "opened-elsewhere"


async def test_a_banned_number_says_until_when_and_connects_after_that(scene):
    client, device, phone = scene.device(1)
    async with client.socket() as socket:
        await scene.network.post(f"/sessions/{phone}/ban", seconds=6)
        banned = await socket.event("device_status", id=device, state="banned")
        connected = await socket.event("device_status", id=device, state="connected")
    assert datetime.fromisoformat(banned["until"]) <= datetime.fromisoformat(connected["at"])


async def test_twenty_numbers_connect_at_the_same_moment(scene):
    numbers = [scene.device(index) for index in range(len(scene.fleet.numbers))]
    await asyncio.gather(*(client.insist("POST", f"/api/devices/{device}/disconnect") for client, device, _ in numbers))
    await eventually(lambda: offline(scene), 60, "sessions are connected that nobody wants")
    await asyncio.gather(*(client.insist("POST", f"/api/devices/{device}/connect") for client, device, _ in numbers))
    await scene.all_online()
    found = await scene.every_session_still_talks("after-connects")
    assert (found.lost, found.doubled, found.unknown) == (0, 0, 0), found


async def test_a_number_that_is_deleted_while_it_connects_is_gone_here_and_on_the_phone(scene):
    client, _, _ = scene.device(0)
    phone = await scene.system.phone(scene.network, "Tienda de paso")
    device = await link(client, scene.network, phone, "De paso")
    await client.connected(device)
    await client.insist("POST", f"/api/devices/{device}/disconnect")
    await eventually(lambda: unplugged(scene, phone), 60, "the session is still connected")
    await client.insist("POST", f"/api/devices/{device}/connect")
    await client.insist("DELETE", f"/api/devices/{device}")
    await eventually(lambda: unlinked(scene, phone), 60, "the phone still lists the session")
    status, _, _ = await client.raw("GET", f"/api/devices/{device}")
    assert status == 404
    assert device not in [found["id"] async for found in client.everything("/api/devices")]


async def clarin(scene, *words):
    """The command on the installation that runs; gives its exit code."""
    data = str(scene.system.ready["data"])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clarin", *words, "--data", data, stdout=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def moved(scene, worker):
    """Nothing is the worker's any more, and every session is connected."""
    return not await scene.held_by(worker) and await online(scene) == len(scene.fleet.numbers)


async def another(scene, worker, pid):
    return scene.system.pids().get(worker, pid) != pid


async def online(scene):
    return (await scene.network.get("/stats"))["online"]


async def offline(scene):
    return await online(scene) == 0


async def unplugged(scene, phone):
    return not any(session["connected"] for session in (await scene.network.get(f"/phones/{phone}"))["sessions"])


async def unlinked(scene, phone):
    return not (await scene.network.get(f"/phones/{phone}"))["sessions"]
