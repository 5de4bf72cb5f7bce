import os
import signal
import socket
import sys

import psutil
import pytest
from clarin.processes import Process, Stage
from clarin.supervisor import GaveUp, Program, Supervisor, rotate
from servicekit.embedded import Nats, free_port
from servicekit.testing import eventually

SERVING = """
import http.server, os, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ready).serve_forever()
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def a_program(folder, code=SERVING, name="auth", stage=Stage.SERVICE):
    port = free_port()
    environment = dict(os.environ) | {"PORT": str(port)}
    return Program(Process(name=name, command=(sys.executable, "-c", code), stage=stage, port=port, environment=environment), folder)


@pytest.fixture
async def supervisor():
    supervisor = Supervisor(lambda text: supervisor.said.append(text), lambda: supervisor.changes.append(dict(supervisor.pids)))
    supervisor.said, supervisor.changes = [], []
    yield supervisor
    await supervisor.stop(5)


async def test_a_process_that_was_killed_is_started_again_and_that_is_said(supervisor, tmp_path):
    program = a_program(tmp_path)
    await supervisor.keep(program, Stage.SERVICE)
    await supervisor.until_ready(program, timeout=10)
    pid = program.pid
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: supervisor.changes)
    await supervisor.until_ready(program, timeout=10)
    assert supervisor.pids == {"auth": program.pid}
    assert program.pid != pid
    assert "auth[/] was ended by SIGKILL and is started again in 0.5 s" in supervisor.said[0]


async def test_a_server_that_was_killed_is_started_again_on_the_same_port(supervisor, tmp_path):
    server = Nats(tmp_path / "nats")
    await supervisor.keep(server, Stage.SERVER)
    port = server.port
    os.kill(server.pid, signal.SIGKILL)
    await eventually(lambda: supervisor.changes)
    with socket.create_connection(("127.0.0.1", port)):
        assert server.port == port
    assert "nats[/] was ended by SIGKILL" in supervisor.said[0]


async def test_a_process_that_ends_again_and_again_is_given_up_with_its_last_words(supervisor, tmp_path):
    program = a_program(tmp_path, "raise SystemExit('no such thing')")
    await supervisor.keep(program, Stage.SERVICE)
    with pytest.raises(ExceptionGroup) as raised:
        await supervisor.until_ready(program, timeout=20)
    assert raised.group_contains(GaveUp, match="no such thing")


async def test_a_process_without_its_settings_is_given_up_at_once(supervisor, tmp_path):
    program = a_program(tmp_path, "import sys; sys.stderr.write('CLARIN_NATS_URL is missing'); sys.exit(78)")
    await supervisor.keep(program, Stage.SERVICE)
    with pytest.raises(ExceptionGroup) as raised:
        await supervisor.until_ready(program, timeout=20)
    assert raised.group_contains(GaveUp, match="CLARIN_NATS_URL is missing")


async def test_what_does_not_end_by_itself_is_killed_in_time(supervisor, tmp_path):
    program = a_program(tmp_path, DEAF)
    await supervisor.keep(program, Stage.SERVICE)
    await eventually(lambda: "deaf" in program.log_tail())
    process = psutil.Process(program.pid)
    await supervisor.stop(0.3)
    assert not process.is_running()
    assert "did not end within" in supervisor.said[-1]


async def test_the_edge_is_stopped_before_the_services_and_those_before_the_servers(supervisor, tmp_path):
    note = "import signal, sys, time, os; signal.signal(signal.SIGTERM, lambda *_: (open({0!r}, 'a').write({1!r}), sys.exit(0))); "
    note += "print('up', flush=True); time.sleep(60)"
    order = tmp_path / "order"
    for name, stage in (("server ", Stage.SERVER), ("service ", Stage.SERVICE), ("edge ", Stage.EDGE)):
        program = a_program(tmp_path, note.format(str(order), name), name, stage)
        await supervisor.keep(program, stage)
        await eventually(lambda program=program: "up" in program.log_tail())
    await supervisor.stop(10)
    assert order.read_text() == "edge service server "


def test_a_log_that_has_grown_too_large_is_put_aside(tmp_path):
    log = tmp_path / "auth.log"
    for generation in range(5):
        with log.open("wb") as file:
            file.write(bytes([65 + generation]))
            file.truncate(11 << 20)
        rotate(tmp_path)
    assert not log.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["auth.log.1", "auth.log.2", "auth.log.3"]
    with (tmp_path / "auth.log.1").open("rb") as file:
        assert file.read(1) == b"E"
