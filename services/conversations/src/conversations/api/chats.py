"""The inbox: its chats, their messages, and what has been read."""

from datetime import UTC, datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from contracts.edge import PublicChatId, PublicDeviceId
from contracts.ids import ChatId
from contracts.principal import Principal, Scope
from contracts.views import Message
from fastapi import APIRouter, Query
from servicekit import cursors, outbox
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Caller, Cursor, Json, Limit, answer, needs, problems

from conversations import store
from conversations.api import shapes
from conversations.api.shapes import Chat, Db
from conversations.domain.errors import ChatMissing
from conversations.store import chats, reading, writing
from conversations.store.messages import view

router = APIRouter(prefix="/api/chats", tags=["chats"])


class Place(NamedTuple):
    """Where a page ends: in both lists, the newest first."""

    at: datetime
    id: UUID


@router.get("", responses=answer(Chat, page=True) | problems(BadCursor))
async def list_chats(
    caller: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    device_id: Annotated[PublicDeviceId | None, Query(description="Of this number alone.")] = None,
    unread: Annotated[bool | None, Query(description="Only those with (or without) unread messages.")] = None,
    q: Annotated[str | None, Query(max_length=100, description="How the contact's name or phone begins.")] = None,
) -> Json:
    """List the chats, the one with the newest message first."""
    query = (q or "").replace("\0", "").strip()
    name = f"chats?device={device_id}&unread={unread}&q={query}"
    after = cursors.decode(caller.tenant, name, cursor, Place) if cursor else None
    async with db.transaction(caller.tenant) as tx:
        rows = await reading.list_chats(
            await raw(tx),
            caller.tenant,
            limit=limit + 1,
            after=after,
            device=device_id,
            unread=unread,
            query=query,
            devices=caller.access.devices,
        )
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    following = last and cursors.encode(caller.tenant, name, (last.last_message_at, UUID(int=last.id.int)))
    return Json({"items": [shapes.chat(row) for row in rows[:limit]], "next_cursor": following})


@router.get("/{id}", responses=answer(Chat) | problems(ChatMissing))
async def get_chat(id: PublicChatId, caller: Caller, db: Db) -> Json:
    """Show one chat; the id of one that was merged into another shows that one."""
    async with db.transaction(caller.tenant) as tx:
        row = await reading.chat(await raw(tx), caller.tenant, id, caller.access.devices)
    if row is None:
        raise ChatMissing
    return Json(shapes.chat(row))


@router.get("/{id}/messages", responses=answer(Message, page=True) | problems(ChatMissing, BadCursor))
async def list_messages(id: PublicChatId, caller: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """List the messages of a chat, newest first."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        chat = await reading.chat_id(c, caller.tenant, id, caller.access.devices)
        if chat is None:
            raise ChatMissing
        name = f"messages?chat={chat}"
        after = cursors.decode(caller.tenant, name, cursor, Place) if cursor else None
        rows = await reading.list_messages(c, caller.tenant, chat, limit=limit + 1, after=after)
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    following = last and cursors.encode(caller.tenant, name, (last.at, UUID(int=last.id.int)))
    return Json({"items": [view(row) for row in rows[:limit]], "next_cursor": following})


@router.post("/{id}/read", responses=answer(Chat) | problems(ChatMissing))
@needs(Scope.SEND)
async def read(id: PublicChatId, caller: Caller, db: Db) -> Json:
    """Nothing in the chat is unread any more, for everybody here, and the other side sees blue ticks. Repeating it changes nothing."""
    return await store.persistently(lambda: _read(db, caller, id))


async def _read(db: Db, caller: Principal, id: ChatId) -> Json:
    tenant = caller.tenant
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        chat = await reading.chat_id(c, tenant, id, caller.access.devices)
        if chat is None:
            raise ChatMissing
        held = (await chats.lock(c, [(tenant, chat)]))[chat]
        told = await writing.read(c, held, datetime.now(UTC))
        if told:
            await outbox.add(tx, *told)
        row = await reading.chat(c, tenant, chat)
    if row is None:
        raise ChatMissing
    return Json(shapes.chat(row))
