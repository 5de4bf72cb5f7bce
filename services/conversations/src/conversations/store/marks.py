"""What each agent keeps of a chat for himself: how far he has read, whether it is pinned, and whether he wants to come back to it."""

import asyncpg
from contracts.ids import ChatId, TenantId, UserId

from conversations.domain.errors import TooMany

PINS = 100
"""Chats that one agent can pin."""


async def read(c: asyncpg.Connection, tenant: TenantId, agent: UserId, chat: ChatId) -> bool:
    """The agent has seen everything that is in the chat (held by the caller); tells whether he had it marked as unread."""
    marked: bool | None = await c.fetchval(
        "select unread_at is not null from chat_marks where tenant = $1 and agent = $2 and chat = $3", tenant, agent, chat
    )
    await c.execute(
        """
        insert into chat_marks as k (tenant, agent, chat, read_at)
        select $1, $2, h.id, greatest(h.last_message_at, h.asked_at) from chats h where h.tenant = $1 and h.id = $3
        on conflict (tenant, agent, chat) do update set read_at = greatest(k.read_at, excluded.read_at), unread_at = null
        """,
        tenant,
        agent,
        chat,
    )
    return bool(marked)


async def unread(c: asyncpg.Connection, tenant: TenantId, agent: UserId, chat: ChatId) -> bool:
    """The agent has the chat marked as unread, until he reads it; False where he had."""
    return bool(
        await c.fetchval(
            """
            insert into chat_marks as k (tenant, agent, chat, unread_at) values ($1, $2, $3, now())
            on conflict (tenant, agent, chat) do update set unread_at = excluded.unread_at where k.unread_at is null
            returning true
            """,
            tenant,
            agent,
            chat,
        )
    )


async def pin(c: asyncpg.Connection, tenant: TenantId, agent: UserId, chat: ChatId, pinned: bool) -> None:
    """The agent has the chat pinned, or not.  Raises: TooMany."""
    if not pinned:
        await c.execute("update chat_marks set pinned_at = null where tenant = $1 and agent = $2 and chat = $3", tenant, agent, chat)
        return
    others = "select count(*) from chat_marks where tenant = $1 and agent = $2 and chat <> $3 and pinned_at is not null"
    if await c.fetchval(others, tenant, agent, chat) >= PINS:
        raise TooMany(f"An agent can pin {PINS} chats.")
    await c.execute(
        """
        insert into chat_marks as k (tenant, agent, chat, pinned_at) values ($1, $2, $3, now())
        on conflict (tenant, agent, chat) do update set pinned_at = coalesce(k.pinned_at, excluded.pinned_at)
        """,
        tenant,
        agent,
        chat,
    )
