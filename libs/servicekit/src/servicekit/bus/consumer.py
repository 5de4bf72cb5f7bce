"""A consumer: batches of envelopes from a durable, and what becomes of a message that fails.

    what the handler raises                         what happens
    ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    nothing                                         acked
    Unavailable, OSError, TimeoutError, db.is_away  our own dependency is away: nothing more is fetched, the same batch is
                                                    tried again for as long as it takes, nothing is counted
    NotFound, Gone                                  acked and counted: what it was about is no more
    any other Problem; not decodable                to the dead letters at once
    anything else: a bug                            that message alone after 1 s, 5 s, 30 s, 2 min, 10 min; then dead letters

A batch that fails is halved until the culprit stands alone, so that the rest flows. A message that waits for its next try
waits here, with the server told every third of `ack_wait` that it is in hand. The server's count of deliveries decides
nothing: it grows as well with every restart and every outage of the database, and a service that was down for an evening once
sent a day of good messages to the dead letters. The price: a process that ends begins the tries of what it held from anew.
"""

import asyncio
import heapq
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from contracts import envelope as envelopes
from contracts import subjects
from contracts.envelope import Body, Envelope
from contracts.errors import Gone, NotFound, Problem, Unavailable
from nats.aio.msg import Msg

from servicekit import db, metrics, tracing
from servicekit.bus import dlq
from servicekit.bus.connection import Connection, status
from servicekit.bus.errors import BusAway
from servicekit.bus.failures import is_away, where
from servicekit.bus.fair import FairQueue
from servicekit.bus.publisher import Publisher
from servicekit.bus.pull import Delivery, Pull
from servicekit.timers import first

log = structlog.get_logger(__name__)

REPLAYS = 16  # messages in hand that come back from the dead letters
REMEMBERED = 20_000  # sequences that were handled, to recognise those whose ack was lost on the way
BUSY_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """What a service consumes.

    Attributes:
        durable: ``<service>-<what>``, the service as its subjects name it.
        handle: Gets up to *batch* envelopes in stream order, of several tenants; returning means done. Repeats happen.
        linger: Seconds to wait for more when a batch is not full.
        concurrency: Batches at the same time; a tenant is never in two.
        ack_wait: After a crash the messages in hand come again after this time. No limit for the handler.
        retries: Waits before the next tries of a message on which the handler has a bug.
    """

    durable: str
    stream: str
    bodies: tuple[type[Body], ...]
    handle: Callable[[Sequence[Envelope[Any]]], Awaitable[None]]
    batch: int = 200
    linger: float = 0.0
    concurrency: int = 1
    ack_wait: timedelta = timedelta(seconds=30)
    retries: tuple[timedelta, ...] = (
        timedelta(seconds=1),
        timedelta(seconds=5),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
    )

    @property
    def service(self) -> str:
        """Name the service as its subjects do."""
        return self.durable.partition("-")[0]


@dataclass(slots=True, eq=False)
class _Held:
    """A message in hand."""

    delivery: Delivery
    pull: Pull
    tenant: str
    envelope: Envelope[Any]
    order: int
    attempts: int = 0


class _StoppingError(Exception):
    """The process stops while a dependency is away."""


class Consumption:
    """One run of a consumer."""

    def __init__(self, consumer: Consumer, connection: Connection, publisher: Publisher) -> None:
        self._consumer = consumer
        self._connection = connection
        self._publisher = publisher
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._queue: FairQueue[_Held] = FairQueue()
        self._held: dict[tuple[str, int], _Held] = {}
        self._done: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._retries: list[tuple[float, int, _Held]] = []
        self._undecodable: list[tuple[Delivery, Pull, Exception]] = []
        self._busy: set[str] = set()
        self._working = 0
        self._away = 0
        self._order = itertools.count()
        self._oldest = 0.0
        self._waiting = 0
        self._inbox = f"{connection.inbox}.c.{id(self):x}"
        filters = sorted(subjects.every(body) for body in consumer.bodies)
        again = [subjects.again(consumer.service, consumer.durable)]
        self._pulls = {
            stream: Pull(
                connection,
                stream=stream,
                durable=consumer.durable,
                filters=wanted,
                inbox=f"{self._inbox}.{stream}",
                capacity=capacity,
                ack_wait=consumer.ack_wait,
                changed=self._wake.set,
                replaced=self._replaced,
            )
            for stream, wanted, capacity in (
                (consumer.stream, filters, consumer.batch * (consumer.concurrency + 1)),
                (subjects.DLQ, again, REPLAYS),
            )
        }

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until *stopping*; what is in hand and not handled then goes back to the server at once."""
        subscription = await self._connection.subscribe(f"{self._inbox}.*", self._receive)
        unobserve = self._connection.observe(self._observe)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(stopping))
                tasks.create_task(self._beat())
                for pull in self._pulls.values():
                    tasks.create_task(pull.tend(self._stopping))
                await self._loop(tasks)
        finally:
            unobserve()
            try:
                async with asyncio.timeout(5):
                    await subscription.drain()  # type: ignore[no-untyped-call]  # what is on its way still arrives, and goes back with the rest
            except Exception as problem:
                log.info("bus.drain_failed", durable=self._consumer.durable, reason=type(problem).__name__)
            # A bare nak comes back at once: right here alone, where this process asks for nothing any more.
            await self._tell((held.delivery.reply for held in sorted(self._held.values(), key=lambda held: held.order)), b"-NAK")

    async def _loop(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        consumer = self._consumer
        held_gauge, lag_gauge = metrics.HELD.labels(consumer.durable), metrics.LAG.labels(consumer.durable)
        while not self._stopping.is_set():
            self._wake.clear()
            now = loop.time()
            await self._pull(now)
            while self._working < consumer.concurrency and (batch := self._next(now)):
                self._working += 1
                self._busy |= {held.tenant for held in batch}
                tasks.create_task(self._work(batch))
            if self._undecodable and not self._away:
                self._working += 1
                some, self._undecodable = self._undecodable, []
                tasks.create_task(self._bury_undecodable(some))
            held_gauge.set(len(self._held))
            lag_gauge.set(self._waiting)
            pause = 1.0
            if self._retries:
                pause = min(pause, max(0.01, self._retries[0][0] - now))
            if consumer.linger and len(self._queue):
                pause = min(pause, max(0.001, self._oldest + consumer.linger - now))
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass
        # The tasks that handle a batch end by themselves; the group waits for them.

    async def _pull(self, now: float) -> None:
        # What waits for a retry is in hand too: a bug that hits every message stops the fetching, when the hand is full of them.
        if not self._away:
            for pull in self._pulls.values():
                await pull.top_up(now)

    def _next(self, now: float) -> list[_Held]:
        if self._away:
            return []
        if self._retries and self._retries[0][0] <= now and self._retries[0][2].tenant not in self._busy:
            return [heapq.heappop(self._retries)[2]]
        size = len(self._queue)
        if not size or (size < self._consumer.batch and now < self._oldest + self._consumer.linger):
            return []
        batch = [held for _, held in self._queue.take(self._consumer.batch, self._busy)]
        batch.sort(key=lambda held: held.order)
        return batch

    async def _work(self, batch: list[_Held]) -> None:
        try:
            await self._settle(batch)
        except _StoppingError:
            pass
        finally:
            self._working -= 1
            self._busy -= {held.tenant for held in batch}
            self._wake.set()

    async def _settle(self, batch: list[_Held]) -> None:
        problem = await self._try(batch)
        if problem is None:
            await self._ack(batch, "done")
        elif len(batch) > 1:
            half = len(batch) // 2
            await self._settle(batch[:half])
            await self._settle(batch[half:])
        else:
            await self._judge(batch[0], problem)

    async def _try(self, batch: list[_Held]) -> Exception | None:
        """Call the handler; None when it is done, else what it raised. Waits for a dependency that is away."""
        busy = 0

        async def attempt() -> Exception | None:
            nonlocal busy
            try:
                some = [held.envelope for held in batch]
                with tracing.handling(self._consumer.durable, some), metrics.HANDLING.labels(self._consumer.durable).time():
                    await self._consumer.handle(some)
            except Exception as problem:
                if db.is_busy(problem) and (busy := busy + 1) > BUSY_TRIES:
                    return problem  # always too slow, or always the same deadlock: no outage
                if is_away(problem):
                    raise
                return problem
            return None

        failure: Exception | None = await self._until_there(attempt)
        return failure

    async def _until_there(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do *act* again and again while what it needs is away."""
        pause = 0.1
        away = False
        try:
            while True:
                try:
                    return await act()
                except Exception as problem:
                    if not is_away(problem):
                        raise
                    if not away:
                        away = True
                        self._away += 1
                        metrics.AWAY.labels(self._consumer.durable).inc()
                        log.warning("bus.dependency_away", durable=self._consumer.durable, reason=type(problem).__name__)
                if self._stopping.is_set():
                    raise _StoppingError
                await first(self._stopping, timeout=pause)
                pause = min(pause * 2, 5.0)
        finally:
            if away:
                self._away -= 1
                self._wake.set()

    async def _judge(self, held: _Held, problem: Exception) -> None:
        consumer = self._consumer
        if isinstance(problem, NotFound | Gone):
            log.info("bus.entity_gone", durable=consumer.durable, type=held.envelope.type, id=str(held.envelope.id), code=problem.code)
            await self._ack([held], "gone")
        elif isinstance(problem, Problem) and not isinstance(problem, Unavailable):
            await self._bury(held, problem)
        else:
            held.attempts += 1
            log.error(
                "bus.handler_failed",
                durable=consumer.durable,
                type=held.envelope.type,
                id=str(held.envelope.id),
                attempt=held.attempts,
                error=type(problem).__name__,
                where=where(problem),
            )
            if held.attempts > len(consumer.retries):
                await self._bury(held, problem)
            else:
                metrics.RETRIED.labels(consumer.durable).inc()
                due = asyncio.get_running_loop().time() + consumer.retries[held.attempts - 1].total_seconds()
                heapq.heappush(self._retries, (due, held.order, held))

    async def _bury(self, held: _Held, problem: Exception) -> None:
        await self._dead_letter(held.delivery, problem, max(1, held.attempts))
        await self._ack([held], "dead")

    async def _bury_undecodable(self, some: list[tuple[Delivery, Pull, Exception]]) -> None:
        try:
            for delivery, pull, problem in some:
                await self._dead_letter(delivery, problem, 1)
                pull.held -= 1
                self._remember((delivery.stream, delivery.sequence))
                metrics.CONSUMED.labels(self._consumer.durable, "dead").inc()
                await self._connection.send(delivery.reply, b"+ACK")
        except _StoppingError:
            pass
        finally:
            self._working -= 1
            self._wake.set()

    async def _dead_letter(self, delivery: Delivery, problem: Exception, attempts: int) -> None:
        letter = dlq.letter(self._consumer.service, self._consumer.durable, delivery, problem, attempts)
        log.error(
            "bus.dead_letter",
            durable=self._consumer.durable,
            stream=delivery.stream,
            sequence=delivery.sequence,
            error=type(problem).__name__,
            code=dlq.code(problem),
            attempts=attempts,
        )
        await self._until_there(lambda: self._publisher.publish([letter]))
        metrics.DEAD.labels(self._consumer.durable, dlq.code(problem)).inc()

    async def _ack(self, batch: Sequence[_Held], outcome: str) -> None:
        for held in batch:
            key = (held.delivery.stream, held.delivery.sequence)
            if self._held.pop(key, None) is not None:
                held.pull.held -= 1
            self._remember(key)
        metrics.CONSUMED.labels(self._consumer.durable, outcome).inc(len(batch))
        await self._tell((held.delivery.reply for held in batch), b"+ACK")

    async def _tell(self, replies: Iterable[str], word: bytes) -> None:
        """Send the same word for many messages. Where it does not arrive, they come again and are recognised."""
        await self._connection.post([self._connection.command(reply, word) for reply in replies])

    def _remember(self, key: tuple[str, int]) -> None:
        self._done[key] = None
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)

    async def _receive(self, message: Msg) -> None:
        now = asyncio.get_running_loop().time()
        self._wake.set()
        if status(message):
            pull = self._pulls.get(message.subject.rpartition(".")[2])
            if pull is not None:
                pull.told(message, now)
            return
        if not message.reply.startswith("$JS.ACK."):
            return
        delivery = Delivery.of(message)
        pull = self._pulls[delivery.stream]
        pull.arrived(now)
        self._waiting = delivery.waiting
        key = (delivery.stream, delivery.sequence)
        if key in self._done:
            await self._connection.send(delivery.reply, b"+ACK")
            return
        if key in self._held:
            return
        pull.held += 1
        try:
            envelope = envelopes.decode(delivery.payload)
        except Exception as problem:
            undecodable = dlq.Undecodable()
            undecodable.__cause__ = problem
            self._undecodable.append((delivery, pull, undecodable))
            return
        if not len(self._queue):
            self._oldest = now
        held = self._held[key] = _Held(delivery, pull, str(envelope.tenant), envelope, next(self._order))
        self._queue.add(held.tenant, held)

    async def _beat(self) -> None:
        """Tell the server, often enough, that what is in hand is in hand."""
        every = self._consumer.ack_wait.total_seconds() / 3
        while not self._stopping.is_set():
            await first(self._stopping, timeout=every)
            await self._tell((held.delivery.reply for held in self._held.values()), b"+WPI")

    async def _watch(self, stopping: asyncio.Event) -> None:
        await first(stopping, self._connection.closed)
        self._stopping.set()
        self._wake.set()
        if not stopping.is_set():
            raise BusAway("The server has closed the connection for good.")

    def _observe(self, present: bool) -> None:
        if not present:
            for pull in self._pulls.values():
                pull.disconnected()
        self._wake.set()

    def _replaced(self, stream: str) -> None:
        for key in [key for key in self._done if key[0] == stream]:
            del self._done[key]
