"""Messages that are to be sent later; they are made by sending with ``send_at``."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple
from uuid import UUID

from contracts.edge import PublicChatId, PublicScheduledId
from contracts.principal import Principal, Scope
from contracts.views import Scheduled
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, StringConstraints
from servicekit import cursors, outbox
from servicekit.cursors import BadCursor
from servicekit.db import Tx, raw
from servicekit.http import Body, Caller, Cursor, Json, Limit, answer, needs, problems
from servicekit.http.bodies import Storable

from conversations import store
from conversations.api.chats import hold
from conversations.api.shapes import Db
from conversations.domain.errors import ChatMissing, ScheduledMissing, ScheduledOver, ScheduleInvalid
from conversations.domain.messages import CAPTIONED, LONGEST_TEXT
from conversations.store import reading, scheduled
from conversations.store.chats import Held
from conversations.store.scheduled import Later

router = APIRouter(prefix="/api/messages/scheduled", tags=["messages"])

FURTHEST = timedelta(days=366)


class Place(NamedTuple):
    """Where a page ends: the next one to be sent first."""

    at: datetime
    id: UUID


class LaterChange(Body):
    """Another text or another time."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S"), Storable] | None = None
    send_at: AwareDatetime | None = None


def ahead(at: datetime) -> datetime:
    """Give the time in UTC.  Raises: ScheduleInvalid: it has passed, or is more than a year away."""
    now = datetime.now(UTC)
    if not now < at <= now + FURTHEST:
        raise ScheduleInvalid("Choose a time ahead, within a year.")
    return at.astimezone(UTC)


@router.get("", responses=answer(Scheduled, page=True) | problems(ChatMissing, BadCursor))
async def list_scheduled(
    caller: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    chat_id: Annotated[PublicChatId | None, Query(description="Into this chat alone.")] = None,
) -> Json:
    """List what waits to be sent, the next one first."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        chat = None if chat_id is None else await reading.chat_id(c, caller.tenant, chat_id, caller)
        if chat_id is not None and chat is None:
            raise ChatMissing
        name = f"scheduled?chat={chat}"
        after = cursors.decode(caller.tenant, name, cursor, Place) if cursor else None
        rows = await scheduled.waiting(c, caller, limit=limit + 1, after=after, chat=chat)
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    following = last and cursors.encode(caller.tenant, name, (last.send_at, UUID(int=last.id.int)))
    return Json({"items": [scheduled.view(row) for row in rows[:limit]], "next_cursor": following})


@router.patch("/{id}", responses=answer(Scheduled) | problems(ScheduledMissing, ScheduledOver, ScheduleInvalid))
@needs(Scope.SEND)
async def change_scheduled(id: PublicScheduledId, body: LaterChange, caller: Caller, db: Db) -> Json:
    """Change what is to be sent, or when."""

    async def once() -> Json:
        async with db.transaction(caller.tenant) as tx:
            before, held = await _hold(tx, caller, id)
            if body.text is not None and before.media is not None and before.kind not in CAPTIONED:
                raise ScheduleInvalid(f"A message of the kind {before.kind} has no caption.")
            send_at = before.send_at if body.send_at is None else ahead(body.send_at)
            after = replace(before, text=body.text or before.text, send_at=send_at)
            await outbox.add(tx, *await scheduled.save(await raw(tx), after, held))
            return Json(scheduled.view(after))

    return await store.persistently(once)


@router.delete("/{id}", responses=answer(Scheduled) | problems(ScheduledMissing, ScheduledOver))
@needs(Scope.SEND)
async def cancel_scheduled(id: PublicScheduledId, caller: Caller, db: Db) -> Json:
    """Cancel what waits: it is not sent."""

    async def once() -> Json:
        async with db.transaction(caller.tenant) as tx:
            before, held = await _hold(tx, caller, id)
            await outbox.add(tx, *await scheduled.over(await raw(tx), before, held, "cancelled"))
            return Json(scheduled.view(replace(before, state="cancelled")))

    return await store.persistently(once)


async def _hold(tx: Tx, caller: Principal, id: UUID) -> tuple[Later, Held]:
    c = await raw(tx)
    chat = await scheduled.chat_of(c, caller.tenant, id)
    if chat is None:
        raise ScheduledMissing
    try:
        held = await hold(c, caller, chat)
    except ChatMissing as error:
        raise ScheduledMissing from error
    later = await scheduled.one(c, caller.tenant, id)
    if later.state != "waiting":
        raise ScheduledOver
    return later, held
