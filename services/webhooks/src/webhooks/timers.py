"""What is cleaned up now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from servicekit import idempotency, timers
from servicekit.db import Database, raw

from webhooks.store import deliveries

EVERY = timedelta(minutes=10)
_CHUNK = 5000
#: How long the sums of each hour are kept.
STATISTICS = timedelta(days=90)

log = structlog.get_logger()


def sweep(system: Database, *, kept: timedelta) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that deletes what is older than *kept*; what still waits keeps its event."""

    async def run() -> None:
        now = datetime.now(UTC)
        gone = {"keys": await idempotency.sweep(system)}
        for table, column, age in (
            ("attempts", "at", kept),
            ("deliveries", "made_at", kept),
            ("events", "kept_at", kept + timedelta(days=1)),
            ("statistics", "hour", STATISTICS),
        ):
            gone[table] = 0
            while True:
                async with system.system() as tx:
                    count = await deliveries.sweep(await raw(tx), table, column, now - age, _CHUNK)
                gone[table] += count
                if count < _CHUNK:
                    break
        if any(gone.values()):
            log.info("swept", **gone)

    return timers.every(EVERY, run, name="sweep")
