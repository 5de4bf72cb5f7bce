"""Canned replies."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg
from contracts.ids import ChatId, TenantId, UserId

from conversations.domain.errors import ReplyMissing, ShortcutTaken, TooMany
from conversations.domain.replies import first

MOST = 500
"""Canned replies of one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A text that is at hand under its shortcut."""

    id: UUID
    shortcut: str
    text: str


async def every(c: asyncpg.Connection, tenant: TenantId) -> list[Reply]:
    """List them by shortcut."""
    rows = await c.fetch("select id, shortcut, text from replies where tenant = $1 order by shortcut", tenant)
    return [Reply(id=row[0], shortcut=row[1], text=row[2]) for row in rows]


async def one(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> Reply:
    """Read one.  Raises: ReplyMissing."""
    row = await c.fetchrow("select id, shortcut, text from replies where tenant = $1 and id = $2", tenant, id)
    if row is None:
        raise ReplyMissing
    return Reply(id=row[0], shortcut=row[1], text=row[2])


async def add(c: asyncpg.Connection, tenant: TenantId, reply: Reply) -> None:
    """There is one more.  Raises: ShortcutTaken, TooMany."""
    if await c.fetchval("select count(*) from replies where tenant = $1", tenant) >= MOST:
        raise TooMany(f"An account can have {MOST} canned replies.")
    added = await c.fetchval(
        "insert into replies (tenant, id, shortcut, text) values ($1, $2, $3, $4) on conflict do nothing returning true",
        tenant,
        reply.id,
        reply.shortcut,
        reply.text,
    )
    if not added:
        raise ShortcutTaken


async def save(c: asyncpg.Connection, tenant: TenantId, reply: Reply) -> None:
    """It says this.  Raises: ShortcutTaken."""
    try:
        await c.execute(
            "update replies set shortcut = $3, text = $4 where tenant = $1 and id = $2", tenant, reply.id, reply.shortcut, reply.text
        )
    except asyncpg.UniqueViolationError as error:
        raise ShortcutTaken from error


async def delete(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """It is no more."""
    await c.execute("delete from replies where tenant = $1 and id = $2", tenant, id)


async def values(c: asyncpg.Connection, tenant: TenantId, chat: ChatId, agent: UserId) -> dict[str, str | None]:
    """Read what the variables stand for in a chat."""
    row = await c.fetchrow(
        """
        select k.name, k.phone, a.name, d.name from chats h
          left join contacts k on k.tenant = h.tenant and k.id = h.contact
          left join agents a on a.tenant = h.tenant and a.id = $3
          left join devices d on d.tenant = h.tenant and d.id = h.device
         where h.tenant = $1 and h.id = $2
        """,
        tenant,
        chat,
        agent,
    )
    contact, phone, called, number = row or (None, None, None, None)
    return {
        "contact.name": contact,
        "contact.first_name": first(contact),
        "contact.phone": phone,
        "agent.name": called,
        "agent.first_name": first(called),
        "number.name": number,
    }
