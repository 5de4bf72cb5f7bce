"""Lists of contacts come in, a chunk of rows at a time: each chunk is one transaction that says how far it went.

Whoever works on a list says so in its row with each chunk. A process that dies leaves the list where its last chunk ended; after
`store.imports.CLAIM` another one goes on there, and no row is done twice: the place in the row is compared under its lock.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import structlog
from contracts.errors import Unavailable
from contracts.views import ImportCounts
from servicekit import outbox, timers
from servicekit.db import Database, raw
from servicekit.objects import ObjectMissing, Objects

from conversations import store
from conversations.domain import phones
from conversations.domain.errors import SheetInvalid
from conversations.domain.rows import Said
from conversations.files import sheets
from conversations.files.reader import Row, Wanted
from conversations.store import entering, imports, profiles
from conversations.store.imports import CLAIM, Import

EVERY = timedelta(seconds=1)
ROWS_AT_ONCE = 250
LISTS_AT_ONCE = 2
TOLD_EVERY = timedelta(seconds=1)
KEPT = timedelta(days=7)
"""So long a list is kept, and what was refused of it."""
FORGET_EVERY = timedelta(minutes=10)

log = structlog.get_logger()


def importing(db: Database, system: Database, objects: Objects, *, most: int) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that brings lists in; *most*: the rows of one."""

    async def part(stopping: asyncio.Event) -> None:
        async def run() -> None:
            while not stopping.is_set() and (found := await _claimed(db, system)) is not None:
                await _work(db, objects, found, most, stopping)

        await timers.every(EVERY, run, name="imports")(stopping)

    async def forget() -> None:
        async with system.system() as tx:
            files = await imports.sweep(tx, KEPT)
        await objects.delete(*files)

    async def old(stopping: asyncio.Event) -> None:
        await timers.every(FORGET_EVERY, forget, name="old imports")(stopping)

    async def parts(stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(old(stopping))
            for _ in range(LISTS_AT_ONCE):
                tasks.create_task(part(stopping))

    return parts


async def _claimed(db: Database, system: Database) -> Import | None:
    async with system.system() as tx:
        some = await imports.waiting(await raw(tx))
    for tenant, id in some:
        async with db.transaction(tenant) as tx:
            if (found := await imports.claim(await raw(tx), tenant, id)) is not None:
                return found
    return None


async def _work(db: Database, objects: Objects, one: Import, most: int, stopping: asyncio.Event) -> None:
    """The list is in, or was checked, or stands where somebody else goes on with it."""
    try:
        with tempfile.TemporaryDirectory(prefix="clarin-import-") as folder:
            file = Path(folder) / "list"
            if one.object is None:
                raise ObjectMissing
            await objects.fetch(one.object, file)
            async with db.transaction(one.tenant) as tx:
                states, fields = await profiles.settings(await raw(tx), one.tenant)
            wanted = Wanted(file=str(file), most=most, mapping=one.mapping, states=states, fields=fields, after=one.place)
            async for rows in sheets.rows(wanted, ROWS_AT_ONCE):
                if stopping.is_set():
                    async with db.transaction(one.tenant) as tx:
                        await imports.release(await raw(tx), one.tenant, one.id)
                    return
                following = await step(db, one, rows)
                if following is None:
                    return
                one = following
        await _over(db, one, "checked" if one.state == "checking" else "done")
    except SheetInvalid as error:
        await _over(db, one, "failed", reason=error.code, detail=error.detail)
    except ObjectMissing:
        await _over(db, one, "failed", reason="import-file-gone")
    except Unavailable:
        raise
    except Exception as error:
        log.exception("a list of contacts failed", id=str(one.id), reason=type(error).__name__)
        await _over(db, one, "failed", reason="internal")


async def step(db: Database, one: Import, rows: list[Row]) -> Import | None:
    """These rows, which follow those that are done, are done; None where the list is not the caller's to go on with any more."""
    return await store.persistently(lambda: _step(db, one, rows))


async def _step(db: Database, before: Import, rows: list[Row]) -> Import | None:
    now = datetime.now(UTC)
    async with db.transaction(before.tenant) as tx:
        c = await raw(tx)
        await store.by_index(c)
        one = await imports.one(c, before.tenant, before.id, lock=True)
        if not _same(one, before):
            return None
        dry = one.state == "checking"
        cells = {row.row: row.cells for row in rows}
        refused = [(row.refused.row, row.refused.why, row.refused.column, row.cells) for row in rows if row.refused is not None]
        some, twice = await _once(c, one, [row.said for row in rows if row.said is not None])
        refused += [(said.row, "phone-twice", None, cells[said.row]) for said in twice]
        mapping = one.mapping
        taken = await entering.take(c, one.tenant, some, overwrite=mapping.overwrite, create_tags=mapping.create_tags, dry=dry, at=now)
        refused += [(said.row, why, None, cells[said.row]) for said, why in taken.refused]
        await imports.refuse(c, one, refused)
        reasons = dict(one.counts.reasons)
        for _, why, _, _ in refused:
            reasons[why] = reasons.get(why, 0) + 1
        counts = ImportCounts(
            rows=one.counts.rows + len(rows),
            new=one.counts.new + taken.new,
            changed=one.counts.changed + taken.changed,
            unchanged=one.counts.unchanged + taken.unchanged,
            refused=one.counts.refused + len(refused),
            reasons=reasons,
        )
        tell = one.told_at is None or now - one.told_at >= TOLD_EVERY
        one = msgspec.structs.replace(one, place=rows[-1].row, counts=counts, told_at=now if tell else one.told_at)
        await imports.save(c, one, claim=CLAIM)
        await outbox.add(tx, *taken.told, *([imports.told(one)] if tell else []))
    return one


def _same(one: Import, before: Import) -> bool:
    """Tell whether nobody went on with it, stopped it, or began it anew."""
    return (one.state, one.place, one.mapping) == (before.state, before.place, before.mapping)


async def _once(c: asyncpg.Connection, one: Import, some: list[Said]) -> tuple[list[Said], list[Said]]:
    """Part the rows whose phone comes for the first time from those whose came before, in whichever way it is written."""
    first: dict[str, Said] = {}
    twice: list[Said] = []
    for said in some:
        key = min(phones.variants(said.phone))
        if key in first:
            twice.append(said)
        else:
            first[key] = said
    new = await imports.first(c, one, first)
    twice += [said for key, said in first.items() if key not in new]
    return [said for key, said in first.items() if key in new], twice


async def _over(db: Database, before: Import, state: str, *, reason: str | None = None, detail: str | None = None) -> None:
    now = datetime.now(UTC)
    async with db.transaction(before.tenant) as tx:
        c = await raw(tx)
        one = await imports.one(c, before.tenant, before.id, lock=True)
        if not _same(one, before):
            return
        one = msgspec.structs.replace(one, state=state, reason=reason, detail=detail, finished_at=now, told_at=now)
        await imports.save(c, one, claim=None)
        await imports.forget(c, one, refusals=False)
        await outbox.add(tx, imports.told(one))
