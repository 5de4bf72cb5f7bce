"""The bus as a service sees it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import msgspec
import structlog
from contracts import envelope as envelopes
from contracts import subjects
from contracts.buckets import Bucket
from contracts.envelope import Envelope
from contracts.ephemeral import Ephemeral
from contracts.ids import TenantId
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from servicekit import tracing
from servicekit.bus.connection import Connection, time
from servicekit.bus.consumer import Consumer, Consumption
from servicekit.bus.errors import BusAway, BusRefused
from servicekit.bus.failures import where
from servicekit.bus.keyvalue import KeyValue
from servicekit.bus.ordered import Ordered
from servicekit.bus.publisher import Item, Publisher

log = structlog.get_logger(__name__)

_FAILED = "Clarin-Failed"
#: The server's numbers for a message that is not in the stream.
MISSING = frozenset({10037, 10043, 10057})
ANSWERS = 64  # questions answered at the same time, per subject


class Subscription:
    """Something that is listened to, until `close`."""

    def __init__(self, subscription: NatsSubscription) -> None:
        self._subscription = subscription

    async def close(self) -> None:
        """Hear no more; a second time changes nothing."""
        try:
            await self._subscription.unsubscribe()
        except Exception as problem:
            log.debug("bus.unsubscribe_failed", reason=type(problem).__name__)


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream stands.

    Attributes:
        created: With a sequence it names a place for good: a stream made anew counts from one again.
    """

    created: datetime
    first_sequence: int
    last_sequence: int
    messages: int
    bytes: int


class Bus:
    """One connection to NATS; it comes back by itself after every loss."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._publisher = Publisher(connection)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, name: str) -> AsyncIterator[Self]:
        """Connect, waiting for the server for half a minute.

        Args:
            url: ``nats://user:password@host:port``; the user is the service as its subjects name it. Several, by comma, of a cluster.
            name: What the server's monitoring shows.

        Raises:
            BusAway: No server was there in time.
        """
        async with Connection.open(url, name=name) as connection:
            yield cls(connection)

    async def publish(self, *some: Envelope[Any], timeout: float = 30.0) -> None:
        """Every envelope is in its stream, in this order; a repeat within two minutes is dropped by the stream.

        Raises:
            BusAway: Not all acks came in time; some may have been stored, so publish all again.
            BusRefused: This service may not publish that.
        """
        encoded = [(subjects.of(one), one.id, envelopes.encode(tracing.current(one))) for one in some]
        await self.publish_raw(encoded, timeout=timeout)

    async def publish_raw(self, items: Sequence[tuple[str, UUID, bytes]], *, timeout: float = 30.0) -> None:
        """Publish encoded envelopes, each with its subject and id.  Raises: BusAway, BusRefused."""
        await self._publisher.publish(
            [Item(subject, str(id), payload, tracing.headers(payload)) for subject, id, payload in items], timeout=timeout
        )

    async def publish_items(self, items: Sequence[Item], *, timeout: float = 30.0) -> None:
        """Publish anything into a stream.  Raises: BusAway, BusRefused."""
        await self._publisher.publish(items, timeout=timeout)

    async def shout(self, tenant: TenantId, body: Ephemeral) -> None:
        """Tell those who listen right now; nobody may, and with the bus away nobody does."""
        try:
            await self.connection.send(subjects.ephemeral(body.service, body.what, tenant), msgspec.json.encode(body))
        except Exception as problem:
            log.info("bus.shout_lost", what=body.what, reason=type(problem).__name__)

    async def listen(self, subject: str, handler: Callable[[str, bytes], Awaitable[None]], *, queue: str = "") -> Subscription:
        """Call *handler* with subject and payload of what is shouted there, one after the other; of those in a *queue* one hears each."""

        async def heard(message: Msg) -> None:
            try:
                await handler(message.subject, message.data)
            except Exception as problem:
                log.error("bus.listener_failed", subject=subject, error=type(problem).__name__, where=where(problem))

        return Subscription(await self.connection.subscribe(subject, heard, queue=queue))

    async def answer(self, subject: str, handler: Callable[[bytes], Awaitable[bytes]], queue: str) -> Subscription:
        """Answer what is asked on *subject*; of those with the same *queue* one gets each question."""
        slots = asyncio.Semaphore(ANSWERS)
        running: set[asyncio.Task[None]] = set()

        async def work(message: Msg) -> None:
            try:
                payload, headers = await handler(message.data), None
            except Exception as problem:
                log.error("bus.answer_failed", subject=subject, error=type(problem).__name__, where=where(problem))
                payload, headers = b"", {_FAILED: "1"}
            finally:
                slots.release()
            await self.connection.send(message.reply, payload, headers=headers)

        async def asked(message: Msg) -> None:
            if message.reply:
                await slots.acquire()
                task = asyncio.create_task(work(message))
                running.add(task)
                task.add_done_callback(running.discard)

        return Subscription(await self.connection.subscribe(subject, asked, queue=queue))

    async def ask(self, subject: str, payload: bytes, timeout: float = 2.0) -> bytes:
        """Ask and wait for the answer.  Raises: BusAway: nobody answered in time, or who did could not."""
        message = await self.connection.request(subject, payload, timeout=timeout)
        if message.headers and _FAILED in message.headers:
            raise BusAway(f"{subject} could not be answered.")
        return message.data

    async def bucket(self, bucket: Bucket) -> KeyValue:
        """Give a bucket, which the migrator has declared."""
        return KeyValue(self.connection, bucket.name)

    def consumer(self, consumer: Consumer) -> Callable[[asyncio.Event], Awaitable[None]]:
        """Make the background part that consumes until its event is set."""

        async def run(stopping: asyncio.Event) -> None:
            await Consumption(consumer, self.connection, self._publisher).run(stopping)

        return run

    async def ordered(self, filter: str | Sequence[str], start: int | datetime | None = None, *, stream: str = subjects.EVENTS) -> Ordered:
        """Read a stream in order from sequence or time *start* on (None: what comes from now on), across reconnects.  Raises: BusAway.

        ``async for fact in await bus.ordered("evt.>", start)``; close it, or use it as a context.
        """
        ordered = Ordered(self.connection, stream, [filter] if isinstance(filter, str) else filter)
        try:
            await ordered.start(start)
        except BaseException:
            await ordered.close()
            raise
        return ordered

    async def stream_state(self, stream: str = subjects.EVENTS, *, timeout: float = 5.0) -> StreamState:
        """Tell where a stream stands.  Raises: BusAway."""
        info = await self.connection.api(f"STREAM.INFO.{stream}", timeout=timeout)
        state = info["state"]
        return StreamState(
            created=time(info["created"]),
            first_sequence=state["first_seq"],
            last_sequence=state["last_seq"],
            messages=state["messages"],
            bytes=state["bytes"],
        )

    async def erase(self, sequence: int, stream: str = subjects.EVENTS) -> bool:
        """The message is gone, its bytes overwritten; False where it was gone before.  Raises: BusAway, BusRefused."""
        try:
            await self.connection.api(f"STREAM.MSG.DELETE.{stream}", {"seq": sequence})
        except BusRefused as problem:
            if problem.number in MISSING:
                return False
            raise
        return True

    async def ping(self) -> None:
        """Return when the server has answered.  Raises: BusAway."""
        await self.connection.ping()
