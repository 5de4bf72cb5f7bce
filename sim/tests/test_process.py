"""The network as a process, its control API's refusals, and the launcher."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from sim.launcher import Info, Refused, environment

INFO = Info(root_key="00" * 32, proxy_port=1, ca_file="/nowhere/ca.pem", control_url="http://127.0.0.1:1", pid=1)


async def run(*command, **env):
    """Exit code, output and errors of a command."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **env}
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


async def test_it_ends_within_two_seconds_of_sigterm_and_takes_its_info_file_with_it(network, sessions):
    await network.api.phone("573001112233")
    await sessions.link("573001112233")
    began = time.monotonic()
    assert await network.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 2
    assert not (network.folder / "info.json").exists()
    await network.start()


async def test_it_refuses_production_and_a_folder_in_use(network, tmp_path):
    code, _, err = await run(sys.executable, "-m", "sim", "--data", str(tmp_path / "x"), CLARIN_ENV="production")
    assert (code, len(err.splitlines())) == (2, 1)
    code, _, err = await run(sys.executable, "-m", "sim", "--data", str(network.folder))
    assert (code, len(err.splitlines())) == (2, 1)
    assert (network.folder / "info.json").exists()


def listening():
    """The addresses that anybody listens on, as the kernel writes them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines if line.split()[3] == "0A"}


async def test_it_listens_on_loopback_alone(network):
    sockets = listening()
    for port in (network.info.proxy_port, int(network.info.control_url.rpartition(":")[2])):
        assert {address for address in sockets if address.endswith(f":{port:04X}")} == {f"0100007F:{port:04X}"}


async def test_only_whatsapps_names_are_let_through_the_proxy(network):
    for head, answer in (
        (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 403"),
        (b"CONNECT web.whatsapp.com:80 HTTP/1.1\r\n\r\n", b"HTTP/1.1 403"),
        (b"GET http://web.whatsapp.com/ HTTP/1.1\r\n\r\n", b"HTTP/1.1 405"),
        (b"CONNECT web.whatsapp.com:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", network.info.proxy_port)
        writer.write(head)
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(answer)
        writer.close()


def test_the_environment_attaches_and_production_refuses():
    env = environment(INFO, {"PYTHONPATH": "/mine", "https_proxy": "http://elsewhere", "HOME": "/h"})
    assert env["HTTPS_PROXY"] == "http://127.0.0.1:1"
    assert env["SSL_CERT_FILE"] == "/nowhere/ca.pem"
    assert env["PYTHONPATH"].endswith(f"bootstrap{os.pathsep}/mine")
    assert "https_proxy" not in env
    assert environment(INFO, env) == env
    with pytest.raises(Refused):
        environment(INFO, {"CLARIN_ENV": "production"})


async def test_a_launched_process_and_its_children_are_attached(network):
    child = "import pylibmagic, sys; assert 'neonize' not in sys.modules; import neonize; print('attached')"
    parent = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {child!r}]).returncode)"
    info = str(network.folder / "info.json")
    code, out, err = await run(sys.executable, "-m", "sim.launch", "--info-file", info, "--", "python", "-c", parent)
    assert (code, out.strip().splitlines()[-1]) == (0, "attached"), err


async def test_a_library_without_the_known_key_is_not_started():
    again = "import pylibmagic, neonize, sitecustomize; sitecustomize.trust(bytes(32))"
    code, _, err = await run(sys.executable, "-c", again, **environment(INFO, {}))
    assert code == 1
    assert "found 0 times" in err
