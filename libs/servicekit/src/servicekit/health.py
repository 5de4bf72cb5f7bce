"""Whether this process can do its work: asked by the orchestrator and by the gateway's page of states."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from servicekit.logging import describe

Probe = Callable[[], Awaitable[None]]
LIMIT_SECONDS = 2.0
CACHE_SECONDS = 1.0
OK = "ok"

log = structlog.get_logger()


class Health:
    """The probes of one process. It is live while its loop answers, ready while every probe passes and nobody stops it."""

    def __init__(self, *, limit: float = LIMIT_SECONDS, kept: float = CACHE_SECONDS) -> None:
        """Check nothing yet; a probe has *limit* seconds, and its answer holds for *kept* seconds."""
        self.stopping = False
        self._limit, self._kept = limit, kept
        self._probes: dict[str, Probe] = {}
        self._known: dict[str, tuple[float, str]] = {}
        self._running: dict[str, asyncio.Task[str]] = {}

    def check(self, name: str, probe: Probe) -> None:
        """Ask *probe* about *name* from now on: it raises when it is away."""
        self._probes[name] = probe

    async def ready(self) -> dict[str, str]:
        """Say ``ok`` or the kind of the error for each probe."""
        names = list(self._probes)
        answers = await asyncio.gather(*(self._ask(name) for name in names))
        states = dict(zip(names, answers, strict=True))
        if self.stopping:
            states["process"] = "stopping"
        return states

    async def _ask(self, name: str) -> str:
        at, answer = self._known.get(name, (float("-inf"), ""))
        if time.monotonic() - at < self._kept:
            return answer
        task = self._running.get(name)
        if task is None:  # callers that come while it runs share the one that is running
            task = self._running[name] = asyncio.create_task(self._probe(name))
            task.add_done_callback(lambda _: self._running.pop(name, None))
        return await asyncio.shield(task)

    async def _probe(self, name: str) -> str:
        try:
            async with asyncio.timeout(self._limit):
                await self._probes[name]()
            answer = OK
        except TimeoutError:
            answer = f"no answer within {self._limit:g} s"
        except Exception as error:
            answer = type(error).__name__
            log.info("probe failed", probe=name, reason=describe(error))
        self._known[name] = (time.monotonic(), answer)
        return answer
