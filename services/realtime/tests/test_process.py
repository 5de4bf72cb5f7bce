"""The process as it runs, with no more rights on the bus than it has in earnest."""

import asyncio
import json
import os
import signal
import sys

import aiohttp
import websockets
from contracts import buckets
from contracts.ephemeral import Typing
from contracts.principal import Role
from servicekit.bus import Bus
from servicekit.embedded import free_port
from servicekit.testing import eventually
from servicekit.testing.identity import SignIn

from .conftest import a_read


async def test_the_process_serves_with_its_own_rights_and_ends_in_order(guarded_nats, redis_url):
    port, internal = free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLARIN_")},
        "CLARIN_HTTP_PORT": str(port),
        "CLARIN_INTERNAL_PORT": str(internal),
        "CLARIN_NATS_URL": guarded_nats.url_as("realtime"),
        "CLARIN_REDIS_URL": redis_url,
        "CLARIN_REPLAY_EVENTS": "10",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "realtime", env=environment, stdout=asyncio.subprocess.PIPE)
    identity = SignIn()
    someone = identity(Role.OWNER)
    async with (
        Bus.open(guarded_nats.url_as("auth"), name="auth") as as_auth,
        Bus.open(guarded_nats.url_as("conversations"), name="conversations") as as_conversations,
        aiohttp.ClientSession() as session,
    ):
        await (await as_auth.bucket(buckets.KEYS)).put(identity.kid, identity.public_jwk)

        async def ready():
            try:
                async with session.get(f"http://127.0.0.1:{internal}/health/ready") as response:
                    return response.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await eventually(ready)

        async def opened():
            try:
                return await websockets.connect(f"ws://127.0.0.1:{port}/ws?token={someone.token}")
            except websockets.InvalidStatus:
                return None  # the key has not come yet

        async with await eventually(opened) as client:
            hello = json.loads(await client.recv())
            await as_conversations.publish(*(a_read(number, someone.principal.tenant) for number in range(30)))
            assert [json.loads(await client.recv())["data"]["unread"] for _ in range(30)] == list(range(30))
            await as_conversations.shout(someone.principal.tenant, Typing(chat_id="cht_1", state="composing"))
            assert json.loads(await client.recv())["event"] == "typing"
            async with websockets.connect(f"ws://127.0.0.1:{port}/ws?token={someone.token}&since={hello['seq']}") as back:
                frames = [json.loads(await back.recv()) for _ in range(31)]  # most of it from the stream, by a consumer of its own
                assert (frames[0]["data"]["resumed"], frames[0]["protocol"]) == (True, 1)
                assert [frame["data"]["unread"] for frame in frames[1:]] == list(range(30))
            async with session.get(f"http://127.0.0.1:{internal}/metrics") as response:
                assert "clarin_realtime_sockets" in await response.text()
            process.send_signal(signal.SIGTERM)
            await client.wait_closed()
            assert client.close_code == 1012
    said, _ = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 0
    assert someone.token.encode() not in said
    assert b"socket opened" in said
