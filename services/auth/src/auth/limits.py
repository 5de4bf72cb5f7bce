"""What people and keys see reaches the bus, where everyone who verifies a token looks it up."""

from uuid import UUID

import msgspec
from contracts.principal import Access
from servicekit.auth import encode_access
from servicekit.bus import KeyMoved, KeyValue
from servicekit.db import Database

from auth import store
from auth.store.access import SEES_ALL

_BATCH = 500


async def level(bucket: KeyValue, system: Database, id: UUID) -> None:
    """The bus says of *id* what the database says.

    The bucket is read before the database: if another replica writes something newer meanwhile, the write here is refused
    and everything is read anew.
    """
    while True:
        entry = await bucket.get(str(id))
        async with system.system() as tx:
            seen = await store.access.one(tx, id)
        wanted = SEES_ALL if seen is None else seen.access
        try:
            if wanted == SEES_ALL:
                if entry is not None:
                    await bucket.delete(str(id), entry.revision)
            elif entry is None:
                await bucket.create(str(id), encode_access(wanted))
            elif _read(entry.value) != wanted:
                await bucket.update(str(id), encode_access(wanted), entry.revision)
            break
        except KeyMoved:
            continue
    if seen is not None and seen.untold:
        async with system.system() as tx:
            await store.access.told(tx, seen)


async def tell(bucket: KeyValue, system: Database) -> bool:
    """The bus knows some of what it had not been told; True when there may be more."""
    async with system.system() as tx:
        waiting = await store.access.untold(tx, _BATCH)
    for seen in waiting:
        await level(bucket, system, seen.id)
    return len(waiting) == _BATCH


async def restore(bucket: KeyValue, system: Database) -> None:
    """A bus that lost its files says again what everybody sees."""
    there = await bucket.entries()
    after: UUID | None = None
    while True:
        async with system.system() as tx:
            some = await store.access.everybody(tx, after, _BATCH)
        for seen in some:
            entry = there.pop(str(seen.id), None)
            if (SEES_ALL if entry is None else _read(entry.value)) != seen.access:
                await level(bucket, system, seen.id)
        if len(some) < _BATCH:
            return
        after = some[-1].id


def _read(value: bytes) -> Access | None:
    try:
        return msgspec.json.decode(value, type=Access)
    except msgspec.DecodeError:
        return None
