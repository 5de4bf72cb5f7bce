"""What is older than an account wants to keep goes, a little at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from contracts.errors import Unavailable
from contracts.ids import TenantId
from servicekit import timers
from servicekit.db import Database, Tx, raw
from servicekit.timers import first

from conversations import store
from conversations.store import happenings, retention

EVERY = timedelta(minutes=10)
#: Between two batches: others have the database for most of the time.
PAUSE = 0.2
#: Of one account at a time; another one has its turn then.
MOST = 5_000

log = structlog.get_logger()


def keep(db: Database, system: Database, *, pause: float = PAUSE) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that removes what is too old, of every account that does not keep everything."""

    async def turn(tenant: TenantId, stopping: asyncio.Event) -> bool:
        """One account's turn; tells whether it wants another one."""
        try:
            return await remove_old(db, tenant, datetime.now(UTC), pause=pause, stopping=stopping) >= MOST
        except Unavailable:
            raise
        except Exception as error:  # the others have theirs
            log.exception("what is too old waits", tenant=str(tenant), reason=type(error).__name__)
            return False

    async def loop(stopping: asyncio.Event) -> None:
        async def run() -> None:
            async with system.system() as tx:
                some = await retention.tenants(await raw(tx))
            while some and not stopping.is_set():  # turn by turn: a million rows of one account hold up nobody
                some = [tenant for tenant in some if await turn(tenant, stopping)]

        await timers.every(EVERY, run, name="retention")(stopping)

    return loop


async def remove_old(
    db: Database,
    tenant: TenantId,
    now: datetime,
    *,
    pause: float = 0.0,
    most: int = MOST,
    stopping: asyncio.Event | None = None,
    batch: int = retention.BATCH,
) -> int:
    """Of one account, what is too old is gone, at most *most*; tells how much. Stopped anywhere, the next run goes on.

    Each batch is a transaction of its own. Of several replicas one is at an account at a time; the others leave it alone.
    """
    gone, over = 0, False
    while gone < most and not over and not (stopping and stopping.is_set()):

        async def once() -> tuple[int, bool]:
            async with db.transaction(tenant) as tx:
                return await _batch(tx, tenant, now, batch)

        removed, over = await store.persistently(once)
        gone += removed
        if not over and pause:
            await first(stopping or asyncio.Event(), timeout=pause)
    if gone:
        log.info("what was too old is gone", count=gone)
    return gone


async def _batch(tx: Tx, tenant: TenantId, now: datetime, limit: int) -> tuple[int, bool]:
    c = await raw(tx)
    if not await c.fetchval("select pg_try_advisory_xact_lock(hashtextextended('retention ' || $1, 0))", str(tenant)):
        return 0, True
    await store.by_index(c)
    messages_from, media_from = await retention.limits(c, tenant, now)
    if messages_from is not None and (removed := await retention.remove_old(c, tenant, messages_from, limit=limit)):
        await retention.begin(c, tenant)
        await retention.progress(c, tenant, messages=removed, kept_from=messages_from)
        return removed, False
    if messages_from is not None and (removed := await happenings.remove_old(c, tenant, messages_from, limit=limit)):
        return removed, False
    if media_from is not None and (removed := await retention.remove_files(c, tenant, media_from, limit=limit)):
        await retention.begin(c, tenant)
        await retention.progress(c, tenant, media=removed)
        return removed, False
    await retention.end(c, tenant)
    return 0, True
