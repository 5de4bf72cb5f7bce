"""The process as it runs: its own paths, the services' documents, what it says in its log, how it ends."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass

import aiohttp
import pytest_asyncio
from aiohttp import web
from contracts import routes
from servicekit.embedded import free_port
from servicekit.testing import eventually


@dataclass
class Behind:
    url: str
    release: asyncio.Event


@pytest_asyncio.fixture
async def behind():
    """A service with a document, and one slow answer."""
    release = asyncio.Event()
    document = {"paths": {"/api/chats": {"get": {"operationId": "list", "responses": {}}}}, "components": {"schemas": {}}}

    async def slow(_):
        await release.wait()
        return web.json_response({"late": True})

    app = web.Application()

    async def described(_):
        return web.json_response(document)

    async def listed(_):
        return web.json_response({"items": []})

    app.router.add_get("/openapi.json", described)
    app.router.add_get("/api/chats", listed)
    app.router.add_get("/api/chats/slow", slow)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Behind(f"http://127.0.0.1:{runner.addresses[0][1]}", release)
    release.set()
    await runner.cleanup()


@pytest_asyncio.fixture
async def process(behind, bus_url, redis_url):
    """`python -m gateway`; auth and device-worker are away."""
    away = f"http://127.0.0.1:{free_port()}"
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLARIN_")},
        "CLARIN_HTTP_PORT": str(port),
        "CLARIN_INTERNAL_PORT": str(free_port()),
        "CLARIN_NATS_URL": bus_url,
        "CLARIN_REDIS_URL": redis_url,
        "CLARIN_URL_AUTH": away,
        "CLARIN_URL_DEVICE_WORKER": away,
        "CLARIN_URL_CONVERSATIONS": behind.url,
        "CLARIN_URL_PIPELINE": away,
        "CLARIN_URL_BOT": away,
        "CLARIN_URL_WEBHOOKS": away,
        "CLARIN_URL_REALTIME": away,
        "CLARIN_SIM_URL": "http://127.0.0.1:7777",
    }
    running = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", env=environment, stdout=asyncio.subprocess.PIPE)
    running.url = f"http://127.0.0.1:{port}"
    running.internal = f"http://127.0.0.1:{environment['CLARIN_INTERNAL_PORT']}"
    running.lines = []

    async def read():
        async for line in running.stdout:
            running.lines.append(json.loads(line))

    reading = asyncio.create_task(read())
    async with aiohttp.ClientSession() as session:
        running.session = session

        async def ready():
            try:
                async with session.get(f"{running.url}/health/ready") as response:
                    return response.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await eventually(ready)
        yield running
    if running.returncode is None:
        running.send_signal(signal.SIGTERM)
        await asyncio.wait_for(running.wait(), 15)
    await reading


async def get(process, path, **more):
    async with process.session.get(process.url + path, **more) as response:
        return response.status, response.headers, await response.read()


async def test_the_gateway_answers_its_own_paths(process):
    status, _, body = await get(process, "/api/meta")
    meta = json.loads(body)
    assert (status, meta["registration"], meta["sim_url"]) == (200, "open", "http://127.0.0.1:7777")
    assert meta["limits"]["body_bytes"] == 1024 * 1024
    assert (await get(process, "/health/live"))[0] == 200
    status, _, body = await get(process, "/metrics")
    assert status == 200
    assert b"clarin_gateway_requests_total" in body
    assert (await get(process, "/metrics", headers={"X-Forwarded-For": "1.2.3.4"}))[0] == 404
    async with process.session.get(f"{process.internal}/metrics") as response:
        assert b"clarin_gateway_connections" in await response.read()


async def test_the_documents_of_the_services_are_one_and_say_who_is_away(process):
    status, _, body = await get(process, "/openapi.json")
    document = json.loads(body)
    assert (status, document["openapi"]) == (200, "3.1.0")
    assert {"/api/chats", "/api/meta", "/api/presence", "/api/stream", "/ws"} == set(document["paths"])
    assert document["x-missing"] == [name for name in routes.PUBLIC if name != "conversations"]
    _, _, page = await get(process, "/docs/problems")
    for code in ("token-expired", "csrf", "upstream-timeout", "too-large", "not-found"):
        assert f'id="{code}"'.encode() in page


async def test_the_documentation_needs_nothing_from_elsewhere(process):
    status, headers, page = await get(process, "/docs")
    assert status == 200
    assert b"http" not in page.replace(b"http-equiv", b"")
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    for path, kind in (
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-ui.css", "text/css"),
        ("/docs/start.js", "text/javascript"),
    ):
        assert path.encode() in page or path.endswith("css")
        status, headers, body = await get(process, path)
        assert (status, headers["Content-Type"].split(";")[0]) == (200, kind)
        assert body


async def test_the_log_has_each_request_and_no_secret(process, signed_in):
    someone = signed_in()
    secrets = {
        "X-Api-Key": "clk_secret-of-a-program-0123456789",
        "Cookie": "clarin_access=secret-of-a-cookie; clarin_refresh=another-secret; clarin_csrf=secret-proof",
        "X-CSRF-Token": "secret-proof",
        "Idempotency-Key": "secret-of-a-caller",
    }

    async def passes():
        status, _, _ = await get(process, "/api/chats?token=very-secret", headers={**someone.headers, "X-Request-Id": "request-12345"})
        return status == 200

    await eventually(passes)
    for headers in ({name: value} for name, value in secrets.items()):
        await get(process, "/api/chats?ticket=secret-of-a-ticket", headers=headers)
    await get(process, "/api/chats", headers={"Authorization": "Basic secret-of-a-person"})
    await get(process, "/api/chats", headers={"Authorization": "Bearer secret.of.nobody"})
    async with process.session.post(f"{process.url}/api/auth/login", data=b'{"password": "secret-in-a-body"}') as response:
        assert response.status == 503
    await get(process, "/api/chats", headers={"X-Request-Id": "request-at-last"})
    lines = await eventually(
        lambda: [line for line in process.lines if line.get("request_id") == "request-12345" and line["status"] == 200]
    )
    assert (lines[0]["path"], lines[0]["upstream"], lines[0]["tenant"]) == ("/api/chats", "conversations", str(someone.principal.tenant))
    await eventually(lambda: any(line.get("request_id") == "request-at-last" for line in process.lines))
    everything = json.dumps(process.lines)
    assert "secret" not in everything
    assert someone.token not in everything


async def test_what_is_open_at_the_end_is_finished(process, signed_in, behind):
    someone = signed_in()

    async def known():
        return (await get(process, "/api/chats", headers=someone.headers))[0] == 200

    await eventually(known)
    asking = asyncio.create_task(get(process, "/api/chats/slow", headers=someone.headers))
    await eventually(lambda: any(line["event"] == "listening" for line in process.lines))
    await asyncio.wait([asking], timeout=0.3)
    process.send_signal(signal.SIGTERM)

    async def closed():
        try:
            await get(process, "/health/live")
        except aiohttp.ClientConnectionError:
            return True
        return False

    await eventually(closed)
    behind.release.set()
    status, _, body = await asking
    assert (status, json.loads(body)) == (200, {"late": True})
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_missing_setting_is_named(bus_url):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLARIN_")}
    running = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", env=environment, stderr=asyncio.subprocess.PIPE)
    _, said = await running.communicate()
    assert running.returncode == 78
    assert b"CLARIN_URL_AUTH is missing" in said
