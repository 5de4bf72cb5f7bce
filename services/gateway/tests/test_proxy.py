"""What passes: requests, answers, headers, connections."""

import asyncio
import hashlib
import json

import aiohttp
import pytest
from servicekit import tracing
from servicekit.testing import eventually
from servicekit.testing.collector import collecting, place

from .conftest import request


async def test_a_request_reaches_the_service_and_its_answer_the_client(gateway, service, wire):
    someone = gateway.sign_in()
    client = await wire(gateway)
    client.send(request("POST", "/api/chats?x=1", body=b'{"a": 1}', token=someone.token))
    reply = await client.reply()
    assert reply.status == 200
    assert json.loads(reply.body) == {"size": 8, "digest": hashlib.sha256(b'{"a": 1}').hexdigest()}
    assert service.seen[0].line == "POST /api/chats?x=1 HTTP/1.1"
    assert service.seen[0].headers["authorization"] == f"Bearer {someone.token}"
    assert gateway.records == [("/api/chats", 200, "conversations")]


async def test_headers_of_one_hop_stay_there(gateway, service, wire):
    client = await wire(gateway)
    headers = ("Connection: X-Mine, keep-alive", "X-Mine: 1", "X-Yours: 2", "TE: trailers", "Proxy-Authorization: x", "Keep-Alive: 5")
    client.send(request("GET", "/api/chats", *headers, token=gateway.sign_in().token))
    reply = await client.reply()
    assert {"x-mine", "te", "proxy-authorization", "keep-alive", "connection"}.isdisjoint(service.seen[0].headers)
    assert service.seen[0].headers["x-yours"] == "2"
    assert {"x-inner", "server", "connection"}.isdisjoint(reply.headers)
    assert reply.headers["x-outer"] == "2"


async def test_nobody_outside_can_say_where_a_request_comes_from(gateway, service, wire):
    client = await wire(gateway)
    lies = (
        "X-Forwarded-For: 1.2.3.4",
        "X-Real-Ip: 1.2.3.4",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "Forwarded: for=1.2.3.4",
    )
    client.send(request("GET", "/api/chats", *lies, "X_Real_Ip: 1.2.3.4", token=gateway.sign_in().token))
    reply = await client.reply()
    seen = service.seen[0].headers
    assert (seen["x-forwarded-for"], seen["x-real-ip"], seen["x-forwarded-proto"]) == ("127.0.0.1", "127.0.0.1", "http")
    assert seen["x-forwarded-host"] == "clarin.example"
    assert "forwarded" not in seen
    assert "x_real_ip" not in seen
    assert "strict-transport-security" not in reply.headers


async def test_a_trusted_proxy_is_believed_up_to_the_first_stranger(start, service, wire):
    from ipaddress import ip_network

    gateway = start(trusted=(ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")))
    client = await wire(gateway)
    told = ("X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.1.1.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: crm.example")
    client.send(request("GET", "/api/chats", *told, token=gateway.sign_in().token))
    reply = await client.reply()
    seen = service.seen[0].headers
    assert (seen["x-real-ip"], seen["x-forwarded-proto"], seen["x-forwarded-host"]) == ("9.9.9.9", "https", "crm.example")
    assert reply.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize(("given", "kept"), [("abc-12345678", True), ("short", False), ("x" * 129, False), ("with space and <", False)])
async def test_a_decent_request_id_is_kept_and_another_replaced(gateway, service, wire, given, kept):
    client = await wire(gateway)
    client.send(request("GET", "/api/chats", f"X-Request-Id: {given}", token=gateway.sign_in().token))
    reply = await client.reply()
    assert (reply.headers["x-request-id"] == given) is kept
    assert service.seen[0].headers["x-request-id"] == reply.headers["x-request-id"]


async def test_a_request_is_a_span_and_what_the_service_does_stands_below_it(gateway, service, wire):
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client = await wire(gateway)
    with collecting() as collector, tracing.exporting("gateway", collector.url):
        client.send(request("GET", "/api/chats", f"Traceparent: {given}", token=gateway.sign_in().token))
        await client.reply()
    (span,) = collector.spans
    assert (span.name, (span.trace_id, span.parent_span_id)) == ("GET conversations", place(given))
    assert place(service.seen[0].headers["traceparent"]) == (span.trace_id, span.span_id)
    client.send(request("GET", "/api/chats", f"Traceparent: {given}", token=gateway.sign_in().token))
    await client.reply()
    assert service.seen[1].headers["traceparent"] == given, "with nobody collecting, what the client said is passed on"


async def test_a_chunked_body_passes_in_both_directions(gateway, service, wire):
    client = await wire(gateway)
    client.send(request("POST", "/api/chats/chunked", "Transfer-Encoding: chunked", "Trailer: X-T", token=gateway.sign_in().token))
    client.send(b"5;name=value\r\nhello\r\n")
    await eventually(lambda: service.seen)
    client.send(b"6\r\n world\r\n0\r\nX-T: 1\r\n\r\n")
    reply = await client.reply()
    assert (reply.chunked, reply.body) == (True, b"one two three")
    assert (service.seen[0].size, service.seen[0].digest) == (11, hashlib.sha256(b"hello world").hexdigest())


async def test_an_answer_that_ends_with_its_connection_is_whole(gateway, wire):
    client = await wire(gateway)
    client.send(request("GET", "/api/chats/until-close", token=gateway.sign_in().token))
    reply = await client.reply()
    assert (reply.body, reply.chunked) == (b"to the end", True)


async def test_an_old_client_gets_an_answer_that_it_can_read(gateway, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    client.send(f"GET /api/chats/chunked HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    reply = await client.reply()
    assert (reply.body, reply.headers["connection"]) == (b"one two three", "close")


async def test_an_interim_answer_is_kept_back(gateway, wire):
    client = await wire(gateway)
    client.send(request("GET", "/api/chats/interim", token=gateway.sign_in().token))
    assert (await client.reply()).status == 200


async def test_head_and_empty_answers_leave_the_connection_usable(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    client.send(request("HEAD", "/api/chats", token=token))
    reply = await client.reply(head=True)
    assert int(reply.headers["content-length"]) > 0
    client.send(request("DELETE", "/api/chats/nothing", token=token))
    assert (await client.reply()).status == 204
    client.send(request("GET", "/api/chats", token=token))
    assert (await client.reply()).status == 200
    assert service.connections == 1


async def test_pipelined_requests_are_answered_in_their_order(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    many = [request("POST", f"/api/chats/{number}", body=b"x" * number, token=token) for number in range(1, 21)]
    client.send(b"".join([*many[:10], request("GET", "/api/meta"), request("GET", "/api/nothing-here"), *many[10:]]))
    replies = [await client.reply() for _ in range(22)]
    assert [reply.status for reply in replies] == [200] * 11 + [404] + [200] * 10
    assert [json.loads(reply.body).get("size") for reply in replies[:10] + replies[12:]] == list(range(1, 21))
    assert service.connections == 1


async def test_a_client_that_expects_to_be_asked_for_its_body_is_asked(gateway, service, wire):
    client = await wire(gateway)
    head = request("POST", "/api/chats", "Expect: 100-continue", "Content-Length: 5", token=gateway.sign_in().token)
    client.send(head)
    assert (await client.reply()).status == 100
    client.send(b"hello")
    assert (await client.reply()).status == 200
    assert "expect" not in service.seen[0].headers


async def test_a_client_that_would_be_refused_is_told_before_it_sends_its_body(gateway, service, wire):
    client = await wire(gateway)
    client.send(request("POST", "/api/chats", "Expect: 100-continue", "Content-Length: 5"))
    assert (await client.reply()).status == 401
    assert service.seen == []


async def test_a_connection_that_a_service_closed_is_not_used_again(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    for _ in range(5):
        client.send(request("POST", "/api/chats/last", body=b"x", token=token))
        assert (await client.reply()).status == 200
        await eventually(lambda: not service.writers)
    assert service.connections == 5


async def test_a_read_that_met_a_dead_connection_is_asked_once_more(gateway, service, wire):
    client = await wire(gateway)
    client.send(request("GET", "/api/chats/dies-once", token=gateway.sign_in().token))
    assert (await client.reply()).status == 200
    assert len(service.seen) == 2


@pytest.mark.parametrize(("method", "body", "asked"), [("GET", b"", 2), ("POST", b"x", 1), ("DELETE", b"", 1)])
async def test_a_service_that_breaks_off_is_a_problem_and_a_write_is_never_repeated(gateway, service, wire, method, body, asked):
    client = await wire(gateway)
    client.send(request(method, "/api/chats/dies", body=body, token=gateway.sign_in().token))
    reply = await client.reply()
    assert (reply.status, json.loads(reply.body)["code"]) == (503, "upstream-broken")
    assert len(service.seen) == asked
    client.send(request("GET", "/api/meta"))
    assert (await client.reply()).status == 200


@pytest.mark.parametrize("word", ["garbage", "two-lengths"])
async def test_an_answer_that_cannot_be_read_is_a_problem(gateway, wire, word):
    client = await wire(gateway)
    client.send(request("GET", f"/api/chats/{word}", token=gateway.sign_in().token))
    assert json.loads((await client.reply()).body)["code"] == "upstream-broken"


async def test_an_answer_that_breaks_off_is_seen_to_be_cut(gateway, wire):
    client = await wire(gateway)
    client.send(request("GET", "/api/chats/half", token=gateway.sign_in().token))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.reply()


async def test_what_a_service_says_unasked_reaches_nobody(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    for _ in range(3):
        client.send(request("GET", "/api/chats/twice", token=token))
        assert b"size" in (await client.reply()).body
        client.send(request("GET", "/api/chats", token=token))
        assert b"size" in (await client.reply()).body


async def test_a_service_that_is_away_is_a_problem_with_a_time_to_come_back(gateway, service, wire):
    await service.stop()
    client = await wire(gateway)
    token = gateway.sign_in().token
    client.send(request("POST", "/api/chats", body=b"x" * 100, token=token))
    reply = await client.reply()
    assert (reply.status, reply.headers["content-type"]) == (503, "application/problem+json")
    problem = json.loads(reply.body)
    assert (problem["code"], problem["request_id"]) == ("unavailable", reply.headers["x-request-id"])
    assert int(reply.headers["retry-after"]) >= 1
    await service.start()
    client.send(request("POST", "/api/chats", body=b"x", token=token))
    assert (await client.reply()).status == 200


async def test_a_service_that_does_not_answer_in_time_is_a_problem(gateway, service, wire):
    client = await wire(gateway)
    token = gateway.sign_in().token
    client.send(request("GET", "/api/chats/slow", token=token))
    reply = await client.reply()
    assert (reply.status, json.loads(reply.body)["code"]) == (503, "upstream-timeout")
    service.release.set()
    client.send(request("GET", "/api/chats", token=token))
    assert (await client.reply()).status == 200
    await eventually(lambda: service.lost >= 1)


async def test_requests_beyond_the_pool_wait_for_their_turn(start, service, wire):
    gateway = start(pool=2)
    token = gateway.sign_in().token
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:

        async def one(number: int) -> int:
            async with session.post(f"{gateway.url}/api/chats/{number}", data=b"x" * number) as response:
                return (await response.json())["size"]

        assert await asyncio.gather(*(one(number) for number in range(60))) == list(range(60))
    assert service.connections == 2


async def test_a_client_that_leaves_takes_its_request_with_it(start, service, wire):
    gateway = start(limits={"upstream_s": 60})
    client = await wire(gateway)
    client.send(request("GET", "/api/chats/slow", token=gateway.sign_in().token))
    await eventually(lambda: service.seen)
    client.reset()
    await eventually(lambda: gateway.records == [("/api/chats/slow", 499, "conversations")])


async def test_a_client_that_has_said_all_still_gets_its_answer(gateway, wire):
    client = await wire(gateway)
    client.send(request("GET", "/api/chats", token=gateway.sign_in().token))
    client.writer.write_eof()
    assert (await client.reply()).status == 200
    assert await client.at_end()


async def test_a_large_upload_passes_whole_and_is_not_held_in_memory(gateway, service, wire):
    client = await wire(gateway)
    size = 40 * 1024 * 1024
    client.send(request("POST", "/api/messages/send/media/stall", f"Content-Length: {size}", token=gateway.sign_in().token))
    piece, digest = b"0123456789abcdef" * 4096, hashlib.sha256()
    sent = 0

    async def upload() -> None:
        nonlocal sent
        while sent < size:
            client.send(piece)
            digest.update(piece)
            sent += len(piece)
            await client.writer.drain()

    uploading = asyncio.create_task(upload())
    await eventually(lambda: service.seen)
    before = -1
    while before != sent:  # until the pressure of the stalled service has come back to this client
        before = sent
        await asyncio.wait([uploading], timeout=0.2)
    assert sent < size / 2
    service.release.set()
    await uploading
    reply = await client.reply(timeout=20)
    assert json.loads(reply.body) == {"size": size, "digest": digest.hexdigest()}


async def test_a_large_download_waits_for_a_slow_client(start, service, wire):
    gateway = start(limits={"write_s": 30})
    client = await wire(gateway)
    size = 64 * 1024 * 1024
    client.send(request("GET", f"/api/chats/big?n={size}", token=gateway.sign_in().token))
    await eventually(lambda: service.seen)
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert b"content-length: %d" % size in head.lower()
    before = -1
    while before != service.written:  # until the pressure of this client has come back to the service
        before = service.written
        await asyncio.wait([asyncio.create_task(service.release.wait())], timeout=0.2)
    assert service.written < size / 2
    service.release.set()
    total = 0
    async with asyncio.timeout(30):
        while total < size:
            total += len(await client.reader.read(1 << 20))
    assert total == size


async def test_a_client_that_takes_nothing_is_let_go(start, service, wire):
    gateway = start(limits={"write_s": 0.5, "upstream_s": 30})
    client = await wire(gateway)
    client.send(request("GET", f"/api/chats/big?n={64 * 1024 * 1024}", token=gateway.sign_in().token))
    await eventually(lambda: gateway.records and gateway.records[0][1] == 200)
    await eventually(lambda: not gateway.edge.clients)
