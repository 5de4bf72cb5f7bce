"""The public port: connections of clients, requests read strictly, each answered before the next one starts."""

import asyncio
import contextlib
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import ClassVar, cast

import structlog
from contracts import ids
from contracts.errors import Problem
from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser
from servicekit import tracing

from gateway import requests, responses
from gateway.domain import BadRequest, HeadersTooLarge, Limits, TargetTooLong, TooManyConnections, TooSlow, VersionNotSupported
from gateway.exchange import Exchange, Forward, Later, Plan
from gateway.requests import Network, Request
from gateway.responses import Cors
from gateway.upstream import Connection, Pool

log = structlog.get_logger()

Admit = Callable[[Request], Plan]
Record = Callable[[Exchange, str], None]


class Edge:
    """What all connections share, and the port itself.

    Attributes:
        draining: Each answer ends its connection, and says so.
        retiring: Nor does any other connection outlive its present request.
    """

    def __init__(
        self, *, admit: Admit, record: Record, limits: Limits, cors: Cors, trusted: tuple[Network, ...], pools: tuple[Pool, ...]
    ) -> None:
        """Know who decides (*admit*: a plan for each request, or a Problem) and who counts (*record*)."""
        self.admit = admit
        self.record = record
        self.limits = limits
        self.cors = cors
        self.trusted = trusted
        self.pools = pools
        self.draining = False
        self.retiring = False
        self.clients: set[Client] = set()
        self._addresses: Counter[str] = Counter()
        self._gone: asyncio.Future[None] | None = None
        self.now: Callable[[], float] = time.monotonic

    async def serve(
        self,
        host: str,
        port: int,
        stopping: asyncio.Event,
        *,
        ready: Callable[[int], None],
        given: socket.socket | None = None,
        goodbye_s: float = 0.0,
        drain_s: float = 4.5,
    ) -> None:
        """Serve until *stopping*; then tell whoever still asks to connect anew, and let open requests finish for at most *drain_s*.

        Args:
            given: A socket that listens already, shared with other gateways: whoever comes in between waits there for one of them.
            goodbye_s: How long connections that nobody asks over are kept: a client that asks while it is closed loses its request.
        """
        loop = asyncio.get_running_loop()
        self.now = loop.time
        if given is not None:
            server = await loop.create_server(lambda: Client(self), sock=given, backlog=1024)
        else:
            server = await loop.create_server(lambda: Client(self), host, port, backlog=1024)
        ready(server.sockets[0].getsockname()[1])
        sweeper = loop.create_task(self._sweep())
        try:
            await stopping.wait()
        finally:
            self.draining = True
            if given is None:  # whoever sends clients here may not have heard yet that it should not
                await asyncio.sleep(goodbye_s)
            server.close()
            if given is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(goodbye_s):
                        await self._empty()
            self.retiring = True
            for client in list(self.clients):
                client.retire()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain_s):
                    await self._empty()
            for client in list(self.clients):
                client.abort()
            for pool in self.pools:
                pool.close()
            sweeper.cancel()

    async def _empty(self) -> None:
        while self.clients:
            self._gone = asyncio.get_running_loop().create_future()
            await self._gone

    def came(self, client: "Client", peer: str) -> bool:
        """Count a connection; False when its address has as many as it may."""
        self.clients.add(client)
        if not self.limits.per_address:
            return True
        self._addresses[peer] += 1
        return self._addresses[peer] <= self.limits.per_address or requests.within(peer, self.trusted)

    def left(self, client: "Client", peer: str) -> None:
        """Count a connection that ended."""
        self.clients.discard(client)
        if self.limits.per_address:
            self._addresses[peer] -= 1
            if self._addresses[peer] <= 0:
                del self._addresses[peer]
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    async def _sweep(self) -> None:
        """One look at every connection each second is cheaper than a timer for each request."""
        limits = self.limits
        interval = min(1.0, min(limits.idle_s, limits.head_s, limits.body_s, limits.upstream_s, limits.write_s, limits.linger_s) / 4)
        while True:
            await asyncio.sleep(interval)
            now = self.now()
            for client in list(self.clients):
                client.tick(now)
            for pool in self.pools:
                pool.sweep(now)


class Client(asyncio.Protocol):
    """One public connection."""

    #: Reasons to read nothing from the client for now.
    BUFFER: ClassVar = 1
    UPSTREAM: ClassVar = 2
    PIPELINED: ClassVar = 4
    UPGRADING: ClassVar = 8

    __slots__ = (
        "_current", "_early", "_full_since", "_head_bytes", "_incoming", "_lingered", "_lingering", "_parser", "_peer", "_priming",
        "_queue", "_refused", "_request", "_since", "_spliced", "_started", "edge", "full", "held", "transport",
    )  # fmt: skip

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.transport: asyncio.Transport
        self.held = 0
        self.full = False
        self._parser = HttpRequestParser(self)
        self._request = Request()
        self._head_bytes = 0
        self._started = False
        self._priming = False
        self._incoming: Exchange | None = None
        self._current: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._spliced: Connection | None = None
        self._early = b""
        self._lingering: float | None = None
        self._lingered = 0
        self._since = edge.now()
        self._full_since = 0.0
        self._peer = ""
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Know the peer; see that a vanished one is noticed."""
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else ""
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not self.edge.came(self, self._peer):
            self.edge.left(self, self._peer)
            self._refused = True
            self._broken(TooManyConnections("Close some of them first."))
            self._pump()
            transport.close()  # at once: what lingers would be one more

    def data_received(self, data: bytes) -> None:
        """Read on: pass, throw away, or parse."""
        spliced = self._spliced
        if spliced is not None:
            spliced.write(data)
            return
        if self._lingering is not None:
            self._lingered += len(data)
            if self._lingered > self.edge.limits.linger_bytes:
                self.transport.abort()
            return
        if self.held & self.UPGRADING:
            self._early += data
            return
        self._feed(data)
        self._pump()

    def _feed(self, data: bytes) -> None:
        if not self._started and self._incoming is None:
            self._started = True
            self._since = self.edge.now()
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, Problem):
                log.error("reading a request failed", exc_info=cause)
                cause = BadRequest("The request cannot be read.")
            self._broken(cause)
        except HttpParserError as error:
            self._broken(BadRequest(f"{error}."))
        else:
            if self._started and self._incoming is None and self._head_bytes > self.edge.limits.head_bytes:
                self._broken(HeadersTooLarge(f"The headers have more than {self.edge.limits.head_bytes} bytes."))

    def _broken(self, problem: Problem) -> None:
        """Answer what was read before, then *problem*, then end: what follows cannot be read."""
        exchange = self._incoming
        self._incoming = None
        if exchange is None:
            self._request.keep_alive = False
            self._request.upgrade = b""
            self._request.id = self._request.id or str(ids.new())
            exchange = Exchange(self, self._request, responses.problem(problem, self._request.id), limit=0)
            exchange.close = True
            self._queue.append(exchange)
        elif exchange is self._current:
            exchange.fail(problem)
        elif exchange.over:
            self.close()
        else:
            exchange.plan = responses.problem(problem, exchange.request.id)
            exchange.close = True

    def _upgrade(self, rest: bytes) -> None:
        """Wait for the service's word, or, where nothing is to be upgraded, read on as if nobody had asked."""
        exchange = self._incoming if self._incoming is not None else (self._queue[-1] if self._queue else self._current)
        if exchange is not None and exchange.request.upgrade:
            self._early = rest
            self.hold(self.UPGRADING)
            return
        # llhttp takes what follows such a head for another protocol, so a new parser is told the framing again.
        self._parser = HttpRequestParser(self)
        if exchange is not None and not exchange.complete:
            framing = b"Transfer-Encoding: chunked" if exchange.request.chunked else b"Content-Length: %d" % (exchange.request.length or 0)
            self._priming = True
            self._parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
            self._priming = False
        if rest:
            self._feed(rest)

    def _pump(self) -> None:
        """Start the next request when none is open."""
        while self._current is None and self._queue and self._lingering is None and not self.transport.is_closing():
            self._current = self._queue.popleft()
            self._current.start(self.edge.now())
        if self._queue:
            self.hold(self.PIPELINED)
        else:
            self.free(self.PIPELINED)

    def finished(self, exchange: Exchange) -> None:
        """Go on to the next request, or end the connection as *exchange* says."""
        self._since = self.edge.now()
        if exchange.close or self.edge.retiring:
            self._queue.clear()
            if exchange.complete or self.transport.is_closing():
                self.close()
            else:
                self._linger()
            return
        if not exchange.complete:
            return  # a small rest of its body is thrown away first: `on_message_complete` goes on
        self._current = None
        if self._queue:
            asyncio.get_running_loop().call_soon(self._pump)

    def _linger(self) -> None:
        """Say the last word and wait a little: closed with unread bytes, a connection is reset and the word lost."""
        self._lingering = self.edge.now()
        self.free(self.held)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def splice(self, connection: Connection, first: bytes) -> None:
        """Belong to *connection* from here on."""
        self._spliced = connection
        self.transport.write(first)
        if self._early:
            connection.write(self._early)
            self._early = b""
        self.free(self.UPGRADING)

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self.transport.write(data)

    def hold(self, reason: int) -> None:
        """Read nothing more until every reason is gone."""
        if not self.held and not self.transport.is_closing():
            self.transport.pause_reading()
        self.held |= reason

    def free(self, reason: int) -> None:
        """Take a reason away."""
        before, self.held = self.held, self.held & ~reason
        if before and not self.held and not self.transport.is_closing():
            self.transport.resume_reading()

    def close(self) -> None:
        """Send what is left and end."""
        self.transport.close()

    def abort(self) -> None:
        """End at once: the client sees that the answer is not whole."""
        self.transport.abort()

    def retire(self) -> None:
        """End now when idle, else with the present request."""
        if self._current is None and not self._started:
            self.close()
        elif self._current is not None:
            self._current.close = self._current.close or not self._current.begun
            if self._spliced is not None:
                self.close()

    def tick(self, now: float) -> None:
        """End what takes too long."""
        limits = self.edge.limits
        if self._lingering is not None:
            if now - self._lingering > limits.linger_s:
                self.transport.abort()
        elif self.full and now - self._full_since > limits.write_s:
            self.transport.abort()
        elif self._current is not None:
            if not self._current.over:
                self._current.tick(now)
            elif now - self._since > limits.body_s:
                self.transport.abort()
        elif self._started:
            if now - self._since > limits.head_s:
                self._broken(TooSlow("The headers did not arrive in time."))
                self._pump()
        elif now - self._since > limits.idle_s or self.edge.retiring:
            self.close()

    def pause_writing(self) -> None:
        """Pass the pressure on to the service."""
        self.full = True
        self._full_since = self.edge.now()
        if self._current is not None:
            self._current.pressure(True)

    def resume_writing(self) -> None:
        """Let the service go on."""
        self.full = False
        if self._current is not None:
            self._current.pressure(False)

    def eof_received(self) -> bool:
        """Go on answering a client that has said all it has to say; end one that asked nothing."""
        if self._current is None or self._spliced is not None or self._lingering is not None or not self._current.complete:
            return False
        (self._queue[-1] if self._queue else self._current).close = True
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Give up what is open."""
        if not self._refused:
            self.edge.left(self, self._peer)
        current, self._current = self._current, None
        self._queue.clear()
        if current is not None:
            current.abandon()

    # From the parser

    def on_message_begin(self) -> None:
        """Start a request."""
        if not self._priming:
            self._request = Request()
            self._started = True

    def on_url(self, data: bytes) -> None:
        """Collect the target."""
        if self._priming:
            return
        self._request.target += data
        if len(self._request.target) > self.edge.limits.target_bytes:
            raise TargetTooLong(f"An address here has at most {self.edge.limits.target_bytes} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header; a trailer is dropped."""
        if self._priming or self._incoming is not None:
            return
        self._request.size += len(name) + len(value) + 4
        if self._request.size > self.edge.limits.head_bytes:
            raise HeadersTooLarge(f"The headers have more than {self.edge.limits.head_bytes} bytes.")
        self._request.add(name, value)

    def on_headers_complete(self) -> None:
        """Decide what becomes of the request; it starts when no other is open."""
        if self._priming:
            return
        request = self._request
        request.method = self._parser.get_method()
        request.version = self._parser.get_http_version()
        request.keep_alive = self._parser.should_keep_alive()
        if request.version not in ("1.1", "1.0"):
            raise VersionNotSupported("Only HTTP/1.0 and HTTP/1.1 are spoken here.")
        request.see_through(self._peer, self.edge.trusted)
        request.settle()
        if not request.upgrade:  # a socket is no request: it would be one span of hours
            given = request.fields.get(b"traceparent", b"").decode("latin-1")
            request.span = tracing.begin(request.method.decode("latin-1"), parent=given or None, kind="server")
        plan = self._plan(request)
        if not isinstance(plan, Forward | Later):
            request.upgrade = b""
        self._incoming = Exchange(self, request, plan, limit=self.edge.limits.body(request.path))
        self._queue.append(self._incoming)
        self._started = False

    def _plan(self, request: Request) -> Plan:
        try:
            return self.edge.admit(request)
        except Problem as problem:
            return responses.problem(problem, request.id)
        except Exception:
            log.exception("admitting a request failed", request_id=request.id)
            return responses.bug(request.id)

    def on_body(self, data: bytes) -> None:
        """Pass on a piece of the body."""
        if self._incoming is not None:
            self._incoming.take(data)

    def on_message_complete(self) -> None:
        """Note the end of a request."""
        exchange = self._incoming
        if self._priming or exchange is None:
            return
        if self._parser.should_upgrade() and not exchange.request.upgrade and not exchange.request.bodyless():
            return  # said too early: see `_upgrade`
        self._incoming = None
        self._head_bytes = 0
        exchange.taken(self.edge.now())
        if exchange.over and exchange is self._current:
            self._current = None
