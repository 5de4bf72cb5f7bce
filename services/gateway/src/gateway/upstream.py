"""Connections to the services: kept alive, lent to one exchange at a time.

A connection goes back into its pool only after a whole answer that left nothing over; anything else ends it. What a
service sends unasked ends it too, so that an answer never reaches the wrong request.
"""

import asyncio
import socket
from collections import deque
from typing import Protocol, cast
from urllib.parse import urlsplit

import structlog
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.responses import Headers

#: Services keep an idle connection for 75 s: one that is nearly that old is not worth the race.
_IDLE_S = 50.0
_HEAD_BYTES = 64 * 1024

log = structlog.get_logger()


class Asker(Protocol):
    """What an upstream connection talks to: one exchange."""

    over: bool
    complete: bool

    def attached(self, connection: "Connection") -> None:
        """Take the connection and send the request over it."""

    def unreachable(self) -> None:
        """Hear that the service takes no connection."""

    def head(self, status: int, headers: Headers, *, length: int | None, bodyless: bool) -> None:
        """Take the head of the answer; *length* is None when it is not known before."""

    def chunk(self, data: bytes) -> None:
        """Take a piece of the body."""

    def settle(self) -> None:
        """Hear that nothing more has come for now."""

    def end(self) -> None:
        """Hear that the answer is complete."""

    def lost(self) -> None:
        """Hear that the connection ended, or broke the protocol, before the answer was complete."""

    def switched(self, headers: Headers, first: bytes) -> None:
        """Hear that the service changed to the other protocol, with its *first* bytes."""

    def spliced(self, data: bytes) -> None:
        """Take bytes of the other protocol."""

    def full(self) -> None:
        """Stop sending for now."""

    def drained(self) -> None:
        """Go on sending."""


class Connection(asyncio.Protocol):
    """One connection to a service."""

    __slots__ = (
        "_bodyless", "_bytes", "_ended", "_eof_framed", "_headers", "_interim", "_keep", "_length", "_parser", "_paused", "_spliced",
        "_upgrading", "answered", "asker", "pool", "since", "transport",
    )  # fmt: skip

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.transport: asyncio.Transport
        self.asker: Asker | None = None
        self.since = 0.0
        self.answered = False
        self._parser = HttpResponseParser(self)
        self._spliced = False
        self._paused = False
        self._reset()

    def _reset(self) -> None:
        self._headers: Headers = []
        self._bytes = 0
        self._length: int | None = None
        self._bodyless = False
        self._ended = False
        self._eof_framed = False
        self._interim = False
        self._keep = False
        self._upgrading = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hold the transport; see that a vanished host is noticed."""
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def lend(self, asker: Asker, *, bodyless: bool, upgrading: bool) -> None:
        """Serve *asker* until its answer is complete; *bodyless*: it asks with HEAD."""
        self._reset()
        self.asker = asker
        self.answered = False
        self._bodyless = bodyless
        self._upgrading = upgrading
        asker.attached(self)

    def write(self, data: bytes) -> None:
        """Send a piece of the request."""
        self.transport.write(data)

    def abort(self) -> None:
        """End the connection without a word; nobody hears of it."""
        self.asker = None
        self.transport.abort()

    def close(self) -> None:
        """Send what is left and end; for a spliced connection whose other side is gone."""
        self.asker = None
        self.resume()
        self.transport.close()

    def pause(self) -> None:
        """Read nothing more for now: the client is slow."""
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the asker, or to the parser until there is another protocol."""
        if self._spliced:
            if self.asker is not None:
                self.asker.spliced(data)
            return
        if self.asker is None:
            self.transport.abort()  # said unasked
            return
        self.answered = True
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._switch(data[upgrade.args[0] :])
            return
        except HttpParserError:
            if not self._ended:
                self._break()
                return
            self._keep = False  # the answer is whole; what came after it was said unasked
        if self._ended:
            self._finish()
        elif self._bytes > _HEAD_BYTES:
            self._break()
        elif self.asker is not None:
            self.asker.settle()

    def _break(self) -> None:
        asker = self.asker
        self.abort()
        if asker is not None:
            asker.lost()

    def _switch(self, first: bytes) -> None:
        asker = self.asker
        if asker is None or not self._upgrading:
            self._break()
            return
        self._spliced = True
        asker.switched(self._headers, first)

    def _finish(self) -> None:
        asker = self.asker
        self.asker = None
        self.resume()
        if self._bodyless:
            self._parser = HttpResponseParser(self)  # the old one waits for the body that HEAD has not
        if self._keep and asker is not None and asker.complete:
            self.pool.give_back(self)
        else:
            self.transport.close()
        if asker is not None:
            asker.end()

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Take it out of the pool and tell who waited."""
        self.pool.forget(self)
        asker = self.asker
        self.asker = None
        if asker is None:
            return
        if self._eof_framed and not self._ended and error is None:
            asker.end()
        else:
            asker.lost()

    def pause_writing(self) -> None:
        """Pass the pressure on to the client."""
        if self.asker is not None:
            self.asker.full()

    def resume_writing(self) -> None:
        """Let the client go on."""
        if self.asker is not None:
            self.asker.drained()

    def on_message_begin(self) -> None:
        """Start an answer; a second one was not asked for."""
        if self._ended:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header (or drop a trailer)."""
        self._bytes += len(name) + len(value)
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Tell the asker what kind of answer comes."""
        if self._ended:
            return
        status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if status == 101:
            return
        if self._interim:
            self._headers = []
            return
        headers = self._headers
        self._headers = []
        self._bytes = 0
        length: int | None = None
        chunked = False
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = True
        self._keep = self._parser.should_keep_alive()
        bodyless = self._bodyless or status in (204, 304)
        self._eof_framed = length is None and not chunked and not bodyless
        if self.asker is not None:
            self.asker.head(status, headers, length=length, bodyless=bodyless)
        if self._bodyless:
            self._ended = True

    def on_body(self, data: bytes) -> None:
        """Pass a piece on; a body after HEAD is a fault."""
        if self._ended:
            self._keep = False
        elif self.asker is not None:
            self.asker.chunk(data)

    def on_message_complete(self) -> None:
        """Note the end; an interim answer is none."""
        if not self._interim:
            self._ended = True


class Pool:
    """Every connection to one service, at most *limit* at a time; who finds none free waits in line.

    Of a service with several addresses each connection goes to the next one, and past those that take none.
    """

    def __init__(self, name: str, url: str, *, limit: int, connect_s: float) -> None:
        """Know where the service is, by comma where it has several addresses; nothing is opened yet."""
        places = [urlsplit(one) for one in url.split(",")]
        self.name = name
        self.authority = places[0].netloc.encode("ascii")
        self._places = deque((place.hostname or "", place.port or 80) for place in places)
        self._limit = limit
        self._connect_s = connect_s
        self._idle: list[Connection] = []
        self._waiting: deque[tuple[Asker, bool, bool]] = deque()
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, asker: Asker, *, bodyless: bool, upgrading: bool, fresh: bool = False) -> None:
        """Lend *asker* a connection as soon as there is one; *fresh*: one that nobody used before."""
        if not fresh and not upgrading:
            oldest = asyncio.get_running_loop().time() - _IDLE_S
            while self._idle:
                connection = self._idle.pop()
                if connection.transport.is_closing():
                    continue
                if connection.since < oldest:
                    connection.transport.close()
                    continue
                connection.lend(asker, bodyless=bodyless, upgrading=upgrading)
                return
        if self._count >= self._limit:
            self._waiting.append((asker, bodyless, upgrading))
            return
        self._count += 1
        task = asyncio.get_running_loop().create_task(self._connect(asker, bodyless, upgrading))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, asker: Asker, bodyless: bool, upgrading: bool) -> None:
        self._places.rotate(-1)
        for host, port in list(self._places):
            connection = await self._reach(host, port)
            if connection is not None:
                break
        else:
            self._count -= 1
            if not asker.over:
                asker.unreachable()
            self._next()
            return
        if asker.over:
            self.give_back(connection)
        else:
            connection.lend(asker, bodyless=bodyless, upgrading=upgrading)

    async def _reach(self, host: str, port: int) -> Connection | None:
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(self), host, port)
        except (OSError, TimeoutError) as error:
            log.warning("service unreachable", upstream=self.name, reason=type(error).__name__)
            return None
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next, or hand it to who waits longest."""
        connection.since = asyncio.get_running_loop().time()
        while self._waiting:
            asker, bodyless, upgrading = self._waiting.popleft()
            if not asker.over:
                connection.lend(asker, bodyless=bodyless, upgrading=upgrading)
                return
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Count a connection that ended; its place is free."""
        self._count -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        self._next()

    def _next(self) -> None:
        while self._waiting and self._count < self._limit:
            asker, bodyless, upgrading = self._waiting.popleft()
            if not asker.over:
                self.ask(asker, bodyless=bodyless, upgrading=upgrading)

    def sweep(self, now: float) -> None:
        """End the connections that idle too long."""
        for connection in [kept for kept in self._idle if kept.since < now - _IDLE_S]:
            self._idle.remove(connection)
            connection.transport.close()

    def close(self) -> None:
        """End the idle connections; those in use end with their exchange."""
        for connection in self._idle:
            connection.transport.close()
        self._idle.clear()
        for task in self._tasks:
            task.cancel()

    @property
    def size(self) -> int:
        """Count the connections that are open or being opened."""
        return self._count
