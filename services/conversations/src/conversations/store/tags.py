"""Tags: what they are called, and which chats bear them."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from contracts.ids import ChatId, TenantId

from conversations.domain.errors import TagMissing, TagTaken, TooMany

MOST = 500
"""Tags of one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One tag; *color* is ``#rrggbb``."""

    id: UUID
    name: str
    color: str


async def every(c: asyncpg.Connection, tenant: TenantId) -> list[Tag]:
    """List the tags by name."""
    rows = await c.fetch("select id, name, color from tags where tenant = $1 order by sought, id", tenant)
    return [Tag(id=row[0], name=row[1], color=row[2]) for row in rows]


async def one(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> Tag:
    """Read one and hold it until the transaction ends.  Raises: TagMissing."""
    row = await c.fetchrow("select id, name, color from tags where tenant = $1 and id = $2 for update", tenant, id)
    if row is None:
        raise TagMissing
    return Tag(id=row[0], name=row[1], color=row[2])


async def add(c: asyncpg.Connection, tenant: TenantId, tag: Tag) -> None:
    """There is one more.  Raises: TagTaken: one of this name, in any case, is here; TooMany."""
    if await c.fetchval("select count(*) from tags where tenant = $1", tenant) >= MOST:
        raise TooMany(f"An account can have {MOST} tags.")
    added = await c.fetchval(
        "insert into tags (tenant, id, name, color) values ($1, $2, $3, $4) on conflict do nothing returning true",
        tenant,
        tag.id,
        tag.name,
        tag.color,
    )
    if not added:
        raise TagTaken


async def save(c: asyncpg.Connection, tenant: TenantId, tag: Tag) -> None:
    """It is called and coloured like this.  Raises: TagTaken."""
    try:
        await c.execute("update tags set name = $3, color = $4 where tenant = $1 and id = $2", tenant, tag.id, tag.name, tag.color)
    except asyncpg.UniqueViolationError as error:
        raise TagTaken from error


async def delete(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """It is no more, and no chat or contact bears it."""
    await c.execute("delete from chat_tags where tenant = $1 and tag = $2", tenant, id)
    await c.execute("delete from contact_tags where tenant = $1 and tag = $2", tenant, id)
    await c.execute("delete from tags where tenant = $1 and id = $2", tenant, id)


async def known(c: asyncpg.Connection, tenant: TenantId, tags: Collection[UUID]) -> set[UUID]:
    """Hold those of *tags* that are here, against being deleted meanwhile, and give them."""
    rows = await c.fetch("select id from tags where tenant = $1 and id = any ($2::uuid[]) order by id for share", tenant, list(tags))
    return {row[0] for row in rows}


async def of_chat(c: asyncpg.Connection, tenant: TenantId, chat: ChatId) -> set[UUID]:
    """Read which tags a chat bears."""
    return {row[0] for row in await c.fetch("select tag from chat_tags where tenant = $1 and chat = $2", tenant, chat)}


async def change(
    c: asyncpg.Connection, tenant: TenantId, chat: ChatId, add: Collection[UUID], remove: Collection[UUID]
) -> tuple[set[UUID], set[UUID]]:
    """The chat (held by the caller) bears those of *add* that are here, and none of *remove*; returns what came and what went."""
    before = await of_chat(c, tenant, chat)
    after = (before - set(remove)) | await known(c, tenant, set(add) - before) | (set(add) & before)
    if before - after:
        await c.execute(
            "delete from chat_tags where tenant = $1 and chat = $2 and tag = any ($3::uuid[])", tenant, chat, list(before - after)
        )
    if after - before:
        await c.execute(
            "insert into chat_tags (tenant, chat, tag) select $1, $2, tag from unnest($3::uuid[]) as tag on conflict do nothing",
            tenant,
            chat,
            list(after - before),
        )
    return after - before, before - after
