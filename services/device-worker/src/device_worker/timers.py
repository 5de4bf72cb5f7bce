"""Work that comes round again, in any API replica."""

from servicekit import idempotency
from servicekit.db import Database

from device_worker.store import sends


async def sweep(system: Database) -> None:
    """Answered keys of yesterday and sends of last week are gone."""
    await idempotency.sweep(system)
    swept = 1
    while swept:
        async with system.system() as tx:
            swept = await sends.sweep(tx)
