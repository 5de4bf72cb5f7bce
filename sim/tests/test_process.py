"""The network as a process, its control API's refusals, and the launcher."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from sim.launcher import Info, Refused, environment
from sim.testing import Refusal

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


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/phones", {"number": "573001112233"}, 409, "phone-exists"),
        ("POST", "/phones", {"number": "hola"}, 422, "bad-number"),
        ("POST", "/phones", {"name": "sin número"}, 422, "bad-body"),
        ("POST", "/phones", {"number": "573001112299", "color": "azul"}, 422, "bad-body"),
        ("GET", "/phones/573000000000", None, 404, "no-phone"),
        ("POST", "/phones/573001112233/messages", {"to": "573000000000", "text": "hola"}, 404, "not-on-whatsapp"),
        ("POST", "/phones/573001112233/messages", {"to": "573001112233", "text": ""}, 422, "bad-body"),
        ("POST", "/phones/573001112233/receipts", {"id": "nada"}, 404, "no-message"),
        ("POST", "/phones/573001112233/code", {"code": "AAAA-AAAA"}, 409, "no-code-shown"),
        ("POST", "/phones/573001112233/media", {}, 422, "bad-body"),
        ("PATCH", "/phones/573001112233", {"auto_receipts": "quizás"}, 422, "bad-body"),
        ("GET", "/phones/573001112233/inbox?after=ayer", None, 422, "bad-query"),
        ("POST", "/network", {"state": "sideways"}, 422, "bad-body"),
        ("GET", "/nowhere", None, 404, "not-found"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_reason(network, method, path, body, status, code):
    await network.api.phone("573001112233")
    with pytest.raises(Refusal) as refused:
        await network.api.ask(method, path, body)
    assert (refused.value.status, refused.value.code) == (status, code)


async def test_pages_of_other_origins_are_refused(network):
    async with aiohttp.ClientSession() as session:
        for headers in ({"Origin": "https://example.org"}, {"Host": "example.org"}):
            async with session.get(network.info.control_url + "/phones", headers=headers) as answer:
                assert answer.status == 403


async def test_phones_write_to_each_other_and_see_their_ticks(network):
    api = network.api
    await api.phone("573001112233", auto_receipts="read")
    await api.phone("573109998877")
    waiting = asyncio.create_task(api.wait_for("573001112233", "inbox", 1))
    id = await api.write("573109998877", "573001112233", "hola")
    (item,) = await waiting
    assert (item["id"], item["text"], item["from"], item["n"]) == (id, "hola", "573109998877", 1)
    ticks = await api.wait_for("573109998877", "receipts", 2)
    assert [(tick["id"], tick["type"]) for tick in ticks] == [(id, "delivered"), (id, "read")]
    (line,) = (await api.get("/phones/573109998877/chats/573001112233"))["items"]
    assert (line["from_me"], line["text"], line["status"]) == (True, "hola", "read")


async def test_the_page_and_its_files_are_there(network):
    async with aiohttp.ClientSession(network.info.control_url) as session:
        for path, kind in (("/", "html"), ("/page/page.js", "javascript"), ("/page/page.css", "css")):
            async with session.get(path) as answer:
                assert answer.status == 200
                assert kind in answer.content_type
                assert len(await answer.text()) > 1000


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
