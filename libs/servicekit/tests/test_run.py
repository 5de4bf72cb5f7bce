import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from servicekit.run import BackgroundEnded, Service
from servicekit.testing import eventually

PROCESS = """
import asyncio, os, sys
from contextlib import asynccontextmanager
from fastapi import APIRouter
from servicekit.http import create_app
from servicekit.run import service
from servicekit.settings import Settings, WithHttp

class S(WithHttp, Settings): pass

def say(text): print(text, flush=True)

router = APIRouter()

@router.get("/slow")
async def slow() -> dict[str, str]:
    say("SLOW")
    await asyncio.to_thread(sys.stdin.readline)
    say("SLOW DONE")
    return {"slow": "done"}

@asynccontextmanager
async def part(name):
    yield name
    say("CLOSED " + name)

async def work(stopping):
    await stopping.wait()
    say("BACKGROUND STOPPED")

async def crash(stopping):
    raise RuntimeError("broken part")

async def leave(stopping):
    return

async def deaf(stopping):
    await asyncio.Event().wait()

async def start(settings, process):
    await process.enter(part("first"))
    await process.enter(part("second"))
    process.background("work", work)
    how = os.environ["HOW"]
    if how == "fails to start": raise RuntimeError("broken start")
    if how == "never starts": say("STARTING"); await asyncio.Event().wait()
    if how in ("crash", "leave", "deaf"): process.background(how, {"crash": crash, "leave": leave, "deaf": deaf}[how])
    app = create_app(title="t", service=process, verifier=None, routers=[router])
    say("PORT %d" % process.serve(app, settings.http_host, settings.http_port))

service("shop", S, start)
"""


class Process:
    """A service that runs, and what it has said."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        async for line in self.process.stdout:
            self.lines.append(line.decode().strip())

    def said(self, text):
        return next((line for line in self.lines if text in line), None)

    async def ended(self, seconds=45):
        code = await asyncio.wait_for(self.process.wait(), seconds)
        await self._reading
        return code

    async def port(self):
        return int((await eventually(lambda: self.said("PORT"))).split()[1])


@asynccontextmanager
async def running(tmp_path: Path, how="well", **environment):
    script = tmp_path / "shop.py"
    script.write_text(PROCESS)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOW": how, **environment},
    )
    shop = Process(process)
    try:
        yield shop
    finally:
        if process.returncode is None:
            process.kill()
        await shop.ended()


async def get(port, path):
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_request_in_flight_finish_and_ends_with_0(tmp_path, number):
    async with running(tmp_path) as shop:
        port = await shop.port()
        asked = asyncio.create_task(get(port, "/slow"))
        await eventually(lambda: shop.said("SLOW"))
        shop.process.send_signal(number)
        await eventually(lambda: refused(port))
        shop.process.stdin.write(b"go on\n")
        assert await asked == (200, b'{"slow":"done"}')
        assert await shop.ended() == 0
        order = [line for line in shop.lines if line.startswith(("SLOW DONE", "BACKGROUND", "CLOSED"))]
        assert order == ["SLOW DONE", "BACKGROUND STOPPED", "CLOSED second", "CLOSED first"]


async def test_a_process_that_is_given_time_answers_on_a_waiting_connection_and_says_that_it_goes(tmp_path):
    async with running(tmp_path, CLARIN_HTTP_DRAIN="20") as shop:
        reader, writer = await asyncio.open_connection("127.0.0.1", await shop.port())
        assert b"connection: close" not in await said(reader, writer)
        shop.process.send_signal(signal.SIGTERM)
        await eventually(lambda: shop.said("stopping"))
        assert b"connection: close" in await said(reader, writer)
        assert await reader.read() == b"", "the connection goes on, after it was said to end"
        writer.close()


async def said(reader, writer):
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(length)
    return head.lower()


async def refused(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_a_second_signal_ends_it_at_once(tmp_path):
    async with running(tmp_path) as shop:
        port = await shop.port()
        asked = asyncio.create_task(get(port, "/slow"))
        await eventually(lambda: shop.said("SLOW"))
        shop.process.terminate()
        await eventually(lambda: shop.said('"stopping"'))
        shop.process.terminate()
        assert await shop.ended() == 1
        with pytest.raises(aiohttp.ClientError):
            await asked


@pytest.mark.parametrize(("how", "reason"), [("crash", "RuntimeError: broken part"), ("leave", "BackgroundEnded")])
async def test_a_background_part_that_ends_too_early_ends_the_process_with_1(tmp_path, how, reason):
    async with running(tmp_path, how) as shop:
        assert await shop.ended() == 1
        assert reason in shop.said('"error"')
        assert shop.said("BACKGROUND STOPPED")
        assert shop.said("CLOSED first")


async def test_a_process_that_cannot_start_closes_what_it_opened_and_ends_with_1(tmp_path):
    async with running(tmp_path, "fails to start") as shop:
        assert await shop.ended() == 1
        assert "broken start" in shop.said('"error"')
        assert shop.said("CLOSED first")


async def test_a_port_that_is_taken_is_told_and_ends_the_process_with_1(tmp_path):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server, running(tmp_path, CLARIN_HTTP_PORT=str(server.sockets[0].getsockname()[1])) as shop:
        assert await shop.ended() == 1
        assert "in use" in shop.said('"error"')


async def test_a_process_can_be_ended_before_it_has_started(tmp_path):
    async with running(tmp_path, "never starts") as shop:
        await eventually(lambda: shop.said("STARTING"))
        shop.process.terminate()
        assert await shop.ended() == 0
        assert shop.said("CLOSED first")


async def test_a_part_that_does_not_listen_holds_up_the_end_for_seconds_only(tmp_path):
    async with running(tmp_path, "deaf") as shop:
        await shop.port()
        shop.process.terminate()
        assert await shop.ended() == 0
        assert "did not stop in time" in shop.said("deaf")
        assert shop.said("CLOSED first")


async def test_readiness_falls_before_anything_stops():
    seen = []

    async def work(stopping):
        await stopping.wait()
        seen.append(await process.health.ready())

    async def start(service):
        service.background("work", work)

    async with Service("shop").running(start) as process:
        assert await process.health.ready() == {}
    assert seen == [{"process": "stopping"}]


async def test_a_failed_part_is_known_to_who_runs_the_service():
    async def leave(stopping):
        return

    async def start(service):
        service.background("leave", leave)

    async with Service("shop").running(start) as process:
        await process.stopping.wait()
    assert isinstance(process.failure, BackgroundEnded)


async def test_a_part_that_is_told_ahead_ends_before_the_others_hear_of_it():
    order = []

    async def first(stopping):
        await stopping.wait()
        await asyncio.sleep(0)
        order.append(("first", other_told.is_set()))

    other_told = asyncio.Event()

    async def other(stopping):
        await stopping.wait()
        other_told.set()
        order.append(("other", True))

    async def start(service):
        service.background("other", other)
        service.background("first", first, ahead=timedelta(seconds=10))

    async with Service("shop").running(start):
        pass
    assert order == [("first", False), ("other", True)]
