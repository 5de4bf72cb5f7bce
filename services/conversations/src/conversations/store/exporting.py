"""What was put together of a contact, how far that is, and when it goes again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.ids import ChatId, ContactId, MessageId, TenantId

from conversations.store import released

#: So long a file can be fetched.
KEPT = timedelta(days=7)
#: Whoever works on one says so again before this is over.
LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 3

_COLUMNS = (
    "tenant, id, contact, requested_by, by_key, requested_at, state, messages, files, total, reason, object, size, ended_at, expires_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One row.

    Attributes:
        messages: Written so far, of *total*.
        files: Files of messages that are in it so far.
    """

    tenant: TenantId
    id: UUID
    contact: ContactId
    requested_by: UUID
    by_key: bool
    requested_at: datetime
    state: str
    messages: int
    files: int
    total: int
    reason: str | None
    object: str | None
    size: int | None
    ended_at: datetime | None
    expires_at: datetime | None


async def request(c: asyncpg.Connection, tenant: TenantId, contact: ContactId, by: UUID, *, by_key: bool) -> Export:
    """It is to be put together."""
    row = await c.fetchrow(
        f"insert into exports (tenant, id, contact, requested_by, by_key, requested_at) values ($1, $2, $3, $4, $5, now()) "  # noqa: S608
        f"returning {_COLUMNS}",
        tenant,
        ids.new(),
        contact,
        by,
        by_key,
    )
    return _export(row)


async def find(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> Export | None:
    """Read one."""
    row = await c.fetchrow(f"select {_COLUMNS} from exports where tenant = $1 and id = $2", tenant, id)  # noqa: S608
    return _export(row) if row else None


async def page(c: asyncpg.Connection, tenant: TenantId, *, before: UUID | None, limit: int) -> list[Export]:
    """Read the exports of an account, the latest first."""
    rows = await c.fetch(
        f"select {_COLUMNS} from exports where tenant = $1 and ($2::uuid is null or id < $2) order by id desc limit $3",  # noqa: S608
        tenant,
        before,
        limit,
    )
    return [_export(row) for row in rows]


async def waiting(system: asyncpg.Connection, *, limit: int = 10) -> list[tuple[TenantId, UUID]]:
    """Read what is to be put together, whoever's it is. As the system role."""
    rows = await system.fetch(
        "select tenant, id from exports where state in ('waiting', 'running') and (leased_until is null or leased_until < now()) "
        "order by requested_at limit $1",
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def over(system: asyncpg.Connection, *, limit: int = 100) -> list[tuple[TenantId, UUID]]:
    """Read whose time is over. As the system role."""
    rows = await system.fetch("select tenant, id from exports where state = 'ready' and expires_at < now() limit $1", limit)
    return [(row[0], row[1]) for row in rows]


async def take(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> Export | None:
    """The caller works on it from now on; None where somebody does, or it was tried too often."""
    row = await c.fetchrow(
        f"""
        update exports set state = case when attempts >= $3 then 'failed' else 'running' end, attempts = attempts + 1,
               reason = case when attempts >= $3 then 'given-up' end, leased_until = now() + $4::interval, messages = 0, files = 0
         where tenant = $1 and id = $2 and state in ('waiting', 'running') and (leased_until is null or leased_until < now())
        returning {_COLUMNS}
        """,  # noqa: S608
        tenant,
        id,
        MOST_ATTEMPTS,
        LEASE,
    )
    return _export(row) if row and row["state"] == "running" else None


async def progress(c: asyncpg.Connection, export: Export, *, messages: int, files: int, total: int) -> bool:
    """So much is done; False where it is not wanted any more."""
    return bool(
        await c.fetchval(
            "update exports set messages = $3, files = $4, total = $5, leased_until = now() + $6::interval "
            "where tenant = $1 and id = $2 and state = 'running' returning true",
            export.tenant,
            export.id,
            messages,
            files,
            total,
            LEASE,
        )
    )


async def ready(c: asyncpg.Connection, export: Export, object: str, size: int) -> bool:
    """It can be fetched; False where it is not wanted any more."""
    return bool(
        await c.fetchval(
            "update exports set state = 'ready', object = $3, size = $4, ended_at = now(), expires_at = now() + $5::interval, "
            "leased_until = null where tenant = $1 and id = $2 and state = 'running' returning true",
            export.tenant,
            export.id,
            object,
            size,
            KEPT,
        )
    )


async def failed(c: asyncpg.Connection, export: Export, reason: str) -> None:
    """It could not be put together; it is tried again a few times."""
    await c.execute(
        "update exports set reason = $3, leased_until = now() + interval '10 seconds' where tenant = $1 and id = $2 and state = 'running'",
        export.tenant,
        export.id,
        reason,
    )


async def expire(c: asyncpg.Connection, tenant: TenantId, ids: Collection[UUID]) -> None:
    """Their files go; that they were there stays known."""
    rows = await c.fetch(
        "select id, object from exports where tenant = $1 and id = any($2::uuid[]) and state = 'ready' for update", tenant, list(ids)
    )
    await released.release(c, tenant, [row[1] for row in rows if row[1]])
    await c.execute(
        "update exports set state = 'expired', object = null where tenant = $1 and id = any($2::uuid[])", tenant, [row[0] for row in rows]
    )


async def drop(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """It is not wanted any more; what is being put together ends."""
    row = await c.fetchrow("delete from exports where tenant = $1 and id = $2 returning object", tenant, id)
    await released.release(c, tenant, [row[0]] if row and row[0] else [])


async def forget(c: asyncpg.Connection, tenant: TenantId, contacts: Collection[UUID], erasure: UUID) -> int:
    """Nothing that was put together of these contacts is left."""
    rows = await c.fetch("delete from exports where tenant = $1 and contact = any($2::uuid[]) returning object", tenant, list(contacts))
    await released.release(c, tenant, [row[0] for row in rows if row[0]], erasure)
    return len(rows)


async def chats(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> list[tuple[ChatId, int]]:
    """Read the contact's chats, each with how many messages it has."""
    rows = await c.fetch(
        "select h.id, (select count(*) from messages m where m.tenant = h.tenant and m.chat = h.id) from chats h "
        "where h.tenant = $1 and h.contact = $2 order by h.id",
        tenant,
        contact,
    )
    return [(row[0], row[1]) for row in rows]


async def former_texts(
    c: asyncpg.Connection, tenant: TenantId, chat: ChatId, *, after: tuple[MessageId, UUID] | None, limit: int
) -> list[tuple[MessageId, UUID, datetime, str]]:
    """Read what the messages of a chat said before, up to *limit* from behind *after*: (message, id, since, text)."""
    rows = await c.fetch(
        f"""
        select f.message, f.id, f.at, f.text from messages m join former_texts f on f.tenant = m.tenant and f.message = m.id
         where m.tenant = $1 and m.chat = $2 and m.edited_at is not null {"and (f.message, f.id) > ($4, $5)" if after else ""}
         order by f.message, f.id limit $3
        """,  # noqa: S608
        tenant,
        chat,
        limit,
        *(after or ()),
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def known(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> dict[str, Any]:
    """Read what no list of the API shows in one: the addresses."""
    rows = await c.fetch("select kind, value from contact_aliases where tenant = $1 and contact = $2 order by kind, value", tenant, contact)
    return {"addresses": [{"kind": row[0], "value": row[1]} for row in rows]}


def _export(row: Any) -> Export:
    return Export(**dict(row.items()))
