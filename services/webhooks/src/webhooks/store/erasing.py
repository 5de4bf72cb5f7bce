"""Somebody is erased: what was or is to be delivered about them is not in the log any more, and is not delivered any more."""

import re
from collections.abc import Collection, Iterable
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


async def forget(
    c: asyncpg.Connection, tenant: TenantId, contacts: Collection[UUID], chats: Collection[str], messages: Collection[str]
) -> int:
    """Nothing in the log is about these contacts, chats and messages; tells how many events that were."""
    named = [*(ids.public(ids.CONTACT, one) for one in contacts), *chats, *messages]
    removed, leads = await _forget(c, tenant, named)
    if leads:
        removed += (await _forget(c, tenant, leads))[0]
    await c.execute("delete from people where tenant = $1 and id = any($2::uuid[])", tenant, list(contacts))
    await c.execute(
        "delete from threads where tenant = $1 and (chat = any($2::text[]) or contact = any($3::uuid[]))",
        tenant,
        list(chats),
        list(contacts),
    )
    return removed


async def _forget(c: asyncpg.Connection, tenant: TenantId, names: Collection[str]) -> tuple[int, set[str]]:
    needles = [msgspec.json.encode(name) for name in names]
    removed, leads, after = 0, set[str](), UUID(int=0)
    while True:  # a page of the table at a time: no statement takes long, however much an account's log holds
        rows = await c.fetch(
            """
            select id, case when type <> $2 and exists (select from unnest($3::bytea[]) as n (needle) where position(needle in data) > 0)
                            then data end as data
              from events where tenant = $1 and id > $4 order by id limit $5
            """,
            tenant,
            _KEPT,
            needles,
            after,
            _PAGE,
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
    for table, column in (("attempts", "event"), ("deliveries", "event"), ("events", "id")):
        await c.execute(f"delete from {table} where tenant = $1 and {column} = any($2::uuid[])", tenant, some)  # noqa: S608
