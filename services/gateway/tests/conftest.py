"""A gateway on uvloop in a thread of its own, small real services behind it, and raw sockets in front."""

import asyncio
import hashlib
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio
import uvloop
from contracts.errors import Unavailable
from gateway.admission import Admission
from gateway.domain import Limits
from gateway.edge import Edge
from gateway.exchange import Exchange
from gateway.keys import Keys
from gateway.lookout import Lookout
from gateway.panel import Panel
from gateway.rates import Rate, Rates, Visit
from gateway.responses import Answer, Cors
from gateway.tally import Tally
from gateway.upstream import Pool
from prometheus_client import CollectorRegistry
from servicekit.auth import Tokens
from servicekit.testing import eventually
from servicekit.testing.identity import SignedIn, SignIn

#: Short, so that what must end too slow a client does so within a test.
LIMITS = Limits(upstream_s=1.2, head_s=0.8, body_s=0.8, idle_s=3, write_s=2, linger_s=2, connect_s=1)


@dataclass
class Seen:
    """One request as a service got it."""

    head: bytes
    size: int = 0
    digest: str = ""
    connection: int = 0

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}

    @property
    def line(self) -> str:
        return self.head.decode().split("\r\n")[0]


@dataclass
class Service:
    """A small HTTP/1.1 server: what it does is in the path's last word."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    lost: int = 0
    written: int = 0
    ready: bool = True
    server: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            for writer in list(self.writers):
                writer.transport.abort()
            await asyncio.gather(*self.tasks)
            self.server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self.writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                seen = Seen(head, connection=number)
                self.seen.append(seen)
                word = seen.line.split(" ")[1].partition("?")[0].rpartition("/")[2]
                if word == "stall":
                    await self.release.wait()
                digest = hashlib.sha256()
                async for piece in _body(reader, seen.headers):
                    seen.size += len(piece)
                    digest.update(piece)
                seen.digest = digest.hexdigest()
                await getattr(self, f"_{word.replace('-', '_')}", self._plain)(seen, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost += 1
        finally:
            self.writers.discard(writer)
            writer.transport.abort() if self.server is None else writer.close()

    async def _plain(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        body = b'{"size": %d, "digest": "%b"}' % (seen.size, seen.digest.encode())
        head = b"HTTP/1.1 200 OK\r\nServer: secret\r\nContent-Type: application/json\r\nConnection: x-inner\r\nX-Inner: 1\r\nX-Outer: 2\r\n"
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + (b"" if seen.line.startswith("HEAD") else body))

    async def _chunked(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"one ", b"two ", b"three"):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        writer.write(b"0\r\nX-Trailer: 1\r\n\r\n")

    async def _until_close(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        await writer.drain()
        writer.close()

    async def _stream(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n")
        await self.release.wait()
        writer.write(b"data: 2\n\n")
        await writer.drain()
        writer.close()

    async def _interim(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await self._plain(seen, writer)

    async def _nothing(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def _big(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        size = int(seen.line.split(" ")[1].rpartition("=")[2])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = b"x" * 65536
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()
            self.written += len(piece)

    async def _slow(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        await self.release.wait()
        await self._plain(seen, writer)

    async def _stall(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        await self._plain(seen, writer)

    async def _half(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
        await writer.drain()
        writer.transport.abort()

    async def _dies(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def _dies_once(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        if sum("dies-once" in other.line for other in self.seen) == 1:
            writer.transport.abort()
        else:
            await self._plain(seen, writer)

    async def _ready(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        self.seen.remove(seen)
        status = b"200 OK" if self.ready else b"503 Service Unavailable"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    async def _last(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        await self._plain(seen, writer)
        await writer.drain()
        writer.close()

    async def _garbage(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    async def _two_lengths(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")

    async def _twice(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        await self._plain(seen, writer)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nunasked")


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\n")), 16):
            yield await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return
    left = int(headers.get("content-length", 0))
    while left:
        piece = await reader.read(min(left, 65536))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        yield piece


@dataclass
class Gateway:
    """A running gateway and what it recorded."""

    port: int
    edge: Edge
    identity: SignIn
    records: list[tuple[str, int, str]]
    tell: Callable[[], None]

    def sign_in(self, **changes: Any) -> SignedIn:
        return self.identity(**changes)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


async def nobody(question: bytes) -> bytes:
    """Auth is away."""
    raise Unavailable("Auth is away.")


def run_gateway(stack: ExitStack, urls: dict[str, str], *, limits: Limits = LIMITS, pool: int = 64, **changes: Any) -> Gateway:
    """Start a gateway in front of *urls*; it ends with *stack*."""
    identity = SignIn()
    tokens = Tokens()
    tokens.learn(identity.kid, identity.key.public_key())
    pools = {name: Pool(name, url, limit=pool, connect_s=limits.connect_s) for name, url in urls.items()}
    cors = Cors(changes.pop("origins", ["https://panel.example"]))
    records: list[tuple[str, int, str]] = []

    def record(exchange: Exchange, service: str) -> None:
        records.append((exchange.request.path, exchange.status, service))

    rates = Rates({name: Rate.read(text) for name, text in changes.pop("rates", {}).items()}, time.monotonic)
    redis_url: str | None = changes.pop("redis_url", None)
    serving: dict[str, Any] = changes.pop("serving", {})
    wait_s: float = changes.pop("wait_s", 2.0)  # a machine that is busy with tests is no Valkey that hangs
    tallies: list[Tally] = []

    async def take(visit: Visit) -> None:
        await tallies[0].take(visit)

    admission = Admission(
        pools=pools,
        own=changes.pop("own", {"/api/meta": lambda _: Answer(200, b"{}", [(b"content-type", b"application/json")])}),
        panel=changes.pop("panel", Panel(None)),
        verify=tokens.verify,
        keys=Keys(changes.pop("ask", nobody)),
        rates=rates,
        take=take,
        cors=cors,
        limits=limits,
    )
    made: list[Edge] = []
    bound: list[int] = []
    started = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def live() -> None:
        edge = Edge(admit=admission, record=record, limits=limits, cors=cors, pools=tuple(pools.values()), **{"trusted": (), **changes})
        made.append(edge)
        stopping = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stopping))

        def ready(port: int) -> None:
            bound.append(port)
            started.set()

        if redis_url is not None:
            tallies.append(Tally(redis_url, rates, wait_s=wait_s, registry=CollectorRegistry()))
            telling = asyncio.create_task(tallies[0].run(stopping))
            await eventually(lambda: tallies[0].shared)
        looking = asyncio.create_task(Lookout(edge.pools, every_s=0.05).run(stopping))
        await edge.serve("127.0.0.1", 0, stopping, ready=ready, drain_s=1, **serving)
        await looking
        if redis_url is not None:
            await telling

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(live())

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(5)

    def tell() -> None:
        if thread.is_alive():
            loops[0][0].call_soon_threadsafe(loops[0][1].set)

    def stop() -> None:
        tell()
        thread.join(10)
        assert not thread.is_alive()

    stack.callback(stop)
    return Gateway(bound[0], made[0], identity, records, tell)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.start()
    yield service
    service.release.set()
    await service.stop()


@pytest.fixture
def gateway(service: Service) -> Iterator[Gateway]:
    """Every service is the same small one."""
    with ExitStack() as stack:
        yield run_gateway(stack, urls_of(service))


@pytest.fixture
def start(service: Service) -> Iterator[Callable[..., Gateway]]:
    """Start a gateway with other limits or settings."""
    with ExitStack() as stack:

        def run(urls: dict[str, str] | None = None, **changes: Any) -> Gateway:
            limits = changes.pop("limits", {})
            return run_gateway(stack, urls or urls_of(service), limits=replace(LIMITS, **limits), **changes)

        yield run


def urls_of(service: Service, **others: str) -> dict[str, str]:
    url = f"http://127.0.0.1:{service.port}"
    return {"auth": url, "device-worker": url, "conversations": url, "realtime": url, **others}


@dataclass
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunked: bool = False


class Wire:
    """A raw connection to a gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def reset(self) -> None:
        """Be gone, without a goodbye."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def reply(self, *, head: bool = False, timeout: float = 5) -> Reply:
        """Read one answer, strictly."""
        async with asyncio.timeout(timeout):
            raw = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = raw.decode().split("\r\n")
            headers: dict[str, str] = {}
            for line in lines:
                name, _, value = line.partition(": ")
                if name:
                    assert name not in headers or name == "vary", f"{name} twice"
                    headers[name] = f"{headers[name]}, {value}" if name in headers else value
            status = int(first.split(" ")[1])
            if head or status in (204, 304) or status < 200:
                return Reply(status, headers, b"")
            if headers.get("transfer-encoding") == "chunked":
                assert "content-length" not in headers
                body = b""
                while size := int(await self.reader.readline(), 16):
                    body += await self.reader.readexactly(size)
                    assert await self.reader.readexactly(2) == b"\r\n"
                assert await self.reader.readexactly(2) == b"\r\n"
                return Reply(status, headers, body, chunked=True)
            if "content-length" in headers:
                return Reply(status, headers, await self.reader.readexactly(int(headers["content-length"])))
            return Reply(status, headers, await self.reader.read())

    async def at_end(self, timeout: float = 5) -> bool:
        """Tell whether the gateway closed the connection without another byte."""
        async with asyncio.timeout(timeout):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


@pytest_asyncio.fixture
async def wire() -> AsyncIterator[Callable[[Gateway], Any]]:
    """Open raw connections; closed at the end."""
    async with AsyncExitStack() as stack:

        async def connect(gateway: Gateway, limit: int = 2**16) -> Wire:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=limit)
            stack.callback(lambda: writer.transport.abort())  # holds the writer too, which warns when it is collected open
            return Wire(reader, writer)

        yield connect


def request(method: str, path: str, *headers: str, body: bytes = b"", token: str | None = None) -> bytes:
    """Write a request as a decent client does."""
    lines = [f"{method} {path} HTTP/1.1", "Host: clarin.example", *headers]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
