"""HTTP/1.1 as uvicorn reads it, with an end to how long and how large the head of a request may be, and with a goodbye.

Uvicorn leaves the head open: one of 16 MiB was read into 100 MiB of memory, and one that never ends is waited for for ever.
It ends idle connections without a word, too, and what a client has just sent over one of them is lost: see `Manners.leaving`.
"""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 65_536
HEAD_SECONDS = 15.0
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Manners(uvicorn.Config):
    """What the connections of one server share.

    Attributes:
        head_seconds: How long a head may take.
        leaving: The server will soon be gone: each answer ends its connection, and says so.
    """

    leaving = False

    def __init__(self, app: Any, *, head_seconds: float = HEAD_SECONDS, **more: Any) -> None:
        self.head_seconds = head_seconds
        super().__init__(app, **more)


class Wire(HttpToolsProtocol):
    """One connection. A head that comes in one piece, as nearly all do, costs nothing more."""

    config: Manners
    _head = 0
    _reading = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a head."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing."""
        self._expect_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; answer 431 when a head is still not over after `HEAD_BYTES`."""
        super().data_received(data)
        if self._reading and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse(_TOO_LARGE)
            elif self._deadline is None:
                self._expect()

    def on_message_begin(self) -> None:
        """Count from here."""
        super().on_message_begin()
        self._head = 0
        self._reading = True

    def on_headers_complete(self) -> None:
        """Count no more."""
        self._reading = False
        self._expect_no_more()
        super().on_headers_complete()
        if self.config.leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self.config.head_seconds, self._refuse, _TOO_SLOW)

    def _expect_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, answer: bytes) -> None:
        self._expect_no_more()
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:  # else the bytes would stand inside another answer
                self.transport.write(answer)
            self.transport.close()
