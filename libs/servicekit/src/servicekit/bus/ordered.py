"""Reading a stream in order, without acks: a consumer of the server's, made anew after every loss where the last one stopped.

The server pushes, with flow control: it waits for a mark to come back, and the mark goes back when the reader has got that
far, so that a slow reader costs no memory. A break in the consumer's own count, a silence, or a reconnect: made anew.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from servicekit.bus.connection import Connection, instant, status
from servicekit.bus.errors import BusAway, BusRefused
from servicekit.bus.pull import Delivery
from servicekit.timers import first

log = structlog.get_logger(__name__)

HEARTBEAT = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Fact:
    """One message of a stream.

    Attributes:
        gap: The stream had thrown away something between the one before and this one, or is another stream by now:
            the reader has missed facts and cannot get them here.
    """

    sequence: int
    subject: str
    payload: bytes
    at: datetime
    headers: dict[str, str]
    gap: bool = False


class Push:
    """The server's consumer below `Ordered` and a bucket's watch, made by `begin` and made anew when it is lost."""

    def __init__(self, connection: Connection, stream: str, filters: Sequence[str], *, headers_only: bool = False) -> None:
        self._connection = connection
        self._stream = stream
        self._filters = list(filters)
        self._headers_only = headers_only
        self._queue: asyncio.Queue[Msg | None] = asyncio.Queue()  # bounded by the server's flow control
        self._subscription: Subscription | None = None
        self._expected = 1
        self._generation = 0
        self._unobserve = connection.observe(self._observe)

    async def begin(self, policy: dict[str, Any]) -> int:
        """Make a consumer and tell how many messages it has to deliver at first.  Raises: BusAway, BusRefused."""
        await self._end()
        self._generation += 1
        queue: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._queue = queue
        self._expected = 1
        subject = f"{self._connection.inbox}.o.{id(self):x}.{self._generation}"

        async def receive(message: Msg) -> None:
            queue.put_nowait(message)

        self._subscription = await self._connection.subscribe(subject, receive)
        config = {
            "deliver_subject": subject,
            "ack_policy": "none",
            "max_deliver": 1,
            "flow_control": True,
            "idle_heartbeat": int(HEARTBEAT * 1e9),
            "inactive_threshold": 10 * 10**9,  # the server deletes it when nobody listens any more
            "mem_storage": True,
            "num_replicas": 1,
            "filter_subjects": self._filters,
            "headers_only": self._headers_only,
            **policy,
        }
        # The old call, which can only make consumers without a name: with the new one a service that may make any would
        # also be allowed to rewrite another's durable.
        made = await self._connection.api(f"CONSUMER.CREATE.{self._stream}", {"stream_name": self._stream, "config": config})
        return int(made["num_pending"])

    async def next(self) -> Delivery | None:
        """Wait for the next delivery; None when the consumer is lost and `begin` is due."""
        while True:
            try:
                async with asyncio.timeout(3 * HEARTBEAT):
                    message = await self._queue.get()
            except TimeoutError:
                log.warning("bus.push_silent", stream=self._stream)
                return None
            if message is None:
                return None
            if (code := status(message)) == "100":
                headers = message.headers or {}
                if message.reply:
                    await self._connection.send(message.reply)
                elif stalled := headers.get("Nats-Consumer-Stalled"):
                    await self._connection.send(stalled)
                if int(headers.get("Nats-Last-Consumer", 0)) >= self._expected:
                    log.warning("bus.push_gap", stream=self._stream)
                    return None
                continue
            if code:
                return None
            delivery = Delivery.of(message)
            consumed = int(message.reply.split(".")[-3])
            if consumed != self._expected:
                log.warning("bus.push_gap", stream=self._stream)
                return None
            self._expected += 1
            return delivery

    async def close(self) -> None:
        """Stop; the server forgets the consumer by itself."""
        self._unobserve()
        await self._end()

    async def _end(self) -> None:
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            try:
                await subscription.unsubscribe()
            except Exception as problem:
                log.debug("bus.unsubscribe_failed", reason=type(problem).__name__)

    def _observe(self, present: bool) -> None:
        if not present:
            self._queue.put_nowait(None)


class Ordered:
    """Facts of a stream in its order, for ever: ``async for fact in ordered``.

    Attributes:
        created: When the stream was made; together with a sequence it names a place for good.
        sequence: The last one that was given, or where it began.
        pending: How many facts lay before it at its last beginning: with so many given, it has caught up.
    """

    def __init__(self, connection: Connection, stream: str, filters: Sequence[str]) -> None:
        self._connection = connection
        self._stream = stream
        self._push = Push(connection, stream, filters)
        self._begun = False
        self._gap = False
        self._closed = False
        self._since: datetime | None = None
        self.sequence = 0
        self.pending = 0
        self.created = ""

    async def start(self, start: int | datetime | None) -> None:
        """Stand before *start*, or behind the last one there is.  Raises: BusAway, BusRefused."""
        info = await self._connection.api(f"STREAM.INFO.{self._stream}")
        self.created = info["created"]
        if isinstance(start, datetime):
            self._since, self.sequence = start, max(0, info["state"]["first_seq"] - 1)
        else:
            self.sequence = info["state"]["last_seq"] if start is None else start - 1
        await self._begin(info)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Fact]:
        return self

    async def __anext__(self) -> Fact:
        pause = 0.05
        while not self._closed:
            if not self._begun:
                try:
                    await first(self._connection.connected, self._connection.closed)
                    if self._connection.closed.is_set():
                        raise StopAsyncIteration
                    await self._begin(await self._connection.api(f"STREAM.INFO.{self._stream}"))
                    pause = 0.05
                except (BusAway, BusRefused) as problem:
                    log.info("bus.ordered_waits", stream=self._stream, reason=str(problem))
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5.0)
                    continue
            delivery = await self._push.next()
            if delivery is None:
                self._begun = False
                continue
            if delivery.sequence <= self.sequence:
                continue
            self.sequence, self._since = delivery.sequence, None
            gap, self._gap = self._gap, False
            at = instant(delivery.first_seen)
            return Fact(delivery.sequence, delivery.subject, delivery.payload, at, delivery.headers, gap)
        raise StopAsyncIteration

    async def close(self) -> None:
        """Stop."""
        self._closed = True
        await self._push.close()

    async def _begin(self, info: dict[str, Any]) -> None:
        if info["created"] != self.created:  # deleted and made again: its numbers begin again too
            log.warning("bus.stream_made_anew", stream=self._stream)
            self.created, self.sequence, self._gap = info["created"], 0, True
        state = info["state"]
        if state["last_seq"] < self.sequence:  # a server that came back without its last second
            self.sequence, self._gap = state["last_seq"], True
        if state["first_seq"] > self.sequence + 1:
            self._gap = True
        if self._since is not None:
            since = self._since.astimezone(UTC).isoformat()
            policy: dict[str, Any] = {"deliver_policy": "by_start_time", "opt_start_time": since}
        else:
            policy = {"deliver_policy": "by_start_sequence", "opt_start_seq": self.sequence + 1}
        self.pending = await self._push.begin(policy)
        self._begun = True
