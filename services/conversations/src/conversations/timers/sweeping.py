"""What is cleaned up now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from servicekit import idempotency, inbox, timers
from servicekit.db import Database

from conversations.store import acts, media, receipts

log = structlog.get_logger()

EVERY = timedelta(minutes=10)

UNUSED_FOR = timedelta(days=1)
"""So long an upload waits to be sent."""


def sweep(system: Database, *, pending_receipts: timedelta) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that deletes answered keys after a day and ticks that found no message in time."""

    async def run() -> None:
        keys = await idempotency.sweep(system)
        orders = await inbox.sweep(system)
        async with system.system() as tx:
            ticks = await receipts.sweep(tx, pending_receipts)
            lost = await acts.sweep(tx, pending_receipts)
            files = await media.abandoned(tx, UNUSED_FOR)
        if keys or ticks or orders or lost or files:
            log.info("swept", keys=keys, ticks=ticks, orders=orders, acts=lost, files=files)

    return timers.every(EVERY, run, name="sweep")
