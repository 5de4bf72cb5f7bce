"""Messages that are to be sent later."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import ScheduleChanged
from contracts.ids import ChatId, MessageId, TenantId, UserId
from contracts.principal import Principal
from contracts.views import Scheduled
from contracts.whatsapp import MessageKind

from conversations.domain.errors import ScheduledMissing
from conversations.store import media
from conversations.store.chats import Held
from conversations.store.messages import media_view

State = Literal["waiting", "sent", "cancelled", "failed"]

_COLUMNS = (
    "s.tenant, s.id, s.chat, s.author, s.by_key, s.text, s.quoted, s.send_at, s.state, s.message, s.reason, s.media, f.kind, f.facts::text"
)
_BESIDE = "scheduled s left join media f on f.tenant = s.tenant and f.id = s.media and f.scheduled = s.id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """One of them; with *by_key* the author is an API key.

    Attributes:
        media: The file that goes with it; *kind* and *file* say what it is, while it waits.
    """

    tenant: TenantId
    id: UUID
    chat: ChatId
    author: UserId
    by_key: bool
    text: str
    quoted: MessageId | None
    send_at: datetime
    state: State = "waiting"
    message: MessageId | None = None
    reason: str | None = None
    media: UUID | None = None
    kind: MessageKind = "text"
    file: str | None = None


async def add(c: asyncpg.Connection, one: Later, held: Held) -> list[Envelope[Any]]:
    """It waits for its time; returns what is told of it."""
    await c.execute(
        """
        insert into scheduled (tenant, id, chat, author, by_key, text, quoted, send_at, media)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        one.tenant,
        one.id,
        one.chat,
        one.author,
        one.by_key,
        one.text,
        one.quoted,
        one.send_at,
        one.media,
    )
    if one.media is not None:
        await media.wait(c, one.tenant, one.media, one.id)
    return [_told(one, held)]


async def save(c: asyncpg.Connection, one: Later, held: Held) -> list[Envelope[Any]]:
    """It says this, at that time; returns what is told of it."""
    await c.execute("update scheduled set text = $3, send_at = $4 where tenant = $1 and id = $2", one.tenant, one.id, one.text, one.send_at)
    return [_told(one, held)]


async def over(
    c: asyncpg.Connection, one: Later, held: Held | None, state: State, *, message: MessageId | None = None, reason: str | None = None
) -> list[Envelope[Any]]:
    """It waits no longer, and where it was not sent its file is gone; returns what is told of it."""
    if one.media is not None and state != "sent":
        await media.drop_scheduled(c, one.tenant, [one.id])
    await c.execute(
        "update scheduled set state = $3, message = $4, reason = $5 where tenant = $1 and id = $2",
        one.tenant,
        one.id,
        state,
        message,
        reason,
    )
    return [_told(replace(one, state=state, message=message, reason=reason), held)]


async def chat_of(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> ChatId | None:
    """Tell into which chat it is to be sent; None where the chat is no more."""
    found: ChatId | None = await c.fetchval(
        "select h.id from scheduled s join chats h on h.tenant = s.tenant and h.id = s.chat where s.tenant = $1 and s.id = $2", tenant, id
    )
    return found


async def one(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> Later:
    """Read one and hold it until the transaction ends.  Raises: ScheduledMissing."""
    row = await c.fetchrow(f"select {_COLUMNS} from {_BESIDE} where s.tenant = $1 and s.id = $2 for update of s", tenant, id)  # noqa: S608
    if row is None:
        raise ScheduledMissing
    return _later(row)


async def due(c: asyncpg.Connection, now: datetime, *, limit: int) -> list[tuple[TenantId, UUID]]:
    """Read which are due, the earliest first. As the system role, for all accounts."""
    rows = await c.fetch(
        f"select tenant, id from scheduled where state = 'waiting' and send_at <= $1 order by send_at, id limit {int(limit)}",  # noqa: S608
        now,
    )
    return [(row[0], row[1]) for row in rows]


async def waiting(
    c: asyncpg.Connection,
    seer: Principal,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    chat: ChatId | None = None,
) -> list[Later]:
    """Read up to *limit* that wait in chats that *seer* reads, the next one first, from behind *after*."""
    values: list[object] = [seer.tenant]
    conditions = ""
    if after is not None:
        values += after
        conditions += f" and (s.send_at, s.id) > (${len(values) - 1}, ${len(values)})"
    if chat is not None:
        values.append(chat)
        conditions += f" and s.chat = ${len(values)}"
    if seer.access.devices is not None:
        values.append(list(seer.access.devices))
        conditions += f" and h.device = any (${len(values)}::uuid[])"
    if seer.access.chats != "all":
        values += [seer.id, list(seer.access.teams) if seer.access.chats == "team" else []]
        conditions += f" and (h.assignee = ${len(values) - 1} or h.team = any (${len(values)}::uuid[]))"
    rows = await c.fetch(
        f"""
        select {_COLUMNS} from {_BESIDE} join chats h on h.tenant = s.tenant and h.id = s.chat
         where s.tenant = $1 and s.state = 'waiting' {conditions} order by s.send_at, s.id limit {int(limit)}
        """,  # noqa: S608  # constants and numbers
        *values,
    )
    return [_later(row) for row in rows]


def view(one: Later) -> Scheduled:
    """Show it."""
    return Scheduled(**_fields(one))


def _told(one: Later, held: Held | None) -> Envelope[Any]:
    return wrap(one.tenant, ScheduleChanged(**_fields(one)), audience=Audience() if held is None else held.audience)


def _fields(one: Later) -> dict[str, Any]:
    return {
        "id": ids.public(ids.SCHEDULED, one.id),
        "chat_id": ids.public(ids.CHAT, one.chat),
        "author_id": ids.public(ids.KEY if one.by_key else ids.USER, one.author),
        "text": one.text,
        "send_at": one.send_at,
        "state": one.state,
        "quoted_id": None if one.quoted is None else ids.public(ids.MESSAGE, one.quoted),
        "message_id": None if one.message is None else ids.public(ids.MESSAGE, one.message),
        "reason": one.reason,
        "kind": one.kind,
        "media": media_view(one.tenant, one.file) if one.file is not None and one.state == "waiting" else None,
    }


def _later(row: asyncpg.Record) -> Later:
    return Later(
        tenant=row[0],
        id=row[1],
        chat=row[2],
        author=row[3],
        by_key=row[4],
        text=row[5],
        quoted=row[6],
        send_at=row[7],
        state=row[8],
        message=row[9],
        reason=row[10],
        media=row[11],
        kind=row[12] or "text",
        file=row[13],
    )
