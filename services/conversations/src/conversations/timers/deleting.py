"""Objects that nobody needs any more are deleted from the store, each by one replica, and never one that a file has come to need."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import groupby

import structlog
from contracts.media import thumbnail_key
from servicekit import timers
from servicekit.db import Database, raw
from servicekit.objects import Objects, ObjectsAway

from conversations.store import released

EVERY = timedelta(seconds=1)
AT_ONCE = 50

log = structlog.get_logger()


def delete_released(db: Database, system: Database, objects: Objects) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that deletes them."""

    async def run() -> None:
        await delete_some(db, system, objects)

    return timers.every(EVERY, run, name="released objects")


async def delete_some(db: Database, system: Database, objects: Objects, *, limit: int = AT_ONCE) -> int:
    """Delete the first of them, and tell how many; with the store away they wait."""
    async with system.system() as tx:
        c = await raw(tx)
        due = await released.due(c, limit=limit)
        await released.sweep(c)
    deleted = 0
    for tenant, some in groupby(sorted(due), key=lambda key: key[0]):
        async with db.transaction(tenant) as tx:
            mine = await released.claim(await raw(tx), tenant, [object for _, object in some])
        try:
            # What is claimed stays claimed when this process dies here: another one deletes it again in two minutes.
            await objects.delete(*(key for object in mine for key in (object, thumbnail_key(object))))
        except ObjectsAway as away:
            log.warning("objects wait to be deleted", count=len(mine), reason=str(away))
            continue
        async with db.transaction(tenant) as tx:
            await released.gone(await raw(tx), tenant, mine)
        deleted += len(mine)
    return deleted
