"""One connection: it asks over HTTP, and is answered, or becomes a WebSocket or a stream of events."""

from __future__ import annotations

import asyncio
import http
import logging
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog
from contracts import ids
from contracts.errors import Problem, Unauthenticated
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from realtime import frames
from realtime.domain import BadPlace, Close, Full, NoSuchPath, NotReady, WrongMethod
from realtime.frames import Wire, view_of
from realtime.sockets import talk
from realtime.sockets.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from contracts.ids import UserId
    from websockets.http11 import Request

    from realtime.domain import Caller
    from realtime.sockets.server import Server

_PING = b"\x89\x00"
_REASON_BYTES = 120

#: The head of a stream of events; it ends with its connection.
_STREAM = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
    "X-Accel-Buffering: no\r\nX-Request-Id: {}\r\nConnection: close\r\n\r\n"
)
_COMMENT = b":\n\n"

#: Its debug lines hold what is said.
_SILENT = logging.getLogger("realtime.protocol")
_SILENT.setLevel(logging.ERROR)

log = structlog.get_logger()


class Connection(asyncio.Protocol):
    """One client.

    Attributes:
        gone: Done when the connection has ended.
        send: Writes whole messages as they are.
        full: Whether more waits for the client than it may.
        session: What the client is told, once it was let in.
    """

    __slots__ = (
        "_began", "_closing", "_drained", "_fragments", "_heard", "_messages", "_opening", "_pinged", "_protocol", "_request_id",
        "_server", "_tasks", "_transport", "_wire", "full", "gone", "send", "session",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.send: Callable[[bytes], None]
        self.full = False
        self.session: Session | None = None
        self._server = server
        self._protocol = ServerProtocol(max_size=server.limits.message_bytes, logger=_SILENT)
        self._transport: asyncio.Transport
        self._wire = Wire.SOCKET
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = self._heard = self._pinged = loop.time()
        self._closing: float | None = None
        self._opening = False
        self._drained: asyncio.Future[None] | None = None
        self._fragments: list[bytes] = []
        self._messages = 0
        self._request_id = ""

    # From the network

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what may wait for this client."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._server.limits.queue_bytes)
        self.send = self._transport.write
        self._server.sockets.add(self)

    def data_received(self, data: bytes) -> None:
        """Read what the client says; on a stream of events it has nothing to say."""
        self._heard = asyncio.get_running_loop().time()
        if self._transport.is_closing() or self._wire is Wire.STREAM:
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                if self._told:
                    self._on_frame(event)
            else:
                self._opening = True
                self._transport.pause_reading()  # nothing can be said before the answer
                self._run(self._answer(cast("Request", event)))
        if not self._opening:
            self._flush()

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the client."""
        self._leave()
        self._server.sockets.discard(self)
        for task in self._tasks:
            task.cancel()
        if self._drained is not None and not self._drained.done():
            self._drained.cancel()
        if not self.gone.done():
            self.gone.set_result(None)
        if self.session is not None:
            close = self._protocol.close_sent or self._protocol.close_rcvd
            code = 1006 if close is None else int(close.code)
            self._server.counters.closed.labels(str(code)).inc()
            tenant = str(self.session.caller.principal.tenant)
            log.info("socket closed", tenant=tenant, wire=self._wire.value, status=code, request_id=self._request_id)

    def pause_writing(self) -> None:
        """The client takes too little: while it catches up it is waited for, afterwards it is closed."""
        self.full = True
        if self.session is not None and self.session.joined:
            # Not at once: the hub is in the middle of telling everybody.
            asyncio.get_running_loop().call_soon(self.close, Close.SLOW, "too slow")

    def resume_writing(self) -> None:
        """Go on catching up."""
        self.full = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    async def room(self) -> None:
        """Wait until the client has taken most of what was sent."""
        while self.full and self._told:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    # Opening

    async def _answer(self, request: Request) -> None:
        address = urlsplit(request.path)
        self._request_id = request.headers.get("X-Request-Id", "") or str(ids.new())
        try:
            if request.method != "GET":
                raise WrongMethod("Only GET is here.", headers={"Allow": "GET"})
            query = parse_qs(address.query, max_num_fields=20)
            match address.path:
                case "/health/live" | "/health/ready":
                    live = address.path == "/health/live" or self._server.feed.ready.is_set()
                    self._respond(200 if live else 503, b'{"status":"ok"}' if live else b'{"status":"unavailable"}', "application/json")
                case "/ws":
                    await self._open_socket(request, query)
                case "/api/stream":
                    await self._open_stream(request, query)
                case "/api/presence":
                    caller = await self._caller(request, {})
                    there = await self._server.presence.there(caller.principal.tenant, view_of(caller.principal))
                    self._respond(200, msgspec.json.encode({"items": there, "next_cursor": None}), "application/json")
                case _:
                    raise NoSuchPath("Only /ws, /api/stream and /api/presence are here.")
        except Problem as problem:
            self._refuse(problem)
        except ValueError:
            self._refuse(BadPlace("The query cannot be read."))

    async def _open_socket(self, request: Request, query: dict[str, list[str]]) -> None:
        self._welcome()
        place = talk.asked(query)
        caller = await self._caller(request, query)
        response = self._protocol.accept(request)
        response.headers["X-Request-Id"] = self._request_id
        self._protocol.send_response(response)
        self._opening = False
        self._flush()
        if self._protocol.state is OPEN:
            await self._begin(caller, place)

    async def _open_stream(self, request: Request, query: dict[str, list[str]]) -> None:
        self._welcome()
        place = talk.asked(query, request.headers.get("Last-Event-ID"))
        caller = await self._caller(request, {})
        self._opening = False
        self._wire = Wire.STREAM
        self._transport.write(_STREAM.format(self._request_id).encode("latin-1", "replace"))
        await self._begin(caller, place)

    def _welcome(self) -> None:
        """See that there is room here.  Raises: NotReady, Full."""
        if self._server.draining or not self._server.feed.ready.is_set():
            raise NotReady("Try again in a moment.")
        if len(self._server.sockets) > self._server.limits.sockets:
            raise Full("Try again in a moment.")

    async def _caller(self, request: Request, query: dict[str, list[str]]) -> Caller:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = query.get("token", [bearer if scheme.lower() == "bearer" else ""])[0]
        return await self._server.door.admit(token=token, ticket=query.get("ticket", [""])[0])

    async def _begin(self, caller: Caller, place: talk.Place) -> None:
        if self._transport.is_closing():
            return
        self.session = Session(self._server, self, caller, self._wire)
        self._transport.resume_reading()
        log.info("socket opened", tenant=str(caller.principal.tenant), wire=self._wire.value, request_id=self._request_id)
        await self.session.begin(place)

    # While it is open

    @property
    def _told(self) -> bool:
        return self.session is not None and self.session.open

    def on_access(self, user: UserId) -> None:
        """Tell no more and no less than *user*, if it is behind this socket, sees from now on."""
        session = self.session
        if (
            session is not None
            and session.caller.principal.id == user
            and session.look(self._server.door.renewed(session.caller))
            and session.joined
        ):
            self._run(session.show_presence())

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
        session = self.session
        self._messages += 1
        if session is None or self._messages > self._server.limits.messages:
            self.close(Close.POLICY, "too many messages")
            return
        try:
            said = talk.read(message)
        except UnicodeDecodeError:
            self.close(Close.NOT_TEXT, "not UTF-8")
            return
        except msgspec.DecodeError:
            self.close(Close.UNSUPPORTED, "not a message of this protocol")
            return
        match said:
            case talk.Ping():
                self.send(frames.said("pong", {}))
            case talk.Auth():
                self._run(session.renew(said))
            case talk.Presence():
                self._run(session.present(said))
            case talk.Typing():
                self._run(session.type(said))

    def tick(self, now: float) -> None:
        """End what is over, slow to open or silent; ping the rest."""
        limits = self._server.limits
        self._messages = 0
        if self._closing is not None:
            if now - self._closing > limits.closing_s:
                self.abort()
        elif self.session is None or not self.session.open:
            if now - self._began > limits.opening_s:
                self.abort()
        elif self._wire is Wire.SOCKET and now - self._heard > limits.idle_s:
            self.close(Close.IDLE, "silent")
        else:
            try:
                self._server.door.check(self.session.caller)
            except Unauthenticated as problem:
                self.close(Close.UNAUTHENTICATED, problem.code)
                return
            pause = limits.ping_s if self._wire is Wire.SOCKET else limits.comment_s
            if now - self._pinged >= pause and not self.full:
                self._pinged = now
                self.send(_PING if self._wire is Wire.SOCKET else _COMMENT)

    # Closing

    def close(self, code: Close, reason: str) -> None:
        """Say why, then end."""
        if self._closing is not None:
            return
        if not self._told:
            self.abort()
            return
        self._leave()
        self._closing = asyncio.get_running_loop().time()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._wire is Wire.STREAM:
            self.send(frames.said("closed", {"code": int(code), "reason": reason}, self._wire))
            self._transport.close()
            return
        if self._protocol.state is OPEN:
            self._protocol.send_close(code, reason[:_REASON_BYTES])
        self._flush()

    def abort(self) -> None:
        """End without a word."""
        self._leave()
        self._transport.abort()

    def _leave(self) -> None:
        if self.session is not None:
            self.session.leave()

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
        if self._closing is None and self._told and self._protocol.state is not OPEN:
            self._leave()
            self._closing = asyncio.get_running_loop().time()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
