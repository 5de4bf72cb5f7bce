"""What is cleaned up now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from servicekit import idempotency, timers
from servicekit.db import Database, raw
from servicekit.vault import Vault, WrongEncryptionKey

from webhooks.store import deliveries, endpoints

EVERY = timedelta(minutes=10)
_CHUNK = 5000
_RESEALED = 100
_SEALED = (("secret", "secret"), ("previous_secret", "secret"), ("headers", "headers"))
#: How long the sums of each hour are kept.
STATISTICS = timedelta(days=90)
#: Longer than the stream keeps what speaks of somebody.
ERASED = timedelta(days=90)

log = structlog.get_logger()


def reseal(system: Database, vault: Vault) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that seals everything anew with the present key, while the one before is still given."""

    async def run() -> None:
        after, count = UUID(int=0), 0
        while True:
            async with system.system() as tx:
                c = await raw(tx)
                rows = await endpoints.sealed(c, after, _RESEALED)
                for row in rows:
                    try:
                        again = [_again(vault, row[name], f"webhook {what} {row['id']}") for name, what in _SEALED]
                    except WrongEncryptionKey:
                        log.error("a webhook's secret cannot be opened", endpoint=str(row["id"]))
                        continue
                    await endpoints.reseal(c, row["tenant"], row["id"], again[0] or b"", again[1], again[2])
                    count += 1
            if len(rows) < _RESEALED:
                break
            after = rows[-1]["id"]
        log.info("sealed anew", endpoints=count)

    return timers.every(timedelta(hours=6), run, name="reseal")


def _again(vault: Vault, sealed: bytes | None, what: str) -> bytes | None:
    return None if sealed is None else vault.seal(vault.open(sealed, what=what), what=what)


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
            ("erased", "at", ERASED),
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
