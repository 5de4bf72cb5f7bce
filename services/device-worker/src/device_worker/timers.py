"""Work that comes round again, in any API replica."""

from uuid import UUID

import structlog
from servicekit import idempotency
from servicekit.db import Database
from servicekit.vault import Vault, WrongEncryptionKey

from device_worker.domain import proxy_label
from device_worker.store import blocks, devices, history, sends

log = structlog.get_logger()

_RESEALED_AT_ONCE = 100


async def sweep(system: Database) -> None:
    """Answered keys of yesterday, sends and blocks of last week and the history of last season are gone."""
    await idempotency.sweep(system)
    for old in (sends.sweep, blocks.sweep, history.sweep):
        swept = 1
        while swept:
            async with system.system() as tx:
                swept = await old(tx)


async def reseal(system: Database, vault: Vault) -> None:
    """Every proxy that can be opened is sealed with the present encryption key; what cannot stays as it is, and is named in the log."""
    after, count, more = UUID(int=0), 0, True
    while more:
        async with system.system() as tx:
            found = await devices.sealed(tx, after, _RESEALED_AT_ONCE)
            for tenant, id, proxy in found:
                after, what = id, proxy_label(id)
                try:
                    await devices.reseal(tx, tenant, id, vault.seal(vault.open(proxy, what=what), what=what))
                except WrongEncryptionKey:
                    log.error("proxy.unreadable", device=str(id))
                else:
                    count += 1
        more = len(found) == _RESEALED_AT_ONCE
    log.info("proxies.sealed_anew", devices=count)
