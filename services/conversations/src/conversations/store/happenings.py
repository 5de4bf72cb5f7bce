"""What happened to chats: kept as long as their messages, and shown between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.ids import ChatId, TenantId
from contracts.principal import Actor
from contracts.views import Happening

from conversations.domain.happenings import Deed

MOST = 500
"""That stand beside one page of messages: of more the newest."""

_COLUMNS = "tenant, id, chat, at, kind, assignee, previous, team, tags, until, way, actor, by_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row; with `by_key` the actor is an API key."""

    tenant: TenantId
    id: UUID
    chat: ChatId
    at: datetime
    deed: Deed
    actor: UUID | None = None
    by_key: bool = False


def entry(tenant: TenantId, chat: ChatId, at: datetime, deed: Deed, actor: Actor | None) -> Entry:
    """Say that *deed* happened to the chat, by *actor*; None: a message, time or a rule did it."""
    by_key = actor is not None and actor.kind == "key"
    return Entry(tenant=tenant, id=ids.new(), chat=chat, at=at, deed=deed, actor=None if actor is None else actor.id, by_key=by_key)


async def add(c: asyncpg.Connection, some: Sequence[Entry]) -> None:
    """These stand in the story of their chats."""
    if not some:
        return
    await c.executemany(
        f"insert into happenings ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",  # noqa: S608
        [
            (
                *(one.tenant, one.id, one.chat, one.at, one.deed.kind, one.deed.assignee, one.deed.previous, one.deed.team),
                *(list(one.deed.tags), one.deed.until, one.deed.way, one.actor, one.by_key),
            )
            for one in some
        ],
    )


async def between(
    c: asyncpg.Connection, tenant: TenantId, chat: ChatId, since: datetime | None = None, until: datetime | None = None
) -> list[Entry]:
    """Read what happened to a chat from *since* on and before *until*, newest first, up to `MOST`; None: no limit on that side."""
    rows = await c.fetch(
        f"""
        select {_COLUMNS} from happenings
         where tenant = $1 and chat = $2 and at >= coalesce($3, '-infinity'::timestamptz) and at < coalesce($4, 'infinity'::timestamptz)
         order by at desc, id desc limit {MOST}
        """,  # noqa: S608
        tenant,
        chat,
        since,
        until,
    )
    return [_entry(row) for row in rows]


async def move(c: asyncpg.Connection, tenant: TenantId, kept: ChatId, gone: ChatId) -> None:
    """What happened to the chat *gone* happened to *kept*."""
    await c.execute("update happenings set chat = $2 where tenant = $1 and chat = $3", tenant, kept, gone)


async def remove_old(c: asyncpg.Connection, tenant: TenantId, before: datetime, *, limit: int) -> int:
    """What happened before then is gone, at most *limit*."""
    tag = await c.execute(
        "delete from happenings where tenant = $1 and id in (select id from happenings where tenant = $1 and at < $2 order by at limit $3)",
        tenant,
        before,
        limit,
    )
    return int(tag.rpartition(" ")[2])


def view(one: Entry) -> Happening:
    """Show it."""
    deed = one.deed
    return Happening(
        id=ids.public(ids.HAPPENING, one.id),
        kind=deed.kind,
        at=one.at,
        actor_id=_public(ids.KEY if one.by_key else ids.USER, one.actor),
        assignee_id=_public(ids.USER, deed.assignee),
        previous_id=_public(ids.USER, deed.previous),
        team_id=_public(ids.TEAM, deed.team),
        tags=tuple(ids.public(ids.TAG, tag) for tag in deed.tags),
        until=deed.until,
        way=deed.way,
    )


def _entry(row: asyncpg.Record) -> Entry:
    deed = Deed(
        kind=row["kind"],
        assignee=row["assignee"],
        previous=row["previous"],
        team=row["team"],
        tags=tuple(row["tags"]),
        until=row["until"],
        way=row["way"],
    )
    return Entry(tenant=row["tenant"], id=row["id"], chat=row["chat"], at=row["at"], deed=deed, actor=row["actor"], by_key=row["by_key"])


def _public(prefix: str, id: UUID | None) -> str | None:
    return None if id is None else ids.public(prefix, id)
