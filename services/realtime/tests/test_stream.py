"""The same as server-sent events: same frames, same sequence, same rights."""

import asyncio
import json
from datetime import timedelta

import aiohttp
import pytest_asyncio
from contracts import ids
from contracts.envelope import Audience
from contracts.principal import Role, Scope
from servicekit.testing import eventually

from .conftest import a_read, reached


class Events:
    """A stream that was opened."""

    def __init__(self, answer):
        self.answer = answer
        self.place = None

    async def block(self):
        """Give the lines of the next event or comment; None at the end."""
        async with asyncio.timeout(10):
            lines = (await self.answer.content.readuntil(b"\n\n")).decode().removesuffix("\n\n").split("\n")
        return dict(line.split(": ", 1) for line in lines if not line.startswith(":"))

    async def next(self):
        while not (lines := await self.block()):
            pass
        self.place = lines.get("id", self.place)
        return json.loads(lines["data"])

    async def unread(self, count):
        return [(await self.next())["data"]["unread"] for _ in range(count)]


@pytest_asyncio.fixture
async def stream():
    async with aiohttp.ClientSession() as session:

        async def open_one(replica, someone, place=None, **query):
            headers = someone.headers | ({"Last-Event-ID": place} if place else {})
            return Events(await session.get(f"{replica.url}/api/stream", headers=headers, params=query))

        yield open_one


async def test_it_tells_what_a_socket_tells_and_goes_on_where_it_ended(start, bus, connect, stream, signed_in):
    replica = await start(history=20)
    someone = signed_in(Role.AGENT)
    events, client = await stream(replica, someone), await connect(replica, f"token={someone.token}")
    assert events.answer.content_type == "text/event-stream"
    hello = await events.next()
    assert (hello["event"], hello["protocol"], hello["seq"]) == ("hello", 1, client.last)
    assert events.place == f"{hello['epoch']}:{hello['seq']}"
    await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(10)))
    for _ in range(10):
        assert await events.next() == await client.next()
    events.answer.close()
    await bus.publish(*(a_read(number, someone.principal.tenant) for number in range(10, 50)))
    await reached(replica, bus)
    back = await stream(replica, someone, events.place)
    hello = await back.next()
    assert (hello["seq"], hello["data"]["resumed"]) == (client.last, True)
    assert await back.unread(40) == list(range(10, 50)), "most of it from the stream"
    assert back.place == f"{hello['epoch']}:{50}"
    lost = await stream(replica, someone, f"other:{client.last}")
    assert [(await lost.next())["event"] for _ in range(2)] == ["hello", "resync"]


async def test_it_tells_what_its_caller_may_see_and_hears_of_a_change(replica, bus, stream, signed_in, reach):
    someone, tenant = (agent := signed_in(Role.AGENT)), agent.principal.tenant
    await reach(someone, chats="own")
    await eventually(lambda: replica.server.door.by_token(someone.token).principal.access.chats == "own")
    events = await stream(replica, someone)
    await events.next()
    mine = Audience(device=ids.new(), assignee=someone.principal.id)
    await bus.publish(a_read(1, tenant), a_read(2, tenant, audience=mine), a_read(3, tenant, audience=Audience(device=ids.new())))
    assert await events.unread(1) == [2]
    await reach(someone, chats="all")
    assert (await events.next())["reason"] == "access"
    await bus.publish(a_read(4, tenant))
    assert await events.unread(1) == [4]


async def test_it_is_kept_alive_and_ends_with_its_token(start, stream, signed_in):
    replica = await start(comment_s=0.05)
    events = await stream(replica, signed_in(lifetime=timedelta(seconds=2)))
    assert (await events.next())["event"] == "hello"
    assert await events.block() == {}
    assert await events.next() == {"event": "closed", "data": {"code": 4401, "reason": "token-expired"}}
    assert await events.answer.content.read() == b""
    await eventually(lambda: not replica.server.sockets)


async def test_who_may_not_read_gets_no_stream(replica, stream, signed_in):
    key, someone = signed_in(scopes=[Scope.SEND]), signed_in()
    for events, status, code in (
        (await stream(replica, key), 403, "scope-missing"),
        (await stream(replica, someone, "e:x"), 422, "bad-since"),
        (await stream(replica, signed_in(lifetime=timedelta(seconds=-60))), 401, "token-expired"),
    ):
        assert (events.answer.status, (await events.answer.json())["code"]) == (status, code)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{replica.url}/api/stream?token={someone.token}") as answer:
            assert answer.status == 401, "a token in an address stands in logs: only a socket, which cannot say it otherwise, may"
        async with session.post(f"{replica.url}/api/stream", headers=someone.headers) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET")


async def test_at_the_end_a_stream_is_sent_elsewhere_too(start, stream, signed_in):
    replica = await start()
    events = await stream(replica, signed_in())
    await events.next()
    stopping = asyncio.create_task(replica.stop())
    assert (await events.next())["data"] == {"code": 1012, "reason": "restarting"}
    await stopping
