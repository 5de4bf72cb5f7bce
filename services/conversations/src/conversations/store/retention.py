"""How long an account keeps what was said and the files that came with it, and what goes when its time is over."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from contracts.ids import ChatId, TenantId

from conversations.domain.privacy import kept_from
from conversations.store import chats, released

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What an account wants, and how the last run went.

    Attributes:
        message_days: None: for ever; *media_days* alike.
        kept_from: Some of what was said before then is gone; the figures of those days stay as they were counted.
        ended_at: None while a run goes on.
        messages: Removed by that run; *media* alike.
    """

    message_days: int | None = None
    media_days: int | None = None
    kept_from: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    messages: int = 0
    media: int = 0


async def read(c: asyncpg.Connection, tenant: TenantId) -> Retention:
    """Read what an account wants; by default everything is kept."""
    row = await c.fetchrow(
        "select message_days, media_days, kept_from, started_at, ended_at, messages, media from retention where tenant = $1", tenant
    )
    return Retention(**dict(row.items())) if row else Retention()


async def change(c: asyncpg.Connection, tenant: TenantId, message_days: int | None, media_days: int | None) -> None:
    """The account keeps things for so long from now on."""
    await c.execute(
        """
        insert into retention (tenant, message_days, media_days) values ($1, $2, $3)
        on conflict (tenant) do update set message_days = excluded.message_days, media_days = excluded.media_days
        """,
        tenant,
        message_days,
        media_days,
    )


async def tenants(system: asyncpg.Connection) -> list[TenantId]:
    """List the accounts that do not keep everything. As the system role."""
    rows = await system.fetch("select tenant from retention where message_days is not null or media_days is not null order by tenant")
    return [row[0] for row in rows]


async def limits(c: asyncpg.Connection, tenant: TenantId, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Give the times from which on messages, and files, are kept; None: all of them."""
    kept = await read(c, tenant)
    zone = await c.fetchval("select time_zone from accounts where tenant = $1", tenant) or "UTC"
    days = (kept.message_days, kept.media_days)
    return tuple(None if some is None else kept_from(now, some, zone) for some in days)  # type: ignore[return-value]


async def begin(c: asyncpg.Connection, tenant: TenantId) -> None:
    """A run begins; one that goes on goes on."""
    await c.execute(
        "update retention set started_at = now(), ended_at = null, messages = 0, media = 0 "
        "where tenant = $1 and (started_at is null or ended_at is not null)",
        tenant,
    )


async def progress(
    c: asyncpg.Connection, tenant: TenantId, *, messages: int = 0, media: int = 0, kept_from: datetime | None = None
) -> None:
    """So many more are gone, of those from before *kept_from*."""
    await c.execute(
        "update retention set messages = messages + $2, media = media + $3, kept_from = greatest(kept_from, $4) where tenant = $1",
        tenant,
        messages,
        media,
        kept_from,
    )


async def end(c: asyncpg.Connection, tenant: TenantId) -> None:
    """Nothing is left that is too old."""
    await c.execute("update retention set ended_at = now() where tenant = $1 and started_at is not null and ended_at is null", tenant)


async def remove_old(c: asyncpg.Connection, tenant: TenantId, before: datetime, *, limit: int = BATCH) -> int:
    """The oldest messages from before then are gone, at most *limit*; their chats stay.  Raises: Moved."""
    rows = await c.fetch("select id, chat from messages where tenant = $1 and at < $2 order by at limit $3", tenant, before, limit)
    if not rows:
        return 0
    await chats.lock(c, {(tenant, row[1]) for row in rows})
    gone = await remove(c, tenant, [row[0] for row in rows])
    await show_what_is_left(c, tenant, {row[1] for row in rows})
    return gone


async def remove(c: asyncpg.Connection, tenant: TenantId, messages: Sequence[UUID], erasure: UUID | None = None) -> int:
    """These messages and their files are gone; the caller holds their chats. What the figures counted stays counted."""
    if not messages:
        return 0
    some = list(messages)
    files = await c.fetch("delete from media where tenant = $1 and message = any($2::uuid[]) returning object", tenant, some)
    await released.release(c, tenant, [row[0] for row in files if row[0] is not None], erasure)
    await c.execute("delete from message_redirects where tenant = $1 and new = any($2::uuid[])", tenant, some)
    await c.execute("delete from former_texts where tenant = $1 and message = any($2::uuid[])", tenant, some)
    tag = await c.execute("delete from messages where tenant = $1 and id = any($2::uuid[])", tenant, some)
    return int(tag.rpartition(" ")[2])


async def show_what_is_left(c: asyncpg.Connection, tenant: TenantId, touched: Collection[ChatId]) -> None:
    """The chats (held by the caller) whose last message is gone show none, or the one before, and stand where they stood in the list."""
    stale = await c.fetch(
        """
        select h.id from chats h where h.tenant = $1 and h.id = any($2::uuid[]) and (h.unread > 0 or h.last_message_id is not null
           and not exists (select from messages m where m.tenant = h.tenant and m.id = h.last_message_id))
        """,
        tenant,
        list(touched),
    )
    await chats.recount(c, [(tenant, row[0]) for row in stale])


async def remove_files(c: asyncpg.Connection, tenant: TenantId, before: datetime, *, limit: int = BATCH) -> int:
    """Files that came before then are gone, at most *limit*; their messages stay and say so.  Raises: Moved."""
    rows = await c.fetch(
        """
        select f.id, f.message, f.object, m.id, m.chat from media f left join messages m on m.tenant = f.tenant and m.id = f.message
         where f.tenant = $1 and f.created_at < $2 and f.object is not null and f.message is not null order by f.created_at limit $3
        """,
        tenant,
        before,
        limit,
    )
    if not rows:
        return 0
    await chats.lock(c, {(tenant, row[4]) for row in rows if row[4] is not None})
    await c.execute(
        """
        update media set state = 'expired', reason = 'retention', object = null, source = null, facts = null
         where tenant = $1 and id = any($2::uuid[])
        """,
        tenant,
        [row[0] for row in rows],
    )
    await c.execute(
        """
        update messages
           set media = (media - 'object' - 'preview' - 'sha256') || '{"state": "expired", "reason": "retention", "picture": false}'
         where tenant = $1 and id = any($2::uuid[]) and media is not null
        """,
        tenant,
        [row[3] for row in rows if row[3] is not None],
    )
    await released.release(c, tenant, [row[2] for row in rows])
    return len(rows)
