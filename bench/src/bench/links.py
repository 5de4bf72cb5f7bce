"""WebSocket clients that are no bottleneck: frames are cut out of what arrives, and handed on as they are."""

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any, Self, cast
from urllib.parse import urlsplit

_END = b"\r\n\r\n"
_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89
_MASK = b"\0\0\0\0"  # a mask of zeros is one


def frame(opcode: int, payload: bytes) -> bytes:
    """Write a client's frame of at most 65,535 bytes."""
    size = len(payload)
    head = bytes((opcode, 0x80 | size)) if size < 126 else bytes((opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    return head + _MASK + payload


class Link(asyncio.Protocol):
    """One socket.

    Attributes:
        opened: Done when the opening was answered, or never will be.
        status: What the opening was answered with; 0 before.
        code: What the server closed with; None where it said nothing.
        ended: Done at the end.
    """

    __slots__ = ("_buffer", "_on_text", "_request", "_transport", "code", "ended", "opened", "status")

    def __init__(self, request: bytes, on_text: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.status = 0
        self.code: int | None = None
        self.ended: asyncio.Future[None] = loop.create_future()
        self.opened: asyncio.Future[None] = loop.create_future()
        self._request = request
        self._on_text = on_text
        self._buffer = b""
        self._transport: asyncio.Transport

    @classmethod
    async def open(cls, url: str, on_text: Callable[[bytes], None], *more: Any) -> Self:
        """Connect; *on_text* gets each message, and a subclass *more*.  Raises: OSError: nobody is there, or who is there refused."""
        parts = urlsplit(url)
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(lambda: cls(request.encode(), on_text, *more), parts.hostname or "", parts.port or 80)
        try:
            await link.opened
        except BaseException:  # nobody will hold it, and it would go on handing out what comes
            link.cut()
            raise
        if link.status != 101:
            raise ConnectionRefusedError(f"Answered with {link.status}.")
        return link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to be let in."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Cut frames out of the bytes."""
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        if not self.status:
            end = data.find(_END)
            if end < 0:
                self._buffer = data
                return
            self.status = int(data[9:12])
            if self.status != 101:
                self._transport.close()
            if not self.opened.done():
                self.opened.set_result(None)
            data = data[end + 4 :]
        self._cut(data)

    def _cut(self, data: bytes) -> None:
        at, size = 0, len(data)
        on_text = self._on_text
        while size - at >= 2:
            length = data[at + 1]
            start = at + 2
            if length == 126:
                start += 2
                if size < start:
                    break
                length = data[at + 2] << 8 | data[at + 3]
            elif length == 127:
                start += 8
                if size < start:
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            end = start + length
            if end > size:
                break
            opcode = data[at]
            if opcode == _TEXT:
                on_text(data[start:end])
            elif opcode == _PING:
                self._transport.write(frame(0x8A, data[start:end]))
            elif opcode == _CLOSE:
                self.code = int.from_bytes(data[start : start + 2], "big")
                self._transport.write(frame(_CLOSE, data[start : start + 2]))
                self._transport.close()
            at = end
        self._buffer = data[at:]

    def say(self, text: bytes) -> None:
        """Send a message."""
        self._transport.write(frame(_TEXT, text))

    def cut(self) -> None:
        """End without a word, as a network does."""
        self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        if not self.opened.done():
            self.opened.set_result(None)
        if not self.ended.done():
            self.ended.set_result(None)
