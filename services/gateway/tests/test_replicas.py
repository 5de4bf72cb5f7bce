"""Services with several addresses, and gateways that come and go, without a request lost."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from servicekit.testing import eventually

from .conftest import Service, request, urls_of


@pytest_asyncio.fixture
async def twin() -> AsyncIterator[Service]:
    twin = Service()
    await twin.start()
    yield twin
    twin.release.set()
    await twin.stop()


@pytest.fixture
def pair(start, service, twin):
    return start(urls_of(service, conversations=f"http://127.0.0.1:{service.port},http://127.0.0.1:{twin.port}"))


async def ask(client, gateway, count=1, path="/api/chats", method="GET", **options):
    """The statuses of so many requests, one after the other over one connection."""
    statuses = []
    token = gateway.sign_in().token
    for _ in range(count):
        client.send(request(method, path, token=token, **options))
        statuses.append((await client.reply()).status)
    return statuses


async def test_requests_go_to_the_replicas_in_turns(pair, service, twin, wire):
    assert await ask(await wire(pair), pair, 10) == [200] * 10
    assert (len(service.seen), len(twin.seen)) == (5, 5)
    assert (len({seen.connection for seen in service.seen}), len({seen.connection for seen in twin.seen})) == (1, 1)


async def test_a_replica_that_is_not_ready_gets_nothing_until_it_is(pair, service, twin, wire):
    client = await wire(pair)
    await ask(client, pair, 4)
    service.ready = False
    await eventually(lambda: passed_over(pair, service))
    before = len(service.seen)
    assert await ask(client, pair, 6) == [200] * 6
    assert (len(service.seen), not service.ready) == (before, True)
    service.ready = True
    await eventually(lambda: not passed_over(pair, service))
    assert await ask(client, pair, 2) == [200] * 2
    assert len(service.seen) == before + 1


async def test_where_no_replica_is_ready_they_are_asked_all_the_same(pair, service, twin, wire):
    service.ready = twin.ready = False
    await eventually(lambda: passed_over(pair, service) and passed_over(pair, twin))
    assert await ask(await wire(pair), pair, 4) == [200] * 4


async def test_the_death_of_a_replica_is_no_problem_for_what_has_not_been_asked(pair, service, twin, wire):
    client = await wire(pair)
    await ask(client, pair, 4)
    await service.stop()
    assert await ask(client, pair, 6, method="POST", body=b"{}") == [200] * 6


async def test_a_write_with_the_key_of_its_effect_is_asked_once_more(gateway, service, wire):
    client = await wire(gateway)
    client.send(request("POST", "/api/chats/dies-once", "Idempotency-Key: k-1", body=b'{"a": 1}', token=gateway.sign_in().token))
    reply = await client.reply()
    assert (reply.status, json.loads(reply.body)["size"]) == (200, 8)
    assert len(service.seen) == 2


async def test_a_chunked_write_with_a_key_is_asked_once_more_as_a_whole(gateway, service, wire):
    client = await wire(gateway)
    head = request("POST", "/api/chats/dies-once", "Idempotency-Key: k-2", "Transfer-Encoding: chunked", token=gateway.sign_in().token)
    client.send(head + b'4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n')
    reply = await client.reply()
    assert (reply.status, json.loads(reply.body)["size"]) == (200, 8)


async def test_a_gateway_that_goes_says_so_before_it_ends_a_connection(start, wire):
    gateway = start(serving={"given": socket.create_server(("127.0.0.1", 0)), "goodbye_s": 20.0})
    token = gateway.sign_in().token
    client = await wire(gateway)
    client.send(request("GET", "/api/chats", token=token))
    assert "connection" not in (await client.reply()).headers
    gateway.tell()
    await eventually(lambda: gateway.edge.draining)
    client.send(request("GET", "/api/chats", token=token))
    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert await client.reader.read() == b""


async def test_a_gateway_on_a_port_of_its_own_takes_clients_until_it_has_said_goodbye(start, wire):
    gateway = start(serving={"goodbye_s": 2.0})
    gateway.tell()
    await eventually(lambda: gateway.edge.draining)
    assert await ask(await wire(gateway), gateway) == [200]


async def test_who_comes_while_one_gateway_makes_way_for_the_next_waits_in_line(start, wire):
    shared = socket.create_server(("127.0.0.1", 0))
    first = start(serving={"given": shared.dup(), "goodbye_s": 0.1})
    client = await wire(first)
    assert await ask(client, first) == [200]
    first.tell()
    await eventually(lambda: first.edge.retiring)
    waiting = await wire(first)
    second = start(serving={"given": shared.dup()})
    assert await asyncio.wait_for(ask(waiting, second), 10) == [200]
    shared.close()


def passed_over(gateway, service):
    pool = next(pool for pool in gateway.edge.pools if pool.name == "conversations")
    place = next(place for place in pool.places if place.port == service.port)
    return place.shunned > gateway.edge.now()
