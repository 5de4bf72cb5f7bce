"""HTTP/1.1 by hand: a client that is no bottleneck, and (`python -m bench.wire PORT`) a service that is none."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast
from urllib.parse import urlsplit

import uvloop

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "


@dataclass(slots=True)
class Lap:
    """What came of one run.

    Attributes:
        asked, good: Requests, and those that a 200 answered.
        waits: Seconds from each request to its answer.
    """

    asked: int = 0
    good: int = 0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds


class Link(asyncio.Protocol):
    """One connection that asks the same over and over, one request at a time."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport
        self._buffer = b""
        self._missing = -1
        self._status = b""
        self._sent = 0.0
        self._until = 0.0
        self._lap = Lap()
        self._over: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, url: str, path: str, headers: Sequence[str]) -> Self:
        """Connect."""
        parts = urlsplit(url)
        head = "\r\n".join([f"GET {path} HTTP/1.1", f"host: {parts.netloc}", *headers])
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(lambda: cls(head.encode() + _END), parts.hostname or "", parts.port or 80)
        return link

    async def ask(self, lap: Lap) -> None:
        """Ask once."""
        await self.go(lap, 0)

    async def go(self, lap: Lap, seconds: float) -> None:
        """Ask for *seconds*, at least once.  Raises: ConnectionError: the other side ended it."""
        self._lap = lap
        self._over = asyncio.get_running_loop().create_future()
        self._until = time.perf_counter() + seconds
        self._next()
        await self._over

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def _next(self) -> None:
        self._lap.asked += 1
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read one answer, whose length its head must tell."""
        if self._missing < 0:
            self._buffer += data
            end = self._buffer.find(_END)
            if end < 0:
                return
            head = self._buffer[:end].lower() + b"\r\n"
            at = head.find(_LENGTH)
            self._status = head[9:12]
            self._missing = (int(head[at + len(_LENGTH) : head.find(b"\r", at + 2)]) if at >= 0 else 0) - (len(self._buffer) - end - 4)
            self._buffer = b""
        else:
            self._missing -= len(data)
        if self._missing:
            return
        self._missing = -1
        now = time.perf_counter()
        self._lap.waits.append(now - self._sent)
        self._lap.good += self._status == b"200"
        if now < self._until:
            self._next()
        elif self._over is not None:
            self._over.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        if self._over is not None and not self._over.done():
            self._over.set_exception(ConnectionResetError("The other side ended the connection."))


async def drive(url: str, path: str, headers: Sequence[str], *, connections: int, seconds: float) -> Lap:
    """Ask over many connections at the same time."""
    lap = Lap()
    links = [await Link.open(url, path, headers) for _ in range(connections)]
    began = time.perf_counter()
    await asyncio.gather(*(link.go(lap, seconds) for link in links))
    lap.seconds = time.perf_counter() - began
    for link in links:
        link.close()
    return lap


class Bare(asyncio.Protocol):
    """The other end: the same small answer to everything, with the number of requests so far."""

    served = 0

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every head; requests without a body are all that comes."""
        self._buffer += data
        *heads, self._buffer = self._buffer.split(_END)
        for _ in heads:
            Bare.served += 1
            body = b'{"served": %d, "filler": "%b"}' % (Bare.served, b"x" * 400)
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


async def _serve(port: int) -> None:
    server: Any = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
