"""Connections to the services: kept alive, lent to one exchange at a time.

A connection goes back into its pool only after a whole answer that left nothing over; anything else ends it. What a
service sends unasked ends it too, so that an answer never reaches the wrong request.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from typing import Protocol, cast
from urllib.parse import urlsplit

import structlog
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.responses import Headers

#: Services keep an idle connection for 75 s: one that is nearly that old is not worth the race.
_IDLE_S = 50.0
#: How long a place is passed over that took no connection, and one that is not ready: it is asked again meanwhile.
_SHUNNED_S, _UNREADY_S = 1.0, 5.0
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
        "_upgrading", "answered", "asker", "place", "pool", "since", "transport",
    )  # fmt: skip

    def __init__(self, pool: "Pool", place: "Place") -> None:
        self.pool = pool
        self.place = place
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


class Place:
    """One address of a service, and the connections to it that nobody uses.

    Attributes:
        shunned: Until when (the loop's clock) it is asked only where no other takes a connection.
    """

    __slots__ = ("host", "idle", "port", "shunned")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.port = parts.port or 80
        self.idle: list[Connection] = []
        self.shunned = 0.0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def take(self, oldest: float) -> Connection | None:
        """Give a connection that is fit for use, of those that were given back after *oldest*."""
        while self.idle:
            connection = self.idle.pop()
            if connection.transport.is_closing():
                continue
            if connection.since < oldest:
                connection.transport.close()
                continue
            return connection
        return None

    def clear(self) -> None:
        """End the connections that nobody uses."""
        for connection in self.idle:
            connection.transport.close()
        self.idle.clear()


class Pool:
    """Every connection to one service, at most *limit* at a time; who finds none free waits in line.

    Of a service with several addresses each request goes to the next one, past those that take no connection or that said
    that they are not ready.
    """

    def __init__(self, name: str, url: str, *, limit: int, connect_s: float) -> None:
        """Know where the service is, by comma where it has several addresses; nothing is opened yet."""
        self.name = name
        self.authority = urlsplit(url.split(",")[0]).netloc.encode("ascii")
        self.places = deque(Place(one) for one in url.split(","))
        self._limit = limit
        self._connect_s = connect_s
        self._waiting: deque[tuple[Asker, bool, bool]] = deque()
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, asker: Asker, *, bodyless: bool, upgrading: bool, fresh: bool = False) -> None:
        """Lend *asker* a connection as soon as there is one; *fresh*: one that nobody used before."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        places = self._order(now)
        if not fresh and not upgrading:
            full = self._count >= self._limit
            for place in places:
                connection = place.take(now - _IDLE_S)
                if connection is not None:
                    connection.lend(asker, bodyless=bodyless, upgrading=upgrading)
                    return
                if not full:
                    break
        if self._count >= self._limit:
            self._waiting.append((asker, bodyless, upgrading))
            return
        self._count += 1
        task = loop.create_task(self._connect(places, asker, bodyless, upgrading))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _order(self, now: float) -> Sequence[Place]:
        """Give the places in the order in which to try them: in turns, those that are shunned at the end."""
        places = self.places
        if len(places) == 1:
            return places
        places.rotate(-1)
        return sorted(places, key=lambda place: place.shunned > now)

    async def _connect(self, places: Sequence[Place], asker: Asker, bodyless: bool, upgrading: bool) -> None:
        for place in tuple(places):
            connection = await self._reach(place)
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

    async def _reach(self, place: Place) -> Connection | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await loop.create_connection(lambda: Connection(self, place), place.host, place.port)
        except (OSError, TimeoutError) as error:
            log.warning("service unreachable", upstream=self.name, port=place.port, reason=type(error).__name__)
            place.shunned = max(place.shunned, loop.time() + _SHUNNED_S)
            return None
        return connection

    def told(self, place: Place, *, ready: bool) -> None:
        """Learn whether the service at *place* says that it is ready; where it is not, no connection to it waits for use."""
        if ready:
            place.shunned = 0.0
        else:
            place.shunned = asyncio.get_running_loop().time() + _UNREADY_S
            place.clear()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next, or hand it to who waits longest."""
        now = asyncio.get_running_loop().time()
        connection.since = now
        while self._waiting:
            asker, bodyless, upgrading = self._waiting.popleft()
            if not asker.over:
                connection.lend(asker, bodyless=bodyless, upgrading=upgrading)
                return
        if connection.place.shunned > now and len(self.places) > 1:
            connection.transport.close()
        else:
            connection.place.idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Count a connection that ended; its place is free."""
        self._count -= 1
        if connection in connection.place.idle:
            connection.place.idle.remove(connection)
        self._next()

    def _next(self) -> None:
        while self._waiting and self._count < self._limit:
            asker, bodyless, upgrading = self._waiting.popleft()
            if not asker.over:
                self.ask(asker, bodyless=bodyless, upgrading=upgrading)

    def sweep(self, now: float) -> None:
        """End the connections that idle too long."""
        for place in self.places:
            for connection in [kept for kept in place.idle if kept.since < now - _IDLE_S]:
                place.idle.remove(connection)
                connection.transport.close()

    def close(self) -> None:
        """End the idle connections; those in use end with their exchange."""
        for place in self.places:
            place.clear()
        for task in self._tasks:
            task.cancel()

    @property
    def size(self) -> int:
        """Count the connections that are open or being opened."""
        return self._count
