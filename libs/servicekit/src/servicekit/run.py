"""The whole life of a process: settings, logs, its parts, an orderly end.

    def main() -> None:
        service("auth", AuthSettings, start)

    async def start(settings: AuthSettings, service: Service) -> None:
        db = await service.enter(Database.open(settings.database_url, application="auth"))
        service.health.check("database", db.ping)
        service.background("relay", Relay(…).run)
        service.serve(create_app(…), settings.http_host, settings.http_port)

At the end: not ready any more → parts that were given time *ahead* stop, while all else goes on → for *drain* seconds HTTP says
in every answer that it goes, so that who asks has time to ask elsewhere → HTTP takes nothing new and finishes what it has →
background parts stop → what was entered is closed, last first. A background part that fails, or ends before it was told to,
ends the process: something else starts it anew.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import structlog
import uvicorn
import uvloop
from prometheus_client import REGISTRY

from servicekit import logging, tracing
from servicekit.bus.errors import WrongPassword
from servicekit.health import Health
from servicekit.settings import Settings, WithHttp, load
from servicekit.wire import HEAD_SECONDS, Manners, Wire

S = TypeVar("S", bound=Settings)
T = TypeVar("T")

HTTP_SECONDS = 10
BACKGROUND_SECONDS = 5.0
CLOSE_SECONDS = 4.0
KEEP_ALIVE_SECONDS = 75  # longer than any client of ours keeps an idle connection, so that the client is the one to close it

log = structlog.get_logger()


class BackgroundEnded(RuntimeError):
    """A background part ended although nobody stopped it."""


class Service:
    """One running process and its parts."""

    def __init__(self, name: str, *, drain: float = 0.0) -> None:
        self.name = name
        self.drain = drain
        self.stopping = asyncio.Event()
        self.health = Health()
        self.registry = REGISTRY
        self._stack = AsyncExitStack()
        self._background: dict[asyncio.Task[None], str] = {}
        self._ahead: dict[asyncio.Task[None], timedelta] = {}
        self._servers: dict[asyncio.Task[None], _Server] = {}
        self._failure: BaseException | None = None
        self._halt = asyncio.Event()  # what background parts wait for: set only when HTTP has finished

    async def enter(self, cm: AbstractAsyncContextManager[T]) -> T:
        """Open *cm* now; it is closed at the end, after everything that was opened later."""
        return await self._stack.enter_async_context(cm)

    def background(self, name: str, run: Callable[[asyncio.Event], Awaitable[None]], *, ahead: timedelta | None = None) -> None:
        """Run a part until the end: *run* gets the event at whose setting it must soon return, and not before.

        Args:
            ahead: It is told before all others, which go on until it has returned, or so long.
        """

        async def part() -> None:
            await run(self._halt if ahead is None else self.stopping)

        task = asyncio.create_task(part(), name=name)
        if ahead is None:
            self._background[task] = name
        else:
            self._ahead[task] = ahead
        task.add_done_callback(self._ended)

    def serve(self, app: Any, host: str, port: int, *, head_seconds: float = HEAD_SECONDS) -> int:
        """Answer HTTP with *app*; give the port, which the system chose if *port* is 0.  Raises: OSError: it is taken.

        Args:
            head_seconds: How long the head of a request may take to come.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
        server = _Server(
            Manners(
                app,
                head_seconds=head_seconds,
                http=Wire,
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=HTTP_SECONDS,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        self._servers[task] = server
        task.add_done_callback(self._ended)
        bound = int(listener.getsockname()[1])
        log.info("listening", host=host, port=bound)
        return bound

    @property
    def failure(self) -> BaseException | None:
        """What ended this process, if it was not asked to end."""
        return self._failure

    @asynccontextmanager
    async def running(self, start: Callable[["Service"], Awaitable[None]]) -> AsyncIterator["Service"]:
        """Start everything; inside, it runs; afterwards it was stopped in order."""
        try:
            await start(self)
            yield self
        finally:
            await self._stop()

    async def _stop(self) -> None:
        self.health.stopping = True
        self.stopping.set()
        await asyncio.gather(*(self._finish([task], patience.total_seconds()) for task, patience in self._ahead.items()))
        for server in self._servers.values():
            server.manners.leaving = True
        if self._servers and self._failure is None:
            await asyncio.sleep(self.drain)
        for server in self._servers.values():
            server.should_exit = True
        await self._finish(list(self._servers), HTTP_SECONDS + 1.0)
        self._halt.set()
        await self._finish(list(self._background), BACKGROUND_SECONDS)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._stack.aclose()
        except TimeoutError:
            log.error("closing took too long")

    async def _finish(self, tasks: list[asyncio.Task[None]], seconds: float) -> None:
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            log.error("a part did not stop in time", part=task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None and self.stopping.is_set():
            return
        error = error or BackgroundEnded(task.get_name())
        log.error("a part of the process failed", part=task.get_name(), reason=logging.describe(error), exc_info=error)
        self._failure = self._failure or error
        self.stopping.set()


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers: they belong to the process."""

    def __init__(self, manners: Manners) -> None:
        super().__init__(manners)
        self.manners = manners

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGTERM and SIGINT alone."""
        yield


def service(name: str, settings: type[S], start: Callable[[S, Service], Awaitable[None]]) -> None:
    """Be the process *name* until SIGTERM or SIGINT, or until a part of it fails; then end the process with 0 or 1.

    A second signal ends it at once.
    """
    loaded = load(settings, name)
    logging.configure(name, loaded.log_level)
    with tracing.exporting(name, loaded.otlp_endpoint), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_run(name, loaded, start))
    raise SystemExit(code)


async def _run(name: str, settings: S, start: Callable[[S, Service], Awaitable[None]]) -> int:
    process = Service(name, drain=settings.http_drain if isinstance(settings, WithHttp) else 0.0)
    starting = asyncio.create_task(_live(process, settings, start))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if process.stopping.is_set():
            os._exit(1)
        log.info("stopping")
        process.stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return await starting


async def _live(process: Service, settings: S, start: Callable[[S, Service], Awaitable[None]]) -> int:
    async def begin(service: Service) -> None:
        starting = asyncio.ensure_future(start(settings, service))
        stopped = asyncio.create_task(service.stopping.wait())
        await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not starting.done():  # asked to end, or a part failed, before everything was open
            starting.cancel()
            await asyncio.wait([starting])
        if not starting.cancelled():
            starting.result()

    try:
        async with process.running(begin):
            if not process.stopping.is_set():
                log.info("started")
            await process.stopping.wait()
    except WrongPassword as error:
        log.error("could not start", reason=logging.describe(error))
        return 1
    except Exception as error:
        log.exception("could not start or stop", reason=logging.describe(error))
        return 1
    log.info("stopped")
    return 1 if process.failure else 0
