"""Answers go out at their moment, and what nobody needs any more goes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from contracts import envelope as envelopes
from servicekit import inbox, outbox, timers
from servicekit.db import Database, raw

from bot.store import chats, figures

log = structlog.get_logger()

BATCH = 200
POLL_SECONDS = 1.0
SWEEP = timedelta(hours=1)


async def speak(db: Database, system: Database) -> int:
    """Hand what is due to the outbox; give how much."""
    async with system.system() as tx:
        tenants = await chats.due(await raw(tx), BATCH)
    if not tenants:
        return 0
    async with db.transaction(tenants) as tx:
        orders = await chats.take(await raw(tx), tenants, BATCH)
        await outbox.add(tx, *map(envelopes.decode, orders))
    return len(orders)


def speaking(db: Database, system: Database, woken: asyncio.Event) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that lets answers out when they are due: *woken* when there is a new one."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            woken.clear()
            pause = POLL_SECONDS
            try:
                while await speak(db, system):
                    pass
                async with system.system() as tx:
                    at = await chats.next_due(await raw(tx))
                if at is not None:
                    pause = min(pause, max(0.02, (at - datetime.now(UTC)).total_seconds()))
            except Exception as error:
                # they wait in their table until they are out
                log.warning("answers wait", reason=type(error).__name__)
            await timers.first(woken, stopping, timeout=pause)

    return run


def sweep(system: Database) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that forgets what was seen and said long ago."""

    async def run() -> None:
        seen = await inbox.sweep(system)
        async with system.system() as tx:
            phrases = await figures.sweep(await raw(tx))
        if seen or phrases:
            log.info("swept", seen=seen, phrases=phrases)

    return timers.every(SWEEP, run, name="sweep")
