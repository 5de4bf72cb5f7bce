"""The process that the sessions are in: it dies with its worker, and its own death costs a restart of the sessions."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import psutil
import pytest
from device_worker.host.remote import Hooks, Host, HostFails
from device_worker.leases import VolumeTaken, own_volume
from device_worker.whatsapp.stderr import Stderr
from servicekit.testing import eventually

pytestmark = pytest.mark.timeout(120)

_AT_ONCE = timedelta(seconds=0.3)


async def test_a_host_that_is_killed_is_replaced_and_its_sessions_go_on_without_losing_what_it_kept(world):
    worker = await world.worker()
    device = await world.linked()
    sent: set[str] = set()

    async def write_all() -> None:
        for start in range(0, 200, 10):
            sent.update(await asyncio.gather(*(world.phones.write(world.ana, world.shop, f"{start + n}") for n in range(10))))

    writing = asyncio.create_task(write_all())
    await world.some("devices.message.observed", 20)
    killed = worker.host
    killed.kill()
    await writing

    async def all_there() -> None:
        told = {envelope.data.wa_id for envelope in await world.events("devices.message.observed")}
        assert told <= sent
        assert len(told) >= len(sent) - 2

    await eventually(all_there, every=0.2)
    await world.told(device, "connecting", "restarted")
    await world.until(device, "connected")
    content = [(e.data.wa_id, e.data.text) for e in await world.events("devices.message.observed") if e.data.kind == "text"]
    assert len(content) == len(set(content))
    assert worker.process.returncode is None
    assert worker.host.pid != killed.pid
    assert "Press Ctrl" not in worker.log.read_text()
    await eventually(lambda: len(os.listdir(worker.data / "journal")) == 1)


async def test_a_message_that_a_host_had_in_hand_when_it_died_is_unknown_and_never_sent_again(world):
    worker = await world.worker()
    device = await world.linked()
    await world.order(device, world.ana, "first")
    await world.some("devices.message.sent")
    world.network.pause()
    second = await world.order(device, world.ana, "second")

    async def sending() -> Any:
        return await world.rows("select 1 from sends where id = $1 and status = 'sending'", second)

    await eventually(sending)
    worker.host.kill()
    world.network.resume()
    [unsent] = await world.some("devices.message.unsent")
    assert (unsent.message, unsent.outcome, unsent.reason) == (second, "unknown", "worker-lost")
    await world.order(device, world.ana, "third")
    await world.some("devices.message.sent", 2)
    arrived = (await world.phones.get(f"/phones/{world.ana}/inbox?after=0"))["items"]
    assert [item["text"] for item in arrived] in (["first", "third"], ["first", "second", "third"])


async def test_a_host_ends_with_its_worker_and_nobody_has_the_workers_name_before(world):
    worker = await world.worker(CLARIN_WORKER_ID="one")
    await world.linked()
    host = worker.host
    host.suspend()
    await worker.kill()
    with pytest.raises(VolumeTaken):
        await asyncio.to_thread(own_volume, worker.data, "one", patience=_AT_ONCE)
    host.resume()
    await eventually(lambda: not psutil.pid_exists(host.pid))
    _, lock = await asyncio.to_thread(own_volume, worker.data, "one", patience=_AT_ONCE)
    os.close(lock)


def test_what_a_host_writes_to_its_standard_error_is_passed_on_but_for_what_the_library_says_at_each_start(capfd):
    stderr = Stderr()

    def write(text: str) -> None:
        subprocess.run([sys.executable, "-c", "import os, sys; os.write(2, sys.argv[1].encode())", text], stderr=stderr.fd, check=True)

    def passed_on(**more: bool) -> str:
        stderr.pass_on(**more)
        return str(capfd.readouterr().err)

    write("Press Ctrl+C to exit\nfatal error: concurrent map writes\n\ngoroutine 7 [run")
    assert passed_on() == "fatal error: concurrent map writes\n\n"
    assert passed_on() == ""
    write("ning]:\nPress Ctrl+C to exit\nmain.go")
    assert passed_on() == "goroutine 7 [running]:\n"
    write("x" * 100_000)
    assert passed_on().endswith("xxx")
    write(":12")
    assert passed_on(over=True).endswith(":12")
    assert passed_on(over=True) == ""


async def test_a_host_that_never_comes_up_is_tried_a_few_times_and_then_ends_the_worker(tmp_path):
    nowhere = tmp_path / "journal"
    nowhere.write_text("no folder can be made here")
    lost: list[None] = []
    hooks = Hooks(up=lambda journal: None, lost=lambda: lost.append(None), store_failed=lambda: None, appended=lambda: None)
    host = Host(
        store="postgresql://nobody@127.0.0.1:1/none",
        journal=nowhere,
        segment=1 << 14,
        capacity=1 << 20,
        log_level="ERROR",
        worker="one",
        lock=None,
        hooks=hooks,
    )
    with pytest.raises(HostFails):
        await host.start()
    with pytest.raises(HostFails):
        await host.run(asyncio.Event())
    assert lost
