import json
import os
import socket
import stat

import pytest
from clarin.folder import AlreadyRuns, Folder, Running


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path / "data")
    folder.make()
    return folder


def a_running(**changes):
    shape = {"url": "http://127.0.0.1:1", "sim_url": None, "postgres": "postgresql://p", "nats": "nats://n", "redis": "redis://r"}
    return Running(**shape | {"pids": {"auth": 7}, "urls": {}, "data": "data", "pid": os.getpid()} | changes)


def test_what_it_keeps_is_closed_to_others(folder):
    folder.password("nats.auth")
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.secrets / "passwords.json").stat().st_mode) == 0o600


def test_a_password_stays_and_differs_from_every_other(folder):
    first = folder.password("nats.auth")
    assert Folder(folder.root).password("nats.auth") == first
    assert folder.password("nats.devices") != first


def test_a_port_is_kept_while_it_is_free_and_changed_when_it_is_taken(folder):
    port = folder.port("auth")
    assert Folder(folder.root).port("auth") == port
    with socket.create_server(("127.0.0.1", port)):
        moved = folder.port("auth")
    assert moved != port
    assert folder.port("auth") == moved


def test_only_one_runs_on_a_folder(folder):
    with folder.lock():
        assert folder.is_locked()
        assert folder.runner() == os.getpid()
        with pytest.raises(AlreadyRuns, match="clarin down"), Folder(folder.root).lock():
            pass
    assert not folder.is_locked()


def test_what_runs_is_told_to_whoever_asks_and_to_the_ready_file(folder, tmp_path):
    with folder.lock():
        folder.tell(a_running(), tmp_path / "ready.json")
        assert folder.running() == a_running()
    assert json.loads((tmp_path / "ready.json").read_text())["pids"] == {"auth": 7}


def test_the_word_of_a_run_that_was_killed_is_not_believed(folder):
    folder.tell(a_running())
    assert folder.running() is None
