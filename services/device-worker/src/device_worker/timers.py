"""Work that comes round again, in any API replica."""

from servicekit import idempotency
from servicekit.db import Database

from device_worker.store import history, sends


async def sweep(system: Database) -> None:
    """Answered keys of yesterday, sends of last week and the history of last season are gone."""
    await idempotency.sweep(system)
    for old in (sends.sweep, history.sweep):
        swept = 1
        while swept:
            async with system.system() as tx:
                swept = await old(tx)
