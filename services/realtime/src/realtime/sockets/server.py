"""All clients of this replica, and the port that they come to."""

import asyncio
import contextlib
import random

from contracts.ids import UserId
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from realtime.callers import Door
from realtime.domain import Close, Limits
from realtime.feed import Feed
from realtime.presence import Presence
from realtime.sockets.connection import Connection


class Counters:
    """What is counted of clients."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        """Declare the metrics in *registry*."""
        self.open = Gauge("clarin_realtime_sockets", "Sockets that are open.", registry=registry)
        self.closed = Counter("clarin_realtime_closed_sockets", "Sockets that are no more, by code.", ["code"], registry=registry)
        self.begun = Counter("clarin_realtime_begun_sockets", "Sockets, by how they began.", ["how"], registry=registry)


class Server:
    """All clients, and the port that they come to.

    Attributes:
        draining: Nobody is taken any more.
    """

    def __init__(self, *, feed: Feed, door: Door, presence: Presence, limits: Limits, counters: Counters) -> None:
        """Tell what *feed* hears to whom *door* lets in."""
        self.feed = feed
        self.door = door
        self.presence = presence
        self.limits = limits
        self.counters = counters
        self.draining = False
        self.sockets: set[Connection] = set()
        counters.open.set_function(lambda: len(self.sockets))
        door.on_access(self._on_access)

    def _on_access(self, user: UserId) -> None:
        for socket in list(self.sockets):
            socket.on_access(user)

    async def serve(self, host: str, port: int, stopping: asyncio.Event, *, ready: "asyncio.Future[int]") -> None:
        """Take sockets until *stopping*; then send them elsewhere, not all at once."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), host, port, backlog=4096)
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
