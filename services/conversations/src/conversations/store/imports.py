"""Lists of contacts on their way in: where each stands, and what was refused of it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import ImportChanged
from contracts.ids import TenantId, UserId
from contracts.principal import Actor
from contracts.views import ContactImport, ImportCounts
from servicekit.db import Tx, raw

from conversations.domain.columns import Mapping
from conversations.domain.errors import ImportMissing

WORKING = ("checking", "running")
CLAIM = timedelta(seconds=30)
"""So long one process works on a list without a word before another takes it over."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in the file: its first rows with it."""

    kind: str
    rows: int
    width: int
    head: tuple[tuple[str, ...], ...]
    encoding: str | None = None
    delimiter: str | None = None


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """One list.

    Attributes:
        object: Where its file lies.
        place: The last row that was done.
    """

    tenant: TenantId
    id: UUID
    author: UserId
    by_key: bool
    file_name: str | None
    object: str | None
    sheet: Sheet
    mapping: Mapping
    state: str
    place: int
    counts: ImportCounts
    created_at: datetime
    reason: str | None = None
    detail: str | None = None
    finished_at: datetime | None = None
    told_at: datetime | None = None

    @property
    def rows(self) -> int:
        """Count the rows that are contacts."""
        return self.sheet.rows - self.mapping.header


_COLUMNS = (
    "tenant, id, author, by_key, file_name, object, sheet::text, mapping::text, state, place, counts::text, created_at, reason, detail, "
    "finished_at, told_at"
)


def _import(row: Sequence[Any]) -> Import:
    return Import(
        tenant=row[0],
        id=row[1],
        author=row[2],
        by_key=row[3],
        file_name=row[4],
        object=row[5],
        sheet=msgspec.json.decode(row[6], type=Sheet),
        mapping=msgspec.json.decode(row[7], type=Mapping),
        state=row[8],
        place=row[9],
        counts=msgspec.json.decode(row[10], type=ImportCounts),
        created_at=row[11],
        reason=row[12],
        detail=row[13],
        finished_at=row[14],
        told_at=row[15],
    )


def view(one: Import) -> ContactImport:
    """Show where it stands."""
    return ContactImport(
        id=ids.public(ids.IMPORT, one.id),
        state=one.state,  # type: ignore[arg-type]
        file_name=one.file_name,
        rows=one.rows,
        counts=one.counts,
        author_id=ids.public(ids.KEY if one.by_key else ids.USER, one.author),
        created_at=one.created_at,
        finished_at=one.finished_at,
        reason=one.reason,
        detail=one.detail,
    )


def told(one: Import, actor: Actor | None = None) -> Envelope[ImportChanged]:
    """Say where it stands, and who did that."""
    shown = view(one)
    return wrap(one.tenant, ImportChanged(**{name: getattr(shown, name) for name in shown.__struct_fields__}, actor=actor))


async def add(c: asyncpg.Connection, one: Import) -> None:
    """There is one more."""
    await c.execute(
        """
        insert into imports (tenant, id, author, by_key, file_name, object, sheet, mapping, state, created_at)
        values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9, $10)
        """,
        one.tenant,
        one.id,
        one.author,
        one.by_key,
        one.file_name,
        one.object,
        _text(one.sheet),
        _text(one.mapping),
        one.state,
        one.created_at,
    )


async def one(c: asyncpg.Connection, tenant: TenantId, id: UUID, *, lock: bool = False) -> Import:
    """Read one; with *lock* nobody else moves it until the transaction ends.  Raises: ImportMissing."""
    row = await c.fetchrow(f"select {_COLUMNS} from imports where tenant = $1 and id = $2 {'for update' if lock else ''}", tenant, id)  # noqa: S608
    if row is None:
        raise ImportMissing
    return _import(row)


async def every(c: asyncpg.Connection, tenant: TenantId, *, after: UUID | None, limit: int) -> list[Import]:
    """Read the newest of an account."""
    rows = await c.fetch(
        f"select {_COLUMNS} from imports where tenant = $1 and ($2::uuid is null or id < $2) order by id desc limit $3",  # noqa: S608
        tenant,
        after,
        limit,
    )
    return [_import(row) for row in rows]


async def save(c: asyncpg.Connection, one: Import, *, claim: timedelta | None) -> None:
    """It stands like this (held by the caller); with *claim* whoever saved it goes on with it."""
    await c.execute(
        """
        update imports set mapping = $3::jsonb, state = $4, place = $5, counts = $6::jsonb, reason = $7, detail = $8, finished_at = $9,
               told_at = $10, claimed_until = now() + $11::interval
         where tenant = $1 and id = $2
        """,
        one.tenant,
        one.id,
        _text(one.mapping),
        one.state,
        one.place,
        _text(one.counts),
        one.reason,
        one.detail,
        one.finished_at,
        one.told_at,
        claim,
    )


async def forget(c: asyncpg.Connection, one: Import, *, refusals: bool) -> None:
    """Which phones have come is not known any more, and with *refusals* neither what was refused."""
    await c.execute("delete from import_phones where tenant = $1 and import = $2", one.tenant, one.id)
    if refusals:
        await c.execute("delete from import_refusals where tenant = $1 and import = $2", one.tenant, one.id)


async def waiting(c: asyncpg.Connection) -> list[tuple[TenantId, UUID]]:
    """Read what nobody works on. As the system role, for all accounts."""
    rows = await c.fetch(
        "select tenant, id from imports where state = any ($1::text[]) and (claimed_until is null or claimed_until < now()) "
        "order by claimed_until nulls first, id limit 20",
        list(WORKING),
    )
    return [(row[0], row[1]) for row in rows]


async def claim(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> Import | None:
    """Nobody else works on it for a while; None where somebody does."""
    row = await c.fetchrow(
        f"""
        update imports set claimed_until = now() + $4::interval
         where tenant = $1 and id = $2 and state = any ($3::text[]) and (claimed_until is null or claimed_until < now())
        returning {_COLUMNS}
        """,  # noqa: S608
        tenant,
        id,
        list(WORKING),
        CLAIM,
    )
    return None if row is None else _import(row)


async def release(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """Whoever comes next may go on with it."""
    await c.execute("update imports set claimed_until = null where tenant = $1 and id = $2", tenant, id)


async def first(c: asyncpg.Connection, one: Import, phones: Collection[str]) -> set[str]:
    """Remember that these phones have come; returns those that had not."""
    rows = await c.fetch(
        "insert into import_phones (tenant, import, phone) select $1, $2, phone from unnest($3::text[]) as phone "
        "on conflict do nothing returning phone",
        one.tenant,
        one.id,
        sorted(phones),
    )
    return {row[0] for row in rows}


async def refuse(c: asyncpg.Connection, one: Import, some: Sequence[tuple[int, str, int | None, tuple[str, ...]]]) -> None:
    """These rows (place, why, column, cells) were not taken."""
    if some:
        await c.execute(
            """
            insert into import_refusals (tenant, import, place, why, "column", cells)
            select $1, $2, place, why, col, cells::jsonb
              from unnest($3::int[], $4::text[], $5::int[], $6::text[]) as u (place, why, col, cells)
            on conflict do nothing
            """,
            one.tenant,
            one.id,
            [row[0] for row in some],
            [row[1] for row in some],
            [row[2] for row in some],
            [msgspec.json.encode(row[3]).decode() for row in some],
        )


async def refused(
    c: asyncpg.Connection, tenant: TenantId, id: UUID, *, after: int, limit: int
) -> list[tuple[int, str, int | None, list[str]]]:
    """Read what was refused, in the file's order."""
    rows = await c.fetch(
        'select place, why, "column", cells from import_refusals where tenant = $1 and import = $2 and place > $3 order by place limit $4',
        tenant,
        id,
        after,
        limit,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def sweep(tx: Tx, older: timedelta) -> list[str]:
    """What is older is no more; returns where the files lie. As the system role."""
    c = await raw(tx)
    rows = await c.fetch(
        "delete from imports where (tenant, id) in (select tenant, id from imports where created_at < now() - $1::interval limit 20) "
        "returning tenant, id, object",
        older,
    )
    for tenant, id, _ in rows:
        for table in ("import_refusals", "import_phones"):
            await c.execute(f"delete from {table} where tenant = $1 and import = $2", tenant, id)  # noqa: S608
    return [row[2] for row in rows if row[2] is not None]


def _text(one: msgspec.Struct) -> str:
    return msgspec.json.encode(one).decode()
