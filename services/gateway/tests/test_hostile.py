"""What is refused: smuggling, floods, loris. Each refusal is an answer, and the gateway goes on."""

import asyncio
import json
import time

import pytest
from servicekit.testing import eventually

from .conftest import request

MIB = 1024 * 1024


def problem(reply):
    assert reply.headers["content-type"] == "application/problem+json"
    body = json.loads(reply.body)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys()
    assert body["status"] == reply.status
    assert body["request_id"] == reply.headers["x-request-id"]
    return reply.status, body["code"]


SMUGGLING = {
    "both framings": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings, turned": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "the same length twice": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd",
    "a signed length": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
    "a negative length": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\nabcd",
    "a hexadecimal length": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\nabcd",
    "an endless length": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\nabcd",
    "a coding nobody knows": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and more": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "gzip before chunked": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked over 1.0": b"POST /api/chats HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd",
    "a folded header": b"GET /api/meta HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "a bare line feed": b"GET /api/meta HTTP/1.1\nHost: a\n\n",
    "a bare carriage return": b"GET /api/meta HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "a header name with NUL": b"GET /api/meta HTTP/1.1\r\nHost: a\r\nX\x00: 1\r\n\r\n",
    "a header value with NUL": b"GET /api/meta HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    "a header without a name": b"GET /api/meta HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
    "no host": b"GET /api/meta HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /api/meta HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a host that is none": b"GET /api/meta HTTP/1.1\r\nHost: a/b@c\r\n\r\n",
    "two authorizations": b"GET /api/chats HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "a method nobody knows": b"FLY /api/meta HTTP/1.1\r\nHost: a\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a bad chunk size": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "an endless chunk size": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "a chunk longer than it says": b"POST /api/chats HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "an encoded slash": b"GET /api/..%2fchats HTTP/1.1\r\nHost: a\r\n\r\n",
    "dot segments": b"GET /api/auth/login/../../chats HTTP/1.1\r\nHost: a\r\n\r\n",
    "a doubled slash": b"GET //api/chats HTTP/1.1\r\nHost: a\r\n\r\n",
    "a backslash": b"GET /api\\chats HTTP/1.1\r\nHost: a\r\n\r\n",
    "another host's address": b"GET http://b/api/chats HTTP/1.1\r\nHost: a\r\n\r\n",
}


#: Where such a request ends is beyond doubt, so the connection goes on.
WHOLE = ("an encoded slash", "dot segments", "a doubled slash", "a backslash", "another host's address")


@pytest.mark.parametrize("name", SMUGGLING)
async def test_what_can_be_read_in_two_ways_is_refused_and_reaches_no_service(gateway, service, wire, name):
    client = await wire(gateway)
    data = SMUGGLING[name]
    if b"chats" in data and b"Authorization" not in data:
        data = data.replace(b"Host: a\r\n", f"Host: a\r\nAuthorization: Bearer {gateway.sign_in().token}\r\n".encode(), 1)
    client.send(data)
    status, code = problem(await client.reply())
    assert (status, code) in {(400, "malformed"), (400, "bad-target")}
    assert not [seen for seen in service.seen if seen.digest]


@pytest.mark.parametrize("name", [name for name in SMUGGLING if name not in WHOLE])
async def test_nothing_after_a_request_that_cannot_be_read_is_read(gateway, service, wire, name):
    client = await wire(gateway)
    token = gateway.sign_in().token
    data = SMUGGLING[name].replace(b"Host: a\r\n", f"Host: a\r\nX-Auth: {token}\r\n".encode(), 1)
    client.send(data + request("GET", "/api/chats/smuggled", token=token))
    reply = await client.reply()
    assert reply.status in (400, 401)
    if reply.status == 400:
        assert reply.headers["connection"] == "close"
        assert await client.at_end()
    assert not [seen for seen in service.seen if "smuggled" in seen.line]


async def test_methods_that_nobody_needs_are_refused(gateway, wire):
    for line in (b"TRACE /api/chats", b"CONNECT clarin.example:80", b"PROPFIND /api/chats"):
        client = await wire(gateway)
        client.send(line + b" HTTP/1.1\r\nHost: clarin.example\r\n\r\n")
        assert problem(await client.reply())[0] in (400, 405)


async def test_another_version_is_refused(gateway, wire):
    client = await wire(gateway)
    client.send(b"GET /api/meta HTTP/2.0\r\nHost: a\r\n\r\n")
    assert problem(await client.reply()) == (505, "http-version")


async def test_too_many_and_too_large_headers_are_refused(gateway, wire):
    for headers in (
        [f"X-{number}: 1" for number in range(150)],
        ["X: " + "x" * 40_000],
        [f"X-{number}: {'x' * 4000}" for number in range(9)],
    ):
        client = await wire(gateway)
        client.send(request("GET", "/api/meta", *headers))
        assert problem(await client.reply()) == (431, "headers-too-large")


async def test_headers_without_end_are_refused_before_they_fill_the_memory(gateway, wire):
    client = await wire(gateway)
    client.send(b"GET /api/meta HTTP/1.1\r\nX: ")
    sent = 0
    try:
        while sent < 128 * MIB:
            client.send(b"x" * 65536)
            sent += 65536
            await client.writer.drain()
    except ConnectionError:
        pass
    assert sent < 128 * MIB


async def test_an_address_that_is_too_long_is_refused(gateway, wire):
    client = await wire(gateway)
    client.send(request("GET", "/api/meta?" + "x" * 9000))
    assert problem(await client.reply()) == (414, "target-too-long")


async def test_a_body_of_50_mb_is_refused_before_it_is_sent(gateway, service, wire):
    client = await wire(gateway)
    client.send(request("POST", "/api/chats", f"Content-Length: {50 * MIB}", token=gateway.sign_in().token))
    status, code = problem(await client.reply())
    assert (status, code) == (413, "too-large")
    assert service.seen == []


async def test_a_client_that_sends_its_50_mb_all_the_same_hears_why_not(gateway, service, wire):
    client = await wire(gateway)
    client.send(
        request("POST", "/api/chats", f"Content-Length: {50 * MIB}", "Content-Type: application/json", token=gateway.sign_in().token)
    )
    for _ in range(50):
        client.send(b"[" * MIB)
        await client.writer.drain()
    assert problem(await client.reply()) == (413, "too-large")
    assert service.seen == []


async def test_a_chunked_body_without_end_is_cut_at_the_limit(gateway, service, wire):
    client = await wire(gateway)
    client.send(request("POST", "/api/chats", "Transfer-Encoding: chunked", token=gateway.sign_in().token))
    for _ in range(20):
        client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    assert problem(await client.reply()) == (413, "too-large")
    await eventually(lambda: service.lost == 1)


async def test_an_upload_has_a_limit_of_its_own(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    client.send(request("POST", "/api/messages/send/media", body=b"x" * (2 * MIB), token=token))
    assert json.loads((await client.reply()).body)["size"] == 2 * MIB
    client.send(request("POST", "/api/messages/send/media", f"Content-Length: {105 * MIB}", token=token))
    assert problem(await client.reply()) == (413, "too-large")


async def test_a_small_body_of_a_refused_request_keeps_the_connection(gateway, wire):
    client = await wire(gateway)
    client.send(request("POST", "/api/chats", "Content-Length: 5"))
    assert problem(await client.reply()) == (401, "unauthenticated")
    client.send(b"hello" + request("GET", "/api/meta"))
    assert (await client.reply()).status == 200


@pytest.mark.parametrize("piece", [b"", b"GET /api/meta HT", b"GET /api/meta HTTP/1.1\r\nHost: a\r\nX-A: b"])
async def test_headers_that_take_their_time_are_cut_off(gateway, wire, piece):
    client = await wire(gateway)
    began = time.monotonic()
    client.send(piece)
    if piece:
        dripping = asyncio.create_task(drip(client, b"x" if piece.endswith(b"b") else b""))
        assert problem(await client.reply()) == (408, "request-timeout")
        dripping.cancel()
    assert await client.at_end(timeout=6)
    assert time.monotonic() - began < 5


async def test_a_body_that_takes_its_time_is_cut_off(gateway, service, wire):
    client = await wire(gateway)
    client.send(request("POST", "/api/chats", "Content-Length: 1000", token=gateway.sign_in().token))
    dripping = asyncio.create_task(drip(client, b"x"))
    assert problem(await client.reply()) == (408, "request-timeout")
    dripping.cancel()
    await eventually(lambda: service.lost == 1)


async def drip(client, piece):
    while True:
        client.send(piece)
        await asyncio.sleep(0.1)


async def test_five_hundred_silent_connections_hold_nobody_up(gateway, wire):
    silent = [await wire(gateway) for _ in range(500)]
    for client in silent:
        client.send(b"GET /api/m")
    client = await wire(gateway)
    began = time.monotonic()
    client.send(request("GET", "/api/meta"))
    assert (await client.reply()).status == 200
    assert time.monotonic() - began < 0.5
    await eventually(lambda: len(gateway.edge.clients) <= 1)


async def test_an_upgrade_that_nobody_offers_is_ignored(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    wish = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
    client.send(request("POST", "/api/chats", *wish, body=b"hello", token=token) + request("GET", "/api/chats", *wish, token=token))
    assert json.loads((await client.reply()).body)["size"] == 5
    assert json.loads((await client.reply()).body)["size"] == 0
    client.send(request("POST", "/api/chats", *wish, "Transfer-Encoding: chunked", token=token) + b"3\r\nabc\r\n0\r\n\r\n")
    assert json.loads((await client.reply()).body)["size"] == 3
    assert all("upgrade" not in seen.headers for seen in service.seen)
