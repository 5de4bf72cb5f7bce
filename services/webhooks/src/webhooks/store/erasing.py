"""Somebody is erased: what was or is to be delivered about them is not in the log any more, and is not delivered any more.

The stream speaks of them a while longer, and somebody may be reading it: whoever puts events into the log says so with `hold`, and leaves
out those of which `spoken_of` tells that they are about somebody erased.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.ids import TenantId

_PAGE = 2000
#: Of another service's things that belong to a contact, by which its events go on to speak of it.
_LEAD = re.compile(rb'"(led_[0-9A-Z]{26})"')
#: It says that somebody is to be forgotten, and not who.
_KEPT = "contact.erased"
_NAME = re.compile(rb'"((?:cnt|cht|msg|led)_[0-9A-Z]{26})"')
#: It stays when its person is gone, as nobody's: what is told of it later is about nobody.
_STAYS = "led_"


async def forget(
    c: asyncpg.Connection,
    tenant: TenantId,
    contacts: Collection[UUID],
    chats: Collection[str],
    messages: Collection[str],
    erasure: str,
    at: datetime,
) -> int:
    """Nothing in the log is about these contacts, chats and messages, nor will be; tells how many events that were.

    Args:
        erasure: Its public id; *at*: when they were erased.
    """
    named = [*(ids.public(ids.CONTACT, one) for one in contacts), *chats, *messages]
    removed, leads = await _forget(c, tenant, named)
    if leads:
        removed += (await _forget(c, tenant, leads))[0]
    await _remember(c, tenant, {erasure, *named, *leads}, at)
    await c.execute("delete from people where tenant = $1 and id = any($2::uuid[])", tenant, list(contacts))
    await c.execute(
        "delete from threads where tenant = $1 and (chat = any($2::text[]) or contact = any($3::uuid[]))",
        tenant,
        list(chats),
        list(contacts),
    )
    return removed


async def forget_leads(c: asyncpg.Connection, tenant: TenantId, erasure: UUID, leads: Collection[str]) -> None:
    """Nothing in the log is about these leads as they were until the erasure, whose person they were of, nor will be."""
    at = await c.fetchval("select at from erased where tenant = $1 and name = $2", tenant, ids.public(ids.ERASURE, erasure))
    if leads and at is not None:
        await _forget(c, tenant, leads, at)
        await _remember(c, tenant, leads, at)


async def _remember(c: asyncpg.Connection, tenant: TenantId, names: Collection[str], at: datetime) -> None:
    await c.execute(
        "insert into erased (tenant, name, at) select $1, name, $3 from unnest($2::text[]) as name "
        "on conflict (tenant, name) do update set at = greatest(erased.at, excluded.at)",
        tenant,
        sorted(names),
        at,
    )


async def hold(c: asyncpg.Connection, tenants: Collection[TenantId], erasing: Collection[TenantId] = ()) -> None:
    """Until the transaction ends nobody of *tenants* is erased, and of *erasing*, where somebody is, nobody else writes the log."""
    for tenant in sorted(tenants):
        kind = "" if tenant in erasing else "_shared"
        await c.execute(f"select pg_advisory_xact_lock{kind}(hashtextextended($1, 0))", f"webhooks log {tenant}")


async def spoken_of(c: asyncpg.Connection, tenant: TenantId, some: Sequence[tuple[str, datetime, bytes]]) -> list[bool]:
    """Tell of each event (its type, when it happened, its JSON) whether it is about somebody erased."""
    named = [set(_NAME.findall(data)) if type != _KEPT else set() for type, _, data in some]
    rows = await c.fetch(
        "select name, at from erased where tenant = $1 and name = any($2::text[])",
        tenant,
        sorted({name.decode() for names in named for name in names}),
    )
    gone = {row["name"].encode(): row["at"] for row in rows}
    return [
        any(name in gone and (at <= gone[name] or not name.startswith(_STAYS.encode())) for name in names)
        for (_, at, _), names in zip(some, named, strict=True)
    ]


async def _forget(c: asyncpg.Connection, tenant: TenantId, names: Collection[str], until: datetime | None = None) -> tuple[int, set[str]]:
    needles = [msgspec.json.encode(name) for name in names]
    removed, leads, after = 0, set[str](), UUID(int=0)
    while True:  # a page of the table at a time: no statement takes long, however much an account's log holds
        rows = await c.fetch(
            """
            select id, case when type <> $2 and ($6::timestamptz is null or at <= $6)
                             and exists (select from unnest($3::bytea[]) as n (needle) where position(needle in data) > 0)
                            then data end as data
              from events where tenant = $1 and id > $4 order by id limit $5
            """,
            tenant,
            _KEPT,
            needles,
            after,
            _PAGE,
            until,
        )
        theirs = [row for row in rows if row["data"] is not None]
        leads |= {one.decode() for row in theirs if _is_about_one(row["data"]) for one in _LEAD.findall(row["data"])}
        await _delete(c, tenant, [row["id"] for row in theirs])
        removed += len(theirs)
        if len(rows) < _PAGE:
            return removed, leads - set(names)
        after = rows[-1]["id"]


def _is_about_one(data: bytes) -> bool:
    return len(set(_LEAD.findall(data))) == 1


async def _delete(c: asyncpg.Connection, tenant: TenantId, events: Iterable[UUID]) -> None:
    some = list(events)
    # attempts last: one that is recorded meanwhile holds its delivery or event, and is there once that is let go
    for table, column in (("deliveries", "event"), ("events", "id"), ("attempts", "event")):
        await c.execute(f"delete from {table} where tenant = $1 and {column} = any($2::uuid[])", tenant, some)  # noqa: S608
