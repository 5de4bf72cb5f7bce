"""The whole system as a user starts it, on one data folder: the tests here follow each other."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import urllib.request

import psutil
import pytest
from clarin.testing import start
from contracts import ids, subjects
from contracts.events.devices import MessageObserved
from servicekit.bus import Bus
from servicekit.testing import eventually

EVERYONE = {
    "postgres",
    "nats",
    "valkey",
    "sim",
    "auth",
    "bot",
    "devices",
    "conversations",
    "pipeline",
    "webhooks",
    "realtime",
    "gateway",
    "worker-1",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    # Closed, as a folder of root's is: PostgreSQL, which runs as nobody then, must find its way all the same.
    folder = tmp_path_factory.mktemp("installation")
    folder.chmod(0o700)
    return folder


@pytest.fixture(scope="module")
def system(folder):
    system = start(folder, "--workers", "1")
    yield system
    system.process.kill()
    system.process.wait()


def clarin(folder, *words):
    ran = subprocess.run(
        [sys.executable, "-m", "clarin", *words, "--data", str(folder / "data")], capture_output=True, text=True, timeout=150
    )
    return ran.returncode, ran.stdout


def family(pids):
    """The processes of these ids and all that they started."""
    return [process for pid in pids for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]


def lives(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return response.status == 200
    except OSError:
        return False


@pytest.mark.timeout(150)
def test_it_says_what_runs_where_once_all_is_ready(system, folder):
    ready = json.loads((folder / "ready.json").read_text())
    assert set(ready["pids"]) - {"pgbouncer"} == EVERYONE  # which only some machines have
    assert all(lives(process) for process in family(ready["pids"].values()))
    assert answers(f"{ready['url']}/health/ready")
    assert ready["postgres"].startswith("postgresql://postgres:")
    assert stat.S_IMODE((folder / "ready.json").stat().st_mode) == 0o600


def test_a_link_that_is_handed_on_leads_to_the_panel_as_it_runs(system):
    async def invited():
        async with system.owner() as client:
            return await client.post("/api/invitations", {"role": "agent"}, key="one")

    assert asyncio.run(invited())["url"].startswith(f"{system.ready['url']}/invite?code=")


def test_status_shows_every_process_and_no_password(system, folder):
    code, said = clarin(folder, "status")
    assert code == 0
    assert all(f"{name} " in said for name in EVERYONE)
    assert system.ready["redis"].split("@")[0].rpartition(":")[2] not in said


def test_logs_show_what_a_process_says_and_name_those_that_there_are(system, folder):
    assert '"started"' in clarin(folder, "logs", "auth")[1]
    code, said = clarin(folder, "logs", "nobody")
    assert code == 1
    assert "conversations" in said


def test_a_second_start_on_the_same_folder_is_refused(system, folder):
    code, said = clarin(folder, "up", "--port", "0")
    assert code == 1
    assert "clarin down" in said


async def test_a_service_and_a_server_that_were_killed_come_back(system):
    for name in ("conversations", "nats"):
        before = system.pid(name)
        system.kill(name)
        await eventually(lambda name=name, before=before: system.pid(name) not in {before, 0}, every=0.1)
    url = system.ready["urls"]["conversations"]
    await eventually(lambda: answers(f"{url}/health/ready"), every=0.1)


def test_the_dead_letters_are_listed(system, folder):
    assert clarin(folder, "dlq", "list") == (0, "There are no dead letters.\n")


async def test_a_message_that_nobody_can_read_is_listed_and_given_back(system, folder):
    async with Bus.open(system.ready["nats"], name="test") as bus:
        await bus.publish_raw([(subjects.every(MessageObserved).replace("*", str(ids.new())), ids.new(), b"no envelope")])
    await eventually(lambda: "undecodable" in clarin(folder, "dlq", "list")[1], every=0.2)
    assert clarin(folder, "dlq", "replay") == (0, "1 given back.\n")


def test_the_owner_of_the_installation_is_made(system, folder, monkeypatch):
    monkeypatch.setenv("CLARIN_ADMIN_PASSWORD", "correct-horse-of-the-tests")
    code, said = clarin(folder, "admin", "create", "--email", "root@example.com")
    assert code == 0
    assert said.startswith("The installation's owner can sign in")


@pytest.mark.timeout(200)
async def test_nothing_outlives_the_kill_of_clarin_itself_and_it_starts_again_on_the_same_ports(system, folder):
    before = json.loads((folder / "ready.json").read_text())
    everyone = family(before["pids"].values())
    os.kill(system.process.pid, signal.SIGKILL)
    await eventually(lambda: not [process for process in everyone if lives(process)])
    assert clarin(folder, "status")[0] == 1

    again = "up", "--detach", "--workers", "1", "--port", "0", "--ready-file", str(folder / "again.json")
    code, said = clarin(folder, *again)
    assert code == 0, said
    ready = json.loads((folder / "again.json").read_text())
    everyone = family(ready["pids"].values())
    kept = "url", "sim_url", "postgres", "nats", "redis", "urls"
    assert {key: ready[key] for key in kept} == {key: before[key] for key in kept}
    assert clarin(folder, "down") == (0, "")
    assert not [process for process in everyone if lives(process)]
    assert not (folder / "again.json").exists()
