"""Real clients, real NATS, real Valkey."""

import asyncio
import contextlib
import hashlib
import json
import secrets
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec
import pytest
import websockets
from contracts import buckets, envelope, ids
from contracts.ephemeral import QrShown, Typing
from contracts.events.devices import DeviceChanged, DeviceState
from contracts.ids import UserId
from contracts.principal import Role
from redis.asyncio import Redis
from servicekit import auth
from servicekit.testing import eventually
from servicekit.testing.identity import SignIn

from .conftest import a_read, an_internal, reached


async def a_ticket(redis_url, someone, *, exp=None, ticket=None):
    """Make a ticket as auth does."""
    ticket = ticket or secrets.token_urlsafe(32)
    value = {**msgspec.to_builtins(someone.principal), "exp": exp or (datetime.now(UTC) + timedelta(minutes=10)).timestamp()}
    async with Redis.from_url(redis_url) as redis:
        await redis.set(f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}", msgspec.json.encode(value), ex=30)
    return ticket


async def refused(connect, replica, query, **more):
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await connect(replica, query, **more)
    response = refusal.value.response
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(response.body)
    assert problem["status"] == response.status_code
    assert problem["request_id"] == response.headers["X-Request-Id"]
    return response.status_code, problem["code"]


async def closed(client):
    """Read to the end; give code and reason."""
    with contextlib.suppress(websockets.ConnectionClosed):
        async with asyncio.timeout(10):
            async for _ in client.socket:
                pass
    return client.socket.close_code, client.socket.close_reason


async def test_each_tenant_gets_its_own_events_in_order_with_their_data_as_it_is(replica, bus, connect, signed_in):
    one, other = signed_in(Role.AGENT), signed_in(Role.OWNER)
    mine, theirs = await connect(replica, f"token={one.token}"), await connect(replica, f"token={other.token}")
    changed = DeviceChanged(id="dev_1", name="Ñandú 🦤", state=DeviceState.CONNECTED, revision=3, at=datetime.now(UTC))
    await bus.publish(
        *(a_read(number, one.principal.tenant) for number in range(50)),
        *(a_read(number, other.principal.tenant) for number in range(100, 150)),
        an_internal(one.principal.tenant),
        envelope.wrap(one.principal.tenant, changed),
    )
    assert await mine.unread(50) == list(range(50))
    assert await theirs.unread(50) == list(range(100, 150))
    frame = await mine.next()
    assert (frame["event"], frame["data"]) == ("device_status", msgspec.to_builtins(changed))


async def test_who_comes_late_hears_only_what_comes_then(replica, bus, connect, signed_in):
    someone = signed_in()
    first = await connect(replica, f"token={someone.token}")
    await bus.publish(a_read(1, someone.principal.tenant))
    assert await first.unread(1) == [1]
    late = await connect(replica, f"token={someone.token}")
    assert late.last == first.last
    await bus.publish(a_read(2, someone.principal.tenant), a_read(3, someone.principal.tenant))
    assert await late.unread(2) == await first.unread(2) == [2, 3]


async def test_what_has_no_sequence_reaches_who_may_see_it(replica, bus, connect, signed_in):
    owner = signed_in(Role.OWNER)
    agent = signed_in(Role.AGENT, owner.principal.tenant)
    sockets = [await connect(replica, f"token={someone.token}") for someone in (owner, agent)]
    soon = datetime.now(UTC) + timedelta(seconds=20)
    await bus.shout(owner.principal.tenant, QrShown(device_id="dev_1", qr="2@secret", expires_at=soon))
    await bus.shout(owner.principal.tenant, Typing(chat_id="cht_1", state="composing"))
    frame = await sockets[0].next()
    assert (frame["event"], frame["data"]["qr"], set(frame)) == ("qr_code", "2@secret", {"event", "data"})
    assert (await sockets[0].next())["event"] == "typing"
    assert (await sockets[1].next())["event"] == "typing"


async def test_who_comes_back_gets_all_that_was_missed_from_memory(replica, bus, connect, signed_in):
    someone = signed_in()
    client = await connect(replica, f"token={someone.token}")
    await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(3)))
    assert await client.unread(3) == [0, 1, 2]
    await client.socket.close()
    await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(3, 700)))
    await reached(replica, bus)
    back = await connect(replica, f"token={someone.token}&since={client.last}&epoch={client.epoch}")
    assert back.resumed
    assert await back.unread(697) == list(range(3, 700))
    await bus.publish(a_read(700, someone.principal.tenant))
    assert await back.unread(1) == [700]


async def test_who_comes_back_late_gets_it_from_the_stream(start, bus, connect, signed_in):
    replica = await start(history=5)
    someone, other = signed_in(), signed_in()
    client = await connect(replica, f"token={someone.token}")
    await client.socket.close()
    mixed = [a_read(number, someone.principal.tenant) for number in range(90)] + [a_read(0, other.principal.tenant) for _ in range(200)]
    await bus.publish(*mixed, *(an_internal(someone.principal.tenant) for _ in range(200)))
    await reached_at_least(replica, 290)
    back = await connect(replica, f"token={someone.token}&since={client.last}&epoch={client.epoch}")
    assert back.resumed
    assert await back.unread(90) == list(range(90))
    await bus.publish(a_read(90, someone.principal.tenant))
    assert await back.unread(1) == [90]


async def reached_at_least(replica, position):
    await eventually(lambda: replica.feed.hub.position >= position)


async def test_who_missed_too_much_is_told_to_fetch_everything(start, bus, connect, signed_in):
    replica = await start(history=5, limit=50)
    someone = signed_in()
    client = await connect(replica, f"token={someone.token}")
    await client.socket.close()
    await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(80)))
    await reached_at_least(replica, 80)
    back = await connect(replica, f"token={someone.token}&since={client.last}&epoch={client.epoch}")
    assert not back.resumed
    assert (await back.next())["event"] == "resync"
    assert back.resyncs == ["too-old"]
    await bus.publish(a_read(80, someone.principal.tenant))
    assert await back.unread(1) == [80]


@pytest.mark.parametrize(("query", "reason"), [("since=1&epoch=other", "epoch"), ("since=999999", "ahead")])
async def test_a_place_that_is_not_of_this_stream_is_no_place_to_resume_from(replica, bus, connect, signed_in, query, reason):
    client = await connect(replica, f"token={signed_in().token}&{query}")
    frame = await client.next()
    assert (frame["event"], frame["reason"], client.resumed) == ("resync", reason, False)


async def test_two_replicas_tell_the_same_and_one_goes_on_where_the_other_stopped(start, bus, connect, signed_in):
    one, other = await start(), await start()
    someone = signed_in()
    client = await connect(one, f"token={someone.token}")
    beside = await connect(other, f"token={someone.token}")
    assert client.epoch == beside.epoch
    await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(20)))
    assert await client.unread(20) == await beside.unread(20) == list(range(20))
    await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(20, 40)))
    assert await client.unread(5) == [20, 21, 22, 23, 24]
    await one.stop()
    back = await connect(other, f"token={someone.token}&since={client.last}&epoch={client.epoch}")
    assert await back.unread(15) == list(range(25, 40))


async def test_a_replica_that_starts_anew_knows_what_happened_before(start, bus, connect, signed_in):
    someone = signed_in()
    await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(100)))
    replica = await start()
    client = await connect(replica, f"token={someone.token}&since=10&epoch={replica.feed.hub.epoch}")
    assert await client.unread(90) == list(range(10, 100))
    assert len(replica.feed.hub.ring) == 100


async def test_nothing_is_missed_when_nats_dies_under_open_sockets(replica, bus, nats, connect, signed_in):
    someone = signed_in()
    client = await connect(replica, f"token={someone.token}")
    await bus.publish(a_read(0, someone.principal.tenant))
    assert await client.unread(1) == [0]
    for round in range(1, 3):
        nats.kill()
        nats.start()
        await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(round * 10, round * 10 + 10)))
        assert await client.unread(10) == list(range(round * 10, round * 10 + 10))
    assert client.resyncs == []
    assert client.socket.state is websockets.State.OPEN


async def test_a_slow_socket_is_closed_and_misses_nothing_when_it_is_back(start, bus, connect, signed_in):
    replica = await start(queue_bytes=64 * 1024, history=100_000, size=1 << 30)
    someone = signed_in()
    slow = await connect(replica, f"token={someone.token}", max_queue=1)
    quick = await connect(replica, f"token={someone.token}")
    changed = DeviceChanged(id="dev_1", name="x" * 50_000, state=DeviceState.CONNECTED, revision=3, at=datetime.now(UTC))
    counted = 0
    while slow_is_open(replica) and counted < 2000:
        await bus.publish(*(envelope.wrap(someone.principal.tenant, changed) for _ in range(20)))
        for _ in range(20):
            await quick.next()
        counted += 20
    assert counted < 2000
    got = 0
    with contextlib.suppress(websockets.ConnectionClosed):
        while await slow.next():
            got += 1
    assert (slow.socket.close_code, slow.socket.close_reason) == (1013, "too slow")
    back = await connect(replica, f"token={someone.token}&since={slow.last}&epoch={slow.epoch}")
    for _ in range(counted - got):
        await back.next()
    assert back.last == quick.last


def slow_is_open(replica):
    return sum(socket._told for socket in replica.server.sockets) == 2


async def test_a_ticket_is_good_once(replica, connect, signed_in, redis_url, bus):
    someone = signed_in(Role.ADMIN)
    ticket = await a_ticket(redis_url, someone)
    client = await connect(replica, f"ticket={ticket}")
    await bus.publish(a_read(1, someone.principal.tenant))
    assert await client.unread(1) == [1]
    assert await refused(connect, replica, f"ticket={ticket}") == (401, "ticket-invalid")
    assert await refused(connect, replica, "ticket=made-up") == (401, "ticket-invalid")
    old = await a_ticket(redis_url, someone, exp=1.0)
    assert await refused(connect, replica, f"ticket={old}") == (401, "token-expired")


async def test_only_a_good_token_opens_a_socket(replica, connect, signed_in):
    assert await refused(connect, replica, "") == (401, "unauthenticated")
    assert await refused(connect, replica, "token=rubbish") == (401, "token-invalid")
    assert await refused(connect, replica, f"token={SignIn()().token}") == (401, "token-invalid")
    expired = signed_in(lifetime=timedelta(seconds=-60))
    assert await refused(connect, replica, f"token={expired.token}") == (401, "token-expired")
    assert await refused(connect, replica, f"token={signed_in().token}&since=-1") == (422, "bad-since")
    assert await connect(replica, additional_headers=signed_in().headers)


async def test_valkey_away_is_a_problem_and_tokens_still_work(replica, connect, signed_in, valkey):
    valkey.kill()
    assert await refused(connect, replica, "ticket=abc") == (503, "unavailable")
    assert await connect(replica, f"token={signed_in().token}")


async def test_a_token_that_ends_closes_its_socket(replica, connect, signed_in):
    client = await connect(replica, f"token={signed_in(lifetime=timedelta(seconds=1)).token}")
    assert await closed(client) == (4401, "token-expired")


async def test_a_fresh_token_keeps_the_socket_open(replica, bus, connect, signed_in, redis_url):
    someone = signed_in(lifetime=timedelta(seconds=2))
    client = await connect(replica, f"token={someone.token}")
    fresh = signed_in(tenant=someone.principal.tenant, user=someone.principal.id)
    await client.socket.send(json.dumps({"type": "auth", "ticket": await a_ticket(redis_url, fresh)}))
    assert (await client.next())["event"] == "auth"
    await client.socket.send(json.dumps({"type": "auth", "token": fresh.token}))
    assert (await client.next())["data"]["expires_at"] > datetime.now(UTC).timestamp() + 60
    (socket,) = replica.server.sockets
    assert socket.session.caller.expires > datetime.now(UTC).timestamp() + 60


async def test_another_persons_token_does_not(replica, connect, signed_in):
    client = await connect(replica, f"token={signed_in().token}")
    await client.socket.send(json.dumps({"type": "auth", "token": signed_in().token}))
    assert await closed(client) == (4401, "token-invalid")


@pytest.mark.parametrize("how", ["token", "ticket"])
async def test_a_raised_version_closes_the_persons_sockets_and_no_others(replica, bus, connect, signed_in, redis_url, how):
    someone, other = signed_in(user=UserId(ids.new()), version=1), signed_in()
    query = f"token={someone.token}" if how == "token" else f"ticket={await a_ticket(redis_url, someone)}"
    client = await connect(replica, query)
    beside = await connect(replica, f"token={other.token}")
    versions = await bus.bucket(buckets.VERSIONS)
    await versions.put(str(someone.principal.id), auth.encode_version(2))
    assert await closed(client) == (4401, "token-invalid")
    await bus.publish(a_read(1, other.principal.tenant))
    assert await beside.unread(1) == [1]


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (b"\x00binary", 1003, "binary messages are not taken"),
        ("no json", 1003, "not a message of this protocol"),
        ('{"type": "subscribe"}', 1003, "not a message of this protocol"),
        ('{"type": "auth"}', 1003, "not a message of this protocol"),
        ("[]", 1003, "not a message of this protocol"),
        ("x" * 20_000, 1009, None),
    ],
)
async def test_what_is_no_message_of_the_protocol_closes_the_socket(replica, connect, signed_in, message, code, reason):
    client = await connect(replica, f"token={signed_in().token}")
    await client.socket.send(message)
    got = await closed(client)
    assert got[0] == code
    assert reason is None or got[1] == reason


async def test_who_talks_too_much_is_closed(start, connect, signed_in):
    client = await connect(await start(messages=5, tick_s=5), f"token={signed_in().token}")
    for _ in range(6):
        await client.socket.send('{"type": "ping"}')
    assert await closed(client) == (1008, "too many messages")


async def test_pings_are_answered_in_both_directions_and_fragments_are_joined(start, connect, signed_in):
    replica = await start(ping_s=0.1)
    client = await connect(replica, f"token={signed_in().token}", ping_interval=None)
    await client.socket.send(['{"type":', ' "ping"}'])
    assert (await client.next())["event"] == "pong"
    await asyncio.wait_for(await client.socket.ping(), 5)
    (socket,) = replica.server.sockets
    before = socket._heard
    await eventually(lambda: socket._heard > before)


async def test_a_silent_socket_is_closed(start, signed_in):
    replica = await start(idle_s=0.5, ping_s=60, closing_s=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    key = "AAAAAAAAAAAAAAAAAAAAAA=="
    writer.write(
        f"GET /ws?token={signed_in().token} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        assert b"101" in await reader.readuntil(b"\r\n\r\n")
        assert b"\x03\xe9silent" in await reader.read()
    writer.close()


async def test_a_connection_that_asks_nothing_is_closed(start):
    replica = await start(opening_s=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_at_the_end_every_socket_is_sent_elsewhere(start, connect, signed_in):
    replica = await start()
    clients = [await connect(replica, f"token={signed_in().token}") for _ in range(20)]
    stopping = asyncio.create_task(replica.stop())
    assert [await closed(client) for client in clients] == [(1012, "restarting")] * 20
    await stopping
    assert not replica.server.sockets


async def test_what_is_no_socket_is_answered_like_http(replica, signed_in):
    url = f"http://127.0.0.1:{replica.port}"
    async with aiohttp.ClientSession() as session:
        for path, status in (("/health/live", 200), ("/health/ready", 200), ("/other", 404), (f"/ws?token={signed_in().token}", 426)):
            async with session.get(url + path) as response:
                assert response.status == status, path


async def test_more_sockets_than_there_is_room_for_are_refused(start, connect, signed_in):
    replica = await start(sockets=2)
    for _ in range(2):
        await connect(replica, f"token={signed_in().token}")
    assert await refused(connect, replica, f"token={signed_in().token}") == (503, "sockets-full")
