"""Realtime on real NATS and Valkey, as replicas of a test's own, and real clients."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest_asyncio
import websockets
from contracts import asks, buckets, envelope, ids
from contracts.envelope import Audience
from contracts.events.conversations import ChatRead
from contracts.events.devices import ReceiptObserved
from contracts.ids import DeviceId
from contracts.principal import Access
from contracts.whatsapp import Address
from prometheus_client import CollectorRegistry
from realtime.callers import Door
from realtime.domain import Limits
from realtime.feed import Feed
from realtime.presence import Pace, Presence
from realtime.sockets import Counters, Server
from redis.asyncio import Redis
from servicekit.auth import Verifier, encode_access
from servicekit.bus import Bus
from servicekit.testing import eventually
from servicekit.testing.identity import SignedIn


@dataclass
class Replica:
    """One running realtime."""

    port: int
    feed: Feed
    server: Server
    stopping: asyncio.Event
    serving: "asyncio.Task[None]"
    being: "asyncio.Task[None]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def dies(self) -> None:
        """Say nothing more of who is there, as when it was killed."""
        self.being.cancel()

    async def stop(self) -> None:
        self.stopping.set()
        await self.serving


async def run_replica(
    stack: AsyncExitStack, bus_url: str, redis_url: str, *, history: int = 1000, pace: Pace | None = None, **changes: Any
) -> Replica:
    bus = await stack.enter_async_context(Bus.open(bus_url, name="realtime"))
    verifier = await stack.enter_async_context(Verifier.open(bus))
    redis = await stack.enter_async_context(Redis.from_url(redis_url))
    feed = Feed(
        bus, history=history, size=changes.pop("size", 10_000_000), limit=changes.pop("limit", 100), writes=changes.pop("writes", 12.0)
    )
    limits = replace(Limits(drain_s=0.2, tick_s=0.05), **changes)
    presence = Presence(bus, lambda: feed.hub, feed.chats, pace or Pace())
    server = Server(feed=feed, door=Door(verifier, redis), presence=presence, limits=limits, counters=Counters(CollectorRegistry()))
    stopping = asyncio.Event()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    following = asyncio.create_task(feed.run(stopping))
    being = asyncio.create_task(presence.run(stopping))
    serving = asyncio.create_task(server.serve("127.0.0.1", 0, stopping, ready=listening))
    replica = Replica(await listening, feed, server, stopping, serving, being)

    async def end() -> None:
        await replica.stop()
        await following
        with contextlib.suppress(asyncio.CancelledError):
            await being

    stack.push_async_callback(end)
    await asyncio.wait_for(feed.ready.wait(), 10)
    return replica


@pytest_asyncio.fixture
async def start(bus_url: str, redis_url: str) -> AsyncIterator[Any]:
    """Start replicas with settings of their own."""
    async with AsyncExitStack() as stack:

        async def run(**changes: Any) -> Replica:
            return await run_replica(stack, bus_url, redis_url, **changes)

        yield run


@pytest_asyncio.fixture
async def replica(start: Any, signed_in: Any) -> Replica:
    """Started when the key that signs is in its bucket: what comes later is heard a moment later."""
    return await start()


class Client:
    """A socket that insists on the chain of sequences."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.epoch = ""
        self.last = 0
        self.resumed = False
        self.resyncs: list[str] = []

    async def hello(self) -> dict[str, Any]:
        frame = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
        assert frame["event"] == "hello"
        self.epoch, self.last, self.resumed = frame["epoch"], frame["seq"], frame["data"]["resumed"]
        return frame

    async def next(self, timeout: float = 10) -> dict[str, Any]:
        frame = json.loads(await asyncio.wait_for(self.socket.recv(), timeout))
        if frame["event"] == "resync":
            self.last = frame["seq"]
            self.epoch = frame["epoch"]
            self.resyncs.append(frame["reason"])
        elif "seq" in frame:
            assert frame["prev"] == self.last
            assert frame["seq"] > self.last
            self.last = frame["seq"]
        return frame

    async def say(self, type: str, **what: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **what}))

    async def until(self, event: str, **fields: Any) -> dict[str, Any]:
        """Give the data of the next frame of this kind with these fields; what comes before it is let go."""
        while True:
            frame = await self.next()
            if frame["event"] == event and fields.items() <= frame["data"].items():
                return frame["data"]

    async def unread(self, count: int) -> list[int]:
        """Take *count* frames, each of which carries the number that `a_read` gave it."""
        return [(await self.next())["data"]["unread"] for _ in range(count)]


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Any]:
    """Open sockets; closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_one(replica: Replica, query: str = "", *, hello: bool = True, **more: Any) -> Client:
            address = f"ws://127.0.0.1:{replica.port}/ws?{query}"
            socket = await websockets.connect(address, compression=None, close_timeout=1, **more)
            stack.push_async_callback(socket.close)
            client = Client(socket)
            if hello:
                await client.hello()
            return client

        yield open_one


def a_read(number: int, tenant: Any, **changes: Any) -> Any:
    """An event that becomes a frame, with a number to know it by."""
    body = ChatRead(id=ids.public(ids.CHAT, ids.new()), unread=number, at=datetime.now(UTC))
    return envelope.wrap(tenant, body, **changes)


def an_internal(tenant: Any) -> Any:
    """An event that nobody outside hears of."""
    chat = Address("pn", "1")
    body = ReceiptObserved(device=DeviceId(ids.new()), chat=chat, wa_ids=[str(ids.new())], status="read", at=datetime.now(UTC))
    return envelope.wrap(tenant, body)


async def reached(replica: Replica, bus: Bus) -> None:
    """Wait until a replica has heard all that is in the stream."""
    last = (await bus.stream_state()).last_sequence
    await eventually(lambda: replica.feed.hub.position >= last)


@pytest_asyncio.fixture
async def reach(bus: Bus) -> Any:
    """Set what somebody sees, as auth does."""
    bucket = await bus.bucket(buckets.ACCESS)

    async def set_to(someone: SignedIn, **access: Any) -> None:
        await bucket.put(str(someone.principal.id), encode_access(Access(**access)))

    return set_to


@pytest_asyncio.fixture
async def chats(bus: Bus) -> AsyncIterator[dict[str, Audience]]:
    """Whose chats these are, as conversations answers."""
    known: dict[str, Audience] = {}

    async def answer(payload: bytes) -> bytes:
        asked = msgspec.json.decode(payload, type=asks.ChatsNamed)
        names = {id: ids.public(ids.CHAT, id) for id in asked.chats}
        found = {id: known[name] for id, name in names.items() if name in known}
        return msgspec.json.encode(asks.ChatsKnown(chats=found))

    answering = await bus.answer(asks.CHATS, answer, queue="conversations")
    yield known
    await answering.close()


def a_chat() -> str:
    return ids.public(ids.CHAT, ids.new())
