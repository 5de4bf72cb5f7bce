"""One socket of a session: frames over a WebSocket, sealed by Noise, with binary XML inside."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import count

from aiohttp import WSMsgType, web

from sim.certificates import Authority
from sim.codec import Codec
from sim.directory import Companion
from sim.nodes import SERVER, Attr, BadStanza, Node
from sim.noise import PROLOGUE, Handshake, Transport
from sim.proto import DecodeError, wa6

_ERROR_SECONDS = 2.0
"""The library must have read a stream error before the socket closes, or it reconnects and asks again."""
_MAX_FRAME = 1 << 24


class Closed(Exception):
    """The socket is gone."""


class Connection:
    """Reads with `receive`; writes with `send`, which never waits.

    Attributes:
        static: The client's Noise key, by which a linked session is known again.
        login: The payload of the handshake.
        companion: The session, once it has logged in.
        online: Whether it has said that it is there: only then it is told who writes.
        unheard: Its acknowledgements and ticks are lost, as on a line that is about to break.
    """

    _transport: Transport
    static: bytes
    login: wa6.ClientPayload

    def __init__(self, socket: web.WebSocketResponse, tcp: asyncio.Transport | None, authority: Authority, codec: Codec) -> None:
        self._tcp = tcp
        self._socket, self._authority, self._codec = socket, authority, codec
        self._buffer = bytearray()
        self._outgoing: deque[Node] = deque()
        self._writable = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._asked: dict[str, asyncio.Future[Node]] = {}
        self._ids = count(1)
        self.companion: Companion | None = None
        self.subscriptions: set[str] = set()
        self.online = False
        self.unheard = False

    async def handshake(self) -> None:
        """The client is who it says, and both sides seal from here on.  Raises: BadStanza, Closed."""
        while len(self._buffer) < len(PROLOGUE):
            await self._fill()
        if not self._buffer.startswith(PROLOGUE):
            raise BadStanza("Not WhatsApp's prologue.")
        del self._buffer[: len(PROLOGUE)]
        noise = Handshake(self._authority.static, self._authority.chain)
        hello = noise.hello(await self._frame())
        await self._socket.send_bytes(len(hello).to_bytes(3, "big") + hello)
        self.static, payload, self._transport = noise.finish(await self._frame())
        try:
            self.login = wa6.ClientPayload.FromString(payload)
        except DecodeError as error:
            raise BadStanza("Not a login.") from error
        self._writer = asyncio.get_running_loop().create_task(self._write())

    async def receive(self) -> Node:
        """The next stanza.  Raises: BadStanza, Closed."""
        frame = await self._frame()
        return self._codec.decode(self._transport.open(frame))

    def send(self, node: Node) -> None:
        """*node* goes out in order; nothing happens when the socket is gone."""
        self._outgoing.append(node)
        self._writable.set()

    async def ask(self, xmlns: str, kind: str, content: list[Node], **attrs: Attr) -> Node:
        """The client's answer to a query.  Raises: TimeoutError, Closed."""
        id = f"s{next(self._ids)}"
        future: asyncio.Future[Node] = asyncio.get_running_loop().create_future()
        self._asked[id] = future
        try:
            self.send(Node("iq", {"from": SERVER, "id": id, "type": kind, "xmlns": xmlns, **attrs}, content))
            return await asyncio.wait_for(future, 10)
        finally:
            del self._asked[id]

    def answered(self, node: Node) -> None:
        """*node* answers one of our queries."""
        future = self._asked.get(node.text("id", ""))
        if future and not future.done():
            future.set_result(node)

    def fail(self, node: Node) -> None:
        """*node* (a stream error or a login failure) is the last that is sent; the socket closes once it can have been read."""
        self.send(node)
        if self._closing is None:
            self._closing = asyncio.get_running_loop().call_later(_ERROR_SECONDS, self.drop)

    def drop(self) -> None:
        """The socket is gone at once, without a farewell."""
        self._abandon()
        if self._tcp is not None:
            self._tcp.abort()

    def _abandon(self) -> None:
        if self._closing:
            self._closing.cancel()
        if self._writer:
            self._writer.cancel()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(Closed("The session went away."))

    async def close(self) -> None:
        """The socket is closed and its writer has ended."""
        self._abandon()
        if self._writer:
            await asyncio.gather(self._writer, return_exceptions=True)

    async def _write(self) -> None:
        """All that waits goes out as one WebSocket message; the client finds the frames in it by their lengths."""
        while True:
            await self._writable.wait()
            self._writable.clear()
            frames = bytearray()
            while self._outgoing:
                frames += self._transport.seal(self._codec.encode(self._outgoing.popleft()))
            try:
                await self._socket.send_bytes(bytes(frames))
            except (ConnectionError, RuntimeError):
                return

    async def _frame(self) -> bytes:
        while True:
            if len(self._buffer) >= 3:
                size = int.from_bytes(self._buffer[:3], "big")
                if size > _MAX_FRAME:
                    raise BadStanza("A frame is too long.")
                if len(self._buffer) >= 3 + size:
                    frame = bytes(self._buffer[3 : 3 + size])
                    del self._buffer[: 3 + size]
                    return frame
            await self._fill()

    async def _fill(self) -> None:
        message = await self._socket.receive()
        if message.type is not WSMsgType.BINARY:
            raise Closed("The client closed the socket.")
        self._buffer += message.data
