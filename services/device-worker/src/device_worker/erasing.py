"""Somebody is erased with the workers: their order waits in a table, and whichever worker is there carries it out."""

from datetime import timedelta
from pathlib import Path
from time import time

import structlog
from servicekit.db import Database

from device_worker.store import erasures
from device_worker.whatsapp.store import Store, StoreAway

EVERY = timedelta(seconds=2)
#: How long the bytes of events that no version could read are kept.
UNREADABLE_KEPT = timedelta(days=30)

log = structlog.get_logger()


async def erase(system: Database, store: Store) -> int:
    """Carry out what is ordered, and tell how much is done; what is just being sent, or a store that is away, is waited for."""
    done = 0
    while True:
        async with system.system() as tx:
            person = await erasures.first(tx)
            if person is None:
                return done
            removed, still = await erasures.forget(tx, person)
            try:
                removed += await store.forget_person(person.jids, person.addresses)
            except StoreAway as away:
                log.info("an erasure waits for the library's store", erasure=str(person.erasure), reason=str(away))
                return done
            if not still:
                return done
            await erasures.done(tx, person, removed)
        done += 1


def tidy(folder: Path) -> int:
    """Delete old files of events that nobody could read, and tell how many; who is in them, nobody can say."""
    old = [file for file in folder.glob("*.raw") if file.stat().st_mtime < time() - UNREADABLE_KEPT.total_seconds()]
    for file in old:
        file.unlink(missing_ok=True)
    return len(old)
