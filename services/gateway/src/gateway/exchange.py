"""One request and its answer: bytes passed on as they come, each side held back by the other.

It starts when its head has been read and no earlier request of the connection is open, and is over when the last byte
of the answer was written, the client went away, or the connection became another protocol's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from contracts.errors import Problem

from gateway import responses
from gateway.domain import BodyTooLarge, TooSlow, UpstreamAway, UpstreamBroken, UpstreamTimeout
from gateway.requests import Request
from gateway.responses import Answer, Headers
from gateway.upstream import Connection, Pool

if TYPE_CHECKING:
    from gateway.edge import Client

#: Bytes of a body that wait for a connection, and of an unread body that are thrown away to keep the client's connection.
_BUFFER = 64 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Forward:
    """A request that a service answers: to whom, and the head that it gets."""

    pool: Pool
    head: bytes


@dataclass(frozen=True, slots=True)
class Later:
    """A request that a service answers once somebody has been asked: *decide* gives the rest, or raises a Problem."""

    decide: Callable[[], Awaitable[Forward]]


Plan = Forward | Later | Answer | Callable[[], Awaitable[Answer]]


class Exchange:
    """One request and its answer.

    Attributes:
        complete: The whole request has been read.
        begun: The head of the answer has been written.
        over: Nothing more will be written.
        close: The client's connection ends with this answer.
    """

    __slots__ = (
        "_asked", "_buffer", "_buffered", "_chunked", "_connection", "_discarding", "_forward", "_head", "_kept", "_retried", "_service",
        "_task", "begun", "client", "close", "complete", "limit", "over", "plan", "received", "request", "sent", "started", "status",
        "upgraded",
    )  # fmt: skip

    def __init__(self, client: "Client", request: Request, plan: Plan, *, limit: int) -> None:
        self.client = client
        self.request = request
        self.plan = plan
        self.limit = limit
        self.complete = False
        self.begun = False
        self.over = False
        self.close = not request.keep_alive or bool(request.upgrade)
        self.upgraded = False
        self.status = 0
        self.received = 0
        self.sent = 0
        self.started = time.perf_counter()
        self._forward = plan if isinstance(plan, Forward) else None
        self._service = self._forward.pool.name if self._forward else "gateway"
        self._asked = 0.0
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._kept: list[bytes] | None = [] if b"idempotency-key" in request.fields else None
        self._head = b""
        self._chunked = False
        self._connection: Connection | None = None
        self._discarding = not isinstance(plan, Forward | Later)
        self._retried = False
        self._task: asyncio.Task[None] | None = None

    # From the client

    def start(self, now: float) -> None:
        """Answer, or ask who answers."""
        self._asked = now
        plan = self.plan
        if isinstance(plan, Forward):
            self._ask(plan)
        elif isinstance(plan, Answer):
            self.answer(plan)
        elif isinstance(plan, Later):
            self._task = asyncio.get_running_loop().create_task(self._decide(plan))
        else:
            self._task = asyncio.get_running_loop().create_task(self._await(plan))

    def _ask(self, forward: Forward) -> None:
        self._forward = forward
        self._service = forward.pool.name
        if not self.complete and b"expect" in self.request.fields and self.request.version == "1.1":
            self.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        forward.pool.ask(self, bodyless=self.request.method == b"HEAD", upgrading=bool(self.request.upgrade))

    async def _decide(self, later: Later) -> None:
        try:
            forward = await later.decide()
        except Problem as problem:
            self._refuse(problem)
        except Exception:
            log.exception("admitting a request failed", request_id=self.request.id, path=self.request.path)
            self._refuse(Problem())
        else:
            if not self.over:
                self._ask(forward)

    async def _await(self, plan: Callable[[], Awaitable[Answer]]) -> None:
        try:
            answer = await plan()
        except Problem as problem:
            answer = responses.problem(problem, self.request.id)
        except Exception:
            log.exception("own answer failed", request_id=self.request.id, path=self.request.path)
            answer = responses.bug(self.request.id)
        if not self.over:
            self.answer(answer)

    def take(self, data: bytes) -> None:
        """Pass on a piece of the request's body.  Raises: BodyTooLarge."""
        self.received += len(data)
        if self.received > self.limit:
            raise BodyTooLarge(f"A body here has at most {self.limit} bytes.")
        if self._discarding:
            return
        if self.request.chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._kept is not None:
            self._kept.append(data)
            if self.received > _BUFFER:
                self._kept = None
        if self._connection is not None:
            self._connection.write(data)
            return
        self._buffer.append(data)
        self._buffered += len(data)
        if self._buffered > _BUFFER:
            self.client.hold(self.client.BUFFER)

    def taken(self, now: float) -> None:
        """Note that the request has been read to its end."""
        self.complete = True
        self._asked = now
        if self.request.chunked and not self._discarding:
            if self._kept is not None:
                self._kept.append(b"0\r\n\r\n")
            if self._connection is not None:
                self._connection.write(b"0\r\n\r\n")
            else:
                self._buffer.append(b"0\r\n\r\n")

    def abandon(self) -> None:
        """Give up: the client is gone."""
        if self.over:
            return
        self.over = True
        self._drop_connection()
        if self._task is not None:
            self._task.cancel()
        self.status = self.status or 499
        self._record()

    def fail(self, problem: Problem) -> None:
        """Answer with *problem*, or break off where the answer has begun; either way the connection ends."""
        if self.over:
            return
        self._drop_connection()
        if self._task is not None:
            self._task.cancel()
        if self.begun:
            self.client.abort()
            return
        self.close = True
        self.answer(responses.problem(problem, self.request.id))

    def tick(self, now: float) -> None:
        """End what takes too long."""
        limits = self.client.edge.limits
        if not self.complete and not self.client.held:
            if now - self._asked > limits.body_s + self.received / limits.body_rate:
                self.fail(TooSlow("The body did not arrive in time."))
        elif self.client.full or self.upgraded:
            return
        elif now - self._asked > limits.upstream_s:
            log.warning("service too slow", upstream=self._service, path=self.request.path, request_id=self.request.id)
            if self.complete and not self.begun:
                self._drop_connection()
                self.answer(responses.problem(UpstreamTimeout("The service for this did not answer in time."), self.request.id))
            else:
                self.fail(UpstreamTimeout("The service for this did not answer in time."))

    def pressure(self, full: bool) -> None:
        """Hold the service back while the client takes nothing, and let it go on."""
        if self._connection is not None:
            if full:
                self._connection.pause()
            else:
                self._asked = self.client.edge.now()
                self._connection.resume()

    # From the service

    def attached(self, connection: Connection) -> None:
        """Send the request over *connection*."""
        self._connection = connection
        if self._forward is not None:
            connection.write(b"".join([self._forward.head, *self._buffer]) if self._buffer else self._forward.head)
        self._buffer.clear()
        self.client.free(self.client.BUFFER)
        if self.client.full:
            connection.pause()

    def unreachable(self) -> None:
        """Say that the service is away."""
        self._refuse(UpstreamAway("The service for this is away; try again."))

    def lost(self) -> None:
        """Ask once more where that is safe, else say that the answer broke off."""
        connection, self._connection = self._connection, None
        if self.upgraded:
            self.client.close()
            return
        if self.begun:
            self.client.abort()
            return
        if connection is not None and not connection.answered and self._may_retry() and self._forward is not None:
            self._retried = True
            self._buffer = [*(self._kept or ()), *self._buffer]
            self._forward.pool.ask(self, bodyless=self.request.method == b"HEAD", upgrading=False, fresh=True)
            return
        self._refuse(UpstreamBroken("The service for this broke off."))

    def _may_retry(self) -> bool:
        """Tell whether asking twice is no more than asking once: what only reads, and what carries the key of its effect."""
        request = self.request
        if self._retried or request.upgrade:
            return False
        return self._kept is not None or (request.bodyless() and request.method in (b"GET", b"HEAD"))

    def _refuse(self, problem: Problem) -> None:
        """Answer for a service that cannot or must not; what comes of the body is thrown away."""
        self._discarding = True
        self._buffer.clear()
        self.client.free(self.client.BUFFER | self.client.UPSTREAM)
        if not self.over:
            bug = type(problem) is Problem
            self.answer(responses.bug(self.request.id) if bug else responses.problem(problem, self.request.id))

    def head(self, status: int, headers: Headers, *, length: int | None, bodyless: bool) -> None:
        """Write the head of the service's answer."""
        self._kept = None
        self._asked = self.client.edge.now()
        if bodyless:
            framing = b"content-length: %d\r\n" % length if length is not None and status != 204 else b""
        elif length is not None:
            framing = b"content-length: %d\r\n" % length
        elif self.request.version == "1.1":
            framing = b"transfer-encoding: chunked\r\n"
            self._chunked = True
        else:
            framing = b""
            self.close = True
        self._begin(status, responses.passed(headers), framing)

    def settle(self) -> None:
        """Write a head that no body came with: one write for both is half the cost."""
        if self._head:
            head, self._head = self._head, b""
            self.client.write(head)

    def chunk(self, data: bytes) -> None:
        """Write a piece of the answer's body."""
        self._asked = self.client.edge.now()
        self.sent += len(data)
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._head:
            data, self._head = self._head + data, b""
        self.client.write(data)

    def end(self) -> None:
        """Finish the answer."""
        self._connection = None
        self.settle()
        if self._chunked:
            self.client.write(b"0\r\n\r\n")
        self._finish()

    def switched(self, headers: Headers, first: bytes) -> None:
        """Join both sides: from here on every byte passes as it is."""
        if self._connection is None:
            return
        self.begun = self.upgraded = True
        self.status = 101
        self.client.splice(self._connection, responses.switching(headers, self.request) + first)
        self.sent += len(first)

    def spliced(self, data: bytes) -> None:
        """Pass on bytes of the other protocol."""
        self.sent += len(data)
        self.client.write(data)

    def full(self) -> None:
        """Hold the client back: the service takes nothing."""
        self.client.hold(self.client.UPSTREAM)

    def drained(self) -> None:
        """Let the client go on."""
        self._asked = self.client.edge.now()
        self.client.free(self.client.UPSTREAM)

    # To the client

    def answer(self, answer: Answer) -> None:
        """Write a whole answer of the gateway's own."""
        framing = b"" if answer.status in (204, 304) else b"content-length: %d\r\n" % len(answer.body)
        self._discarding = True
        if not self.complete and (self.request.length is None or self.request.length > _BUFFER):
            self.close = True
        self._begin(answer.status, responses.lines(answer.headers), framing)
        if answer.body and self.request.method != b"HEAD":
            self.sent += len(answer.body)
            self._head += answer.body
        self.settle()
        self._finish()

    def _begin(self, status: int, headers: bytes, framing: bytes) -> None:
        self.begun = True
        self.status = status
        self.close = self.close or self.client.edge.draining or not (self.complete or self._discarding)
        self._head = responses.head(status, headers, self.request, self.client.edge.cors, framing=framing, close=self.close)

    def _finish(self) -> None:
        if self.over:
            return
        self.over = True
        self._drop_connection()
        self._record()
        self.client.finished(self)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if self.upgraded:
                connection.close()
            else:
                connection.abort()

    def _record(self) -> None:
        span = self.request.span
        span.tell(f"{self.request.method.decode('latin-1')} {self._service}", http__response__status_code=self.status)
        span.end()
        self.client.edge.record(self, self._service)
