"""Upgraded connections: bytes both ways, untouched."""

import asyncio
import base64
import hashlib
import json
import os

import aiohttp
import pytest
import pytest_asyncio
import websockets
from servicekit.testing import eventually

from .conftest import request, urls_of

MIB = 1024 * 1024


@pytest_asyncio.fixture
async def sockets(service):
    """Realtime's place taken by a WebSocket server that echoes."""

    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    def gate(connection, asked):
        return connection.respond(401, "no good token\n") if "token=bad" in asked.path else None

    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None, process_request=gate, compression=None) as server:
        server.place = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield server


@pytest.fixture
def through(start, service, sockets):
    return start(urls_of(service, realtime=sockets.place), limits={"write_s": 30})


async def test_ten_megabytes_pass_both_ways_as_they_are(through):
    async with websockets.connect(f"ws://127.0.0.1:{through.port}/ws?token=secret", max_size=None, compression=None) as socket:
        message = os.urandom(10 * MIB)
        await socket.send(message)
        assert await socket.recv() == message
        for number in range(200):
            await socket.send(f"{number}")
        assert [await socket.recv() for _ in range(200)] == [str(number) for number in range(200)]
    await eventually(lambda: ("/ws", 101, "realtime") in through.records)


async def test_a_refusal_before_the_upgrade_reaches_the_client(through, wire):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"ws://127.0.0.1:{through.port}/ws?token=bad")
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["X-Request-Id"]
    client = await wire(through)
    client.send(request("GET", "/api/meta"))
    assert (await client.reply()).status == 200


async def test_cookies_do_not_open_a_socket(start, service, wire):
    gateway = start()
    client = await wire(gateway)
    key = base64.b64encode(os.urandom(16)).decode()
    headers = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
    client.send(request("GET", "/ws", *headers, "Cookie: clarin_access=x"))
    await client.reply()
    seen = service.seen[0].headers
    assert "cookie" not in seen
    assert "authorization" not in seen
    assert (seen["upgrade"], seen["connection"], seen["sec-websocket-key"]) == ("websocket", "Upgrade", key)


async def test_bytes_sent_before_the_answer_are_not_lost(through, wire):
    client = await wire(through)
    key = base64.b64encode(os.urandom(16)).decode()
    headers = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
    frame = b"\x81\x85\x00\x00\x00\x00hello"
    client.send(request("GET", "/ws", *headers) + frame)
    reply = await client.reply()
    assert reply.status == 101
    accept = base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()  # noqa: S324
    assert {name.lower(): value for name, value in reply.headers.items()}["sec-websocket-accept"] == accept
    async with asyncio.timeout(5):
        assert await client.reader.readexactly(7) == b"\x81\x05hello"


async def test_a_slow_reader_holds_the_service_back_and_loses_nothing(through, sockets):
    async with websockets.connect(f"ws://127.0.0.1:{through.port}/ws", max_size=None, max_queue=1, compression=None) as socket:
        some = os.urandom(2 * MIB)
        sent = [some[number : number + MIB] for number in range(120)]  # more than the kernel's buffers on the way hold

        async def send():
            for message in sent:
                await socket.send(message)

        sending = asyncio.create_task(send())
        await asyncio.wait([sending], timeout=0.5)
        assert not sending.done()
        for message in sent:
            assert await socket.recv() == message
        await sending


async def test_both_sides_hear_of_the_end(through, sockets):
    socket = await websockets.connect(f"ws://127.0.0.1:{through.port}/ws")
    await socket.send("hello")
    assert await socket.recv() == "hello"
    (behind,) = sockets.connections
    await behind.close(1012, "moving")
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await socket.recv()
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "moving")
    socket = await websockets.connect(f"ws://127.0.0.1:{through.port}/ws")
    (behind,) = sockets.connections
    socket.transport.abort()
    async with asyncio.timeout(5):
        await behind.wait_closed()


async def test_only_a_websocket_is_taken_there(through, wire):
    client = await wire(through)
    for headers in ((), ("Connection: Upgrade", "Upgrade: h2c")):
        client.send(request("GET", "/ws", *headers))
        reply = await client.reply()
        assert (reply.status, json.loads(reply.body)["code"]) == (426, "upgrade-required")
    client.send(request("GET", "/ws", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 5") + b"hello")
    assert (await client.reply()).status == 400


async def test_realtime_away_is_a_problem(start, service, wire):
    gateway = start(urls_of(service, realtime="http://127.0.0.1:1"))
    client = await wire(gateway)
    client.send(request("GET", "/ws", "Connection: Upgrade", "Upgrade: websocket"))
    reply = await client.reply()
    assert (reply.status, json.loads(reply.body)["code"]) == (503, "unavailable")
    assert await client.at_end()


async def test_a_stream_of_events_passes_piece_by_piece(gateway, service):
    async with aiohttp.ClientSession(headers=gateway.sign_in().headers) as session:
        async with asyncio.timeout(10), session.get(f"http://127.0.0.1:{gateway.port}/api/stream") as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            assert await answer.content.readuntil(b"\n\n") == b"data: 1\n\n"
            service.release.set()
            assert await answer.content.read() == b"data: 2\n\n"
        async with session.post(f"http://127.0.0.1:{gateway.port}/api/presence") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{gateway.port}/api/stream") as answer:
        assert answer.status == 401


async def test_sockets_are_spread_over_the_replicas_and_go_past_one_that_is_away(start, service, sockets, unused_tcp_port):
    async def answer(socket):
        async for _ in socket:
            await socket.send("the other")

    async with websockets.serve(answer, "127.0.0.1", 0, compression=None) as other:
        place = f"http://127.0.0.1:{next(iter(other.sockets)).getsockname()[1]}"
        through = start(urls_of(service, realtime=f"{sockets.place},http://127.0.0.1:{unused_tcp_port},{place}"))
        heard = set()
        for _ in range(6):
            async with websockets.connect(f"ws://127.0.0.1:{through.port}/ws", compression=None) as socket:
                await socket.send("one")
                heard.add(await socket.recv())
    assert heard == {"one", "the other"}
