"""The sockets' port: the protocol is `websockets`' sans-I/O core, the bytes go straight to the transport.

A frame that many get is encoded once and written as it is. What waits for a slow socket is bounded by its transport's
buffer: over that it is closed, and comes back to what it missed. Nothing is compressed, so that all can share one frame.
"""

import asyncio
import contextlib
import http
import logging
import random
from collections.abc import Coroutine
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog
from contracts import ids
from contracts.errors import Problem, Unauthenticated
from contracts.ids import UserId
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge
from servicekit.bus import BusAway
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from realtime import hub as frames
from realtime.callers import Door
from realtime.domain import AnotherCaller, BadPlace, Caller, Close, Full, Limits, NoSuchPath, NotReady
from realtime.feed import Feed
from realtime.hub import View, view_of

_PING = b"\x89\x00"
_REASON_BYTES = 120
_BATCH = 200

#: Its debug lines hold what is said.
_SILENT = logging.getLogger("realtime.protocol")
_SILENT.setLevel(logging.ERROR)

log = structlog.get_logger()


class Said(msgspec.Struct):
    """What a client may say: `ping`, or `auth` with a fresh token or ticket."""

    type: str
    token: str | None = None
    ticket: str | None = None


_said = msgspec.json.Decoder(Said)


class Place(msgspec.Struct, frozen=True):
    """Where a client wants to go on; *since* None: from now."""

    since: int | None = None
    epoch: str | None = None


class Counters:
    """What is counted of sockets."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        """Declare the metrics in *registry*."""
        self.open = Gauge("clarin_realtime_sockets", "Sockets that are open.", registry=registry)
        self.closed = Counter("clarin_realtime_closed_sockets", "Sockets that are no more, by code.", ["code"], registry=registry)
        self.begun = Counter("clarin_realtime_begun_sockets", "Sockets, by how they began.", ["how"], registry=registry)


class Server:
    """All sockets, and the port that they come to.

    Attributes:
        draining: Nobody is taken any more.
    """

    def __init__(self, *, feed: Feed, door: Door, limits: Limits, counters: Counters) -> None:
        """Tell what *feed* hears to whom *door* lets in."""
        self.feed = feed
        self.door = door
        self.limits = limits
        self.counters = counters
        self.draining = False
        self.sockets: set[Socket] = set()
        counters.open.set_function(lambda: len(self.sockets))
        door.on_access(self._on_access)

    def _on_access(self, user: UserId) -> None:
        for socket in list(self.sockets):
            socket.on_access(user)

    async def serve(self, host: str, port: int, stopping: asyncio.Event, *, ready: "asyncio.Future[int]") -> None:
        """Take sockets until *stopping*; then send them elsewhere, not all at once."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Socket(self), host, port, backlog=4096)
        ready.set_result(server.sockets[0].getsockname()[1])
        ticking = loop.create_task(self._tick())
        try:
            await stopping.wait()
        finally:
            server.close()
            self.draining = True
            for socket in list(self.sockets):
                loop.call_later(random.uniform(0, self.limits.drain_s), socket.close, Close.RESTART, "restarting")  # noqa: S311
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.limits.drain_s + 1):
                    await self._empty()
            for socket in list(self.sockets):
                socket.abort()
            ticking.cancel()

    async def _empty(self) -> None:
        while self.sockets:
            await asyncio.wait([asyncio.ensure_future(socket.gone) for socket in list(self.sockets)])

    async def _tick(self) -> None:
        """One look at all sockets each second is cheaper than timers for each."""
        while True:
            await asyncio.sleep(self.limits.tick_s)
            now = asyncio.get_running_loop().time()
            for socket in list(self.sockets):
                socket.tick(now)


class Socket(asyncio.Protocol):
    """One client.

    Attributes:
        gone: Done when the connection has ended.
    """

    __slots__ = (
        "_began", "_caller", "_closing", "_drained", "_fragments", "_full", "_heard", "_joined", "_limits_changed", "_open",
        "_opening", "_pinged", "_protocol", "_request_id", "_said", "_server", "_tasks", "_transport", "_view", "gone",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._server = server
        self._protocol = ServerProtocol(max_size=server.limits.message_bytes, logger=_SILENT)
        self._transport: asyncio.Transport
        self._caller: Caller | None = None
        self._view = View(manager=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = self._heard = self._pinged = loop.time()
        self._closing: float | None = None
        self._opening = False
        self._open = False
        self._joined = False
        self._limits_changed = False
        self._full = False
        self._drained: asyncio.Future[None] | None = None
        self._fragments: list[bytes] = []
        self._said = 0
        self._request_id = ""

    # From the network

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what may wait for this client."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._server.limits.queue_bytes)
        self._server.sockets.add(self)

    def data_received(self, data: bytes) -> None:
        """Read what the client says."""
        self._heard = asyncio.get_running_loop().time()
        if self._transport.is_closing():
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._opening = True
                self._transport.pause_reading()  # nothing can be said before the answer
                self._run(self._answer(event))
            elif isinstance(event, Frame) and self._open:
                self._on_frame(event)
        if not self._opening:
            self._flush()

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the socket."""
        self._leave()
        self._server.sockets.discard(self)
        for task in self._tasks:
            task.cancel()
        if self._drained is not None and not self._drained.done():
            self._drained.cancel()
        if not self.gone.done():
            self.gone.set_result(None)
        if self._caller is not None:
            received, sent = self._protocol.close_rcvd, self._protocol.close_sent
            code = (sent or received).code if sent or received else 1006  # type: ignore[union-attr]
            self._server.counters.closed.labels(str(int(code))).inc()
            log.info("socket closed", tenant=str(self._caller.principal.tenant), status=int(code), request_id=self._request_id)

    def pause_writing(self) -> None:
        """The client takes too little: while it catches up it is waited for, afterwards it is closed."""
        self._full = True
        if self._joined:
            # Not at once: the hub is in the middle of telling everybody.
            asyncio.get_running_loop().call_soon(self.close, Close.SLOW, "too slow")

    def resume_writing(self) -> None:
        """Go on catching up."""
        self._full = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # Opening

    async def _answer(self, request: Request) -> None:
        address = urlsplit(request.path)
        self._request_id = request.headers.get("X-Request-Id", "") or str(ids.new())
        try:
            if address.path in ("/health/live", "/health/ready"):
                live = address.path == "/health/live" or self._server.feed.ready.is_set()
                self._respond(200 if live else 503, b'{"status":"ok"}' if live else b'{"status":"unavailable"}', "application/json")
                return
            if address.path != "/ws":
                raise NoSuchPath("Only /ws is here.")
            await self._admit(request, parse_qs(address.query, max_num_fields=20))
        except Problem as problem:
            self._refuse(problem)
        except ValueError:
            self._refuse(BadPlace("The query cannot be read."))

    async def _admit(self, request: Request, query: dict[str, list[str]]) -> None:
        if self._server.draining or not self._server.feed.ready.is_set():
            raise NotReady("Try again in a moment.")
        if len(self._server.sockets) > self._server.limits.sockets:
            raise Full("Try again in a moment.")
        place = _place(query)
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = query.get("token", [bearer if scheme.lower() == "bearer" else ""])[0]
        caller = await self._server.door.admit(token=token, ticket=query.get("ticket", [""])[0])
        response = self._protocol.accept(request)
        response.headers["X-Request-Id"] = self._request_id
        self._protocol.send_response(response)
        self._opening = False
        self._flush()
        if self._protocol.state is not OPEN or self._transport.is_closing():
            return
        self._caller = caller
        self._view = view_of(caller.principal)
        self._open = True
        self._transport.resume_reading()
        log.info("socket opened", tenant=str(caller.principal.tenant), request_id=self._request_id)
        await self._begin(place)

    async def _begin(self, place: Place) -> None:
        """Say hello, bring the client to where everybody is, and let it join them."""
        hub = self._server.feed.hub
        if place.since is None:
            self._fresh("new")
            return
        if place.epoch not in (None, frames.mark(hub.epoch, self._view)):
            self._fresh("access" if str(place.epoch).partition(".")[0] == hub.epoch else "epoch")
            return
        covered = last = place.since
        if covered > hub.position and not await self._known(covered):
            self._fresh("ahead")
            return
        missed: list[frames.Happened] = []
        if covered < hub.ring.floor and self._caller is not None:
            position = hub.position
            found = await self._server.feed.since(self._caller.principal.tenant, covered)
            if found is None:
                self._fresh("too-old")
                return
            missed = [happened for happened in found if frames.may_see(self._view, happened.audience, happened.frame)]
            covered = max(position, found[-1].seq if found else 0)
        self.send(frames.hello(frames.mark(hub.epoch, self._view), last, {"resumed": True}))
        self._server.counters.begun.labels("stream" if missed else "memory").inc()
        await self._catch_up(missed, covered, last)

    async def _known(self, sequence: int) -> bool:
        """Tell whether the stream has *sequence*: another replica may be ahead of this one."""
        try:
            return sequence <= await self._server.feed.last_sequence()
        except BusAway:  # what is not certain is not promised
            return False

    async def _catch_up(self, missed: list[frames.Happened], covered: int, last: int) -> None:
        """Send what was missed, at the client's pace, and join where nothing is missing any more."""
        hub = self._server.feed.hub
        while self._open and self._caller is not None:
            if self._limits_changed:  # what is still to be sent was chosen for another view
                self._resync("access")
                return
            for happened in missed[:_BATCH]:
                self.send(frames.event(happened, last))
                last = happened.seq
            del missed[:_BATCH]
            await self._room()
            if missed:
                continue
            found = hub.after(self._caller.principal.tenant, self._view, covered)
            if found is None:
                self._resync("too-slow")
                return
            if not found:
                self._join(last)
                return
            missed, covered = found, hub.position

    async def _room(self) -> None:
        """Wait until the client has taken most of what was sent."""
        while self._full and self._open:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def _fresh(self, how: str) -> None:
        """Begin from now; *how* says why, where the client wanted to go on."""
        hub = self._server.feed.hub
        self.send(frames.hello(frames.mark(hub.epoch, self._view), hub.position, {"resumed": False}))
        self._server.counters.begun.labels(how).inc()
        if how == "new":
            self._join(hub.position)
        else:
            self._resync(how)

    def _resync(self, reason: str) -> None:
        hub = self._server.feed.hub
        self._limits_changed = False
        self.send(frames.resync(frames.mark(hub.epoch, self._view), hub.position, reason))
        self._join(hub.position)

    def _join(self, last: int) -> None:
        if self._open and self._caller is not None:
            self._joined = True
            self._server.feed.hub.join(self, self._caller.principal.tenant, self._view, last)
            if self._full:
                self.close(Close.SLOW, "too slow")

    def _leave(self) -> None:
        self._open = False
        if self._joined and self._caller is not None:
            self._joined = False
            self._server.feed.hub.leave(self, self._caller.principal.tenant, self._view)

    # While it is open

    def on_access(self, user: UserId) -> None:
        """Tell no more and no less than *user*, if it is behind this socket, sees from now on."""
        if self._open and self._caller is not None and self._caller.principal.id == user:
            self._look(self._server.door.renewed(self._caller))

    def _look(self, caller: Caller) -> None:
        """Go on as *caller*, who has the same role; if it sees something else than before, it fetches anew."""
        view, before = view_of(caller.principal), self._view
        self._caller = caller
        if view == before:
            return
        if self._joined:
            self._joined = False
            self._server.feed.hub.leave(self, caller.principal.tenant, before)
            self._view = view
            self._resync("access")
        else:
            self._view = view
            self._limits_changed = True

    def send(self, message: bytes) -> None:
        """Write a whole message as it is."""
        if self._open:
            self._transport.write(message)

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self.close(Close.UNSUPPORTED, "binary messages are not taken")
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                self._on_message(message)

    def _on_message(self, message: bytes) -> None:
        self._said += 1
        if self._said > self._server.limits.messages:
            self.close(Close.POLICY, "too many messages")
            return
        try:
            said = _said.decode(message)
        except UnicodeDecodeError:
            self.close(Close.NOT_TEXT, "not UTF-8")
            return
        except msgspec.DecodeError:
            self.close(Close.UNSUPPORTED, "not a message of this protocol")
            return
        if said.type == "ping":
            self.send(frames.said("pong", {}))
        elif said.type == "auth" and (said.token or said.ticket):
            self._run(self._renew(said))
        else:
            self.close(Close.UNSUPPORTED, "not a message of this protocol")

    async def _renew(self, said: Said) -> None:
        """Go on with a fresh token of the same person."""
        try:
            caller = await self._server.door.admit(token=said.token, ticket=said.ticket)
            before = self._caller
            if before is None or (caller.principal.id, caller.principal.tenant) != (before.principal.id, before.principal.tenant):
                raise AnotherCaller("This is another person's token.")
        except Problem as problem:
            if isinstance(problem, Unauthenticated):
                self.close(Close.UNAUTHENTICATED, problem.code)
            return
        if view_of(caller.principal).manager != self._view.manager:
            self.close(Close.UNAUTHENTICATED, "role-changed")
            return
        self._look(caller)
        self.send(frames.said("auth", {"expires_at": caller.expires}))

    def tick(self, now: float) -> None:
        """End what is over, slow to open or silent; ping the rest."""
        limits = self._server.limits
        self._said = 0
        if self._closing is not None:
            if now - self._closing > limits.closing_s:
                self.abort()
        elif not self._open or self._caller is None:
            if now - self._began > limits.opening_s:
                self.abort()
        elif now - self._heard > limits.idle_s:
            self.close(Close.IDLE, "silent")
        else:
            try:
                self._server.door.check(self._caller)
            except Unauthenticated as problem:
                self.close(Close.UNAUTHENTICATED, problem.code)
                return
            if now - self._pinged >= limits.ping_s and not self._full:
                self._pinged = now
                self.send(_PING)

    # Closing

    def close(self, code: Close, reason: str) -> None:
        """Say why, then end."""
        if self._closing is not None:
            return
        if not self._open:
            self.abort()
            return
        self._leave()
        if self._protocol.state is OPEN:
            self._protocol.send_close(code, reason[:_REASON_BYTES])
        self._closing = asyncio.get_running_loop().time()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._flush()

    def abort(self) -> None:
        """End without a word."""
        self._leave()
        self._transport.abort()

    def _refuse(self, problem: Problem) -> None:
        body = {
            "type": f"/docs/problems#{problem.code}",
            "title": problem.title().rstrip("."),
            "status": problem.status,
            "detail": problem.detail,
            "code": problem.code,
            "request_id": self._request_id,
            **problem.members,
        }
        headers = dict(problem.headers)
        if problem.status == 503:
            headers.setdefault("Retry-After", "1")
        self._respond(problem.status, msgspec.json.encode(body), "application/problem+json", headers)

    def _respond(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self._opening = False
        if self._transport.is_closing():
            return
        response = self._protocol.reject(http.HTTPStatus(status), body.decode())
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = kind
        response.headers["X-Request-Id"] = self._request_id
        for name, value in (headers or {}).items():
            response.headers[name] = value
        self._protocol.send_response(response)
        self._flush()

    def _flush(self) -> None:
        """Write what the protocol has to say; an empty piece is the end."""
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
        if self._closing is None and self._open and self._protocol.state is not OPEN:
            self._leave()
            self._closing = asyncio.get_running_loop().time()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _place(query: dict[str, list[str]]) -> Place:
    """Read where to go on.  Raises: BadPlace."""
    since = query.get("since", [""])[0]
    if not since:
        return Place()
    if not (since.isascii() and since.isdigit() and len(since) <= 18):
        raise BadPlace("`since` is the sequence of a frame.")
    return Place(int(since), query.get("epoch", [""])[0] or None)
