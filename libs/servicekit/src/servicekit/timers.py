"""Work that comes round again."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from contracts.errors import Unavailable

from servicekit.logging import describe

log = structlog.get_logger()


def every(
    interval: timedelta, run: Callable[[], Awaitable[None]], *, name: str, jitter: float = 0.1
) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make a background part that does *run* now and then again, *interval* after it ended; an error is logged and it goes on.

    Args:
        jitter: The share of the interval by which each wait differs, so that replicas do not fall into step.
    """

    async def loop(stopping: asyncio.Event) -> None:
        waits = False
        while not stopping.is_set():
            try:
                await run()
                waits = False
            except Unavailable as error:  # a server that is away: said once, not at every turn
                if not waits:
                    log.warning("timer waits", timer=name, reason=describe(error))
                waits = True
            except Exception as error:
                log.exception("timer failed", timer=name, reason=describe(error))
            seconds = interval.total_seconds() * (1 + random.uniform(-jitter, jitter))  # noqa: S311 - no secret hangs on it
            try:
                await asyncio.wait_for(stopping.wait(), seconds)
            except TimeoutError:
                continue

    return loop


async def first(*events: asyncio.Event, timeout: float | None = None) -> None:
    """Wait until one of *events* is set or *timeout* seconds have passed."""
    if any(event.is_set() for event in events):
        return
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
