"""The whole process, with the permissions that it has in an installation."""

import asyncio
import os
import signal
import sys
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from contracts import buckets, ids
from contracts.ids import MessageId
from contracts.principal import Role
from conversations import timers
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.embedded import free_port
from servicekit.testing.identity import SignIn
from servicekit.testing.waiting import eventually

from .facts import a_device, a_message, a_receipt, a_sent

READY = 20


@pytest_asyncio.fixture
async def process(world, guarded_nats, unused_port):
    """The process as an operator starts it; it is told to end after the test, if it still runs."""
    environment = {
        "PATH": os.environ["PATH"],
        "CLARIN_DATABASE_URL": world.urls.service_url,
        "CLARIN_SYSTEM_DATABASE_URL": world.urls.system_url,
        "CLARIN_NATS_URL": guarded_nats.url_as("conversations"),
        "CLARIN_CURSOR_SECRET": "a secret of the tests, long enough",
        "CLARIN_HTTP_PORT": str(unused_port),
        "CLARIN_SEND_EXPIRY": "120",
    }
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conversations", env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


@pytest.fixture
def unused_port():
    return free_port()


async def test_the_process_carries_a_message_in_and_an_order_out_and_ends_when_told(
    world, guarded_nats, process, unused_port, tenant, device
):
    identity = SignIn()
    caller = identity(Role.AGENT, tenant)
    async with (
        Bus.open(guarded_nats.url_as("migrator"), name="test") as everything,
        Bus.open(guarded_nats.url_as("devices"), name="devices") as devices,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_port}", headers=caller.headers) as client,
    ):
        keys = await everything.bucket(buckets.KEYS)
        await keys.put(identity.kid, identity.public_jwk)

        async def ready():
            try:
                return (await client.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(ready, timeout=READY)
        await devices.publish(a_device(tenant, device), a_message(tenant, device, text="Hola"))

        async def chats():
            return (await client.get("/api/chats")).json().get("items")

        [chat] = await eventually(chats)
        sent = await client.post("/api/messages/send", json={"chat_id": chat["id"], "text": "Buenas"})
        assert sent.status_code == 202
        message = MessageId(ids.parse(ids.MESSAGE, sent.json()["id"]))
        await devices.publish(a_sent(tenant, device, message, "W1"), a_receipt(tenant, device, "W1", status="read"))

        async def read():
            return (await client.get(f"/api/messages/{sent.json()['id']}")).json()["status"] == "read"

        await eventually(read)
        assert (await everything.stream_state("COMMANDS")).messages == 1
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_missing_variable_is_named():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conversations", env={"PATH": os.environ["PATH"]}, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 78
    assert b"CLARIN_DATABASE_URL is missing" in errors


async def test_what_is_old_is_swept(world, tenant, device):
    await world.handle([a_receipt(tenant, device, "old"), a_receipt(tenant, device, "new")])
    await world.admin.execute("update pending_receipts set kept_at = now() - interval '8 days' where wa_id = 'old'")
    stopping = asyncio.Event()
    async with Database.open(world.urls.system_url, application="sweep", pool=1) as system, asyncio.TaskGroup() as tasks:
        tasks.create_task(timers.sweep(system, pending_receipts=timedelta(days=7))(stopping))

        async def swept():
            return [row["wa_id"] for row in await world.rows("select wa_id from pending_receipts")] == ["new"]

        try:
            await eventually(swept)
        finally:
            stopping.set()
