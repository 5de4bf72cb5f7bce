"""The whole process, with the permissions that it has in an installation; and what it asks others."""

import asyncio
import os
import signal
import sys

import httpx
import msgspec
import pytest
from contracts import asks, buckets, ids
from contracts.asks import ChatsKnown, ChatsNamed
from contracts.envelope import Audience
from contracts.principal import Role
from servicekit.bus import Bus
from servicekit.embedded import free_port
from servicekit.testing.identity import SignIn
from servicekit.testing.waiting import eventually

from .facts import a_message, an_account, new_chat, public

READY = 90

pytestmark = pytest.mark.timeout(200)


async def test_the_process_makes_a_lead_of_a_message_writes_an_order_and_ends_when_told(world, guarded_nats, tenant, device):
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "CLARIN_DATABASE_URL": world.urls.service_url,
        "CLARIN_SYSTEM_DATABASE_URL": world.urls.system_url,
        "CLARIN_NATS_URL": guarded_nats.url_as("pipeline"),
        "CLARIN_CURSOR_SECRET": "a secret of the tests, long enough",
        "CLARIN_HTTP_PORT": str(port),
    }
    identity = SignIn()
    caller = identity(Role.OWNER, tenant)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline", env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with (
            Bus.open(guarded_nats.url_as("migrator"), name="test") as everything,
            Bus.open(guarded_nats.url_as("auth"), name="auth") as auth,
            Bus.open(guarded_nats.url_as("conversations"), name="conversations") as conversations,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=caller.headers) as client,
        ):
            await (await everything.bucket(buckets.KEYS)).put(identity.kid, identity.public_jwk)

            async def ready():
                try:
                    return (await client.get("/health/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready, timeout=READY)
            await auth.publish(an_account(tenant, locale="pt", currency="BRL"))

            async def begun():
                return (await client.get("/api/pipelines")).json()["items"][0]["name"] == "Vendas"

            await eventually(begun, timeout=READY)
            actions = [{"do": "make_lead"}, {"do": "send", "text": "Olá!"}]
            made = await client.post("/api/automations", json={"name": "Novos", "trigger": {"on": "first_message"}, "actions": actions})
            assert made.status_code == 201
            await conversations.publish(a_message(tenant, device, new_chat()))

            async def ordered():
                return (await everything.stream_state("COMMANDS")).messages == 1

            await eventually(ordered, timeout=READY)
            [lead] = (await client.get("/api/leads")).json()["items"]
            assert (lead["currency"], lead["source"]) == ("BRL", "chat")
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_chat_that_nobody_has_told_of_is_asked_for_once(owner, bus, tenant, device):
    chat, nobodys = new_chat(), new_chat()
    asked = []

    async def answer(payload: bytes) -> bytes:
        question = msgspec.json.decode(payload, type=ChatsNamed)
        asked.append(question)
        known = {chat: Audience(device=device)} if question.tenant == tenant else {}
        return msgspec.json.encode(ChatsKnown(chats={id: known[id] for id in question.chats if id in known}))

    answering = await bus.answer(asks.CHATS, answer, queue="conversations")
    for _ in range(2):
        lead = await owner.lead(chat_id=public(ids.CHAT, chat))
        assert (lead["device_id"], lead["chat"]["id"]) == (public(ids.DEVICE, device), public(ids.CHAT, chat))
    assert len(asked) == 1
    await owner.refused("POST", "/api/leads", {"title": "x", "chat_id": public(ids.CHAT, nobodys)}, 404, "chat-not-found")
    await answering.close()
