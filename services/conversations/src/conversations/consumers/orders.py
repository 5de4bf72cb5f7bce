"""The durable ``conversations-orders``: what the bot and the automations have written into chats, and do to them.

Each order is one transaction, done once: the inbox knows it, and the id of what it writes comes from its own.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog
from contracts import ids, subjects
from contracts.commands import ChangeChat, WriteMessage
from contracts.envelope import Envelope
from contracts.ids import ChatId, MessageId, TenantId, UserId
from servicekit import inbox, outbox
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from conversations import store
from conversations.consumers import metrics
from conversations.domain.allowance import AccountSuspended, MessageLimit
from conversations.domain.errors import ChatMissing, ContactBlocked, FactUnusable
from conversations.domain.messages import LONGEST_TEXT, clean
from conversations.store import chats, devices, media, moves, people, reading, tags, writing
from conversations.store.chats import Held
from conversations.store.media import Medium
from conversations.store.moves import Move

DURABLE = "conversations-orders"

log = structlog.get_logger()

Sees = Callable[[UserId, Held], bool]
"""Tells whether somebody sees the number of a chat."""


def consumer(db: Database, *, expiry: timedelta, sees: Sees) -> Consumer:
    """Describe the durable. Tenants do not wait for each other.

    Args:
        expiry: After this time a message that could not be sent is not sent any more.
    """
    return Consumer(
        durable=DURABLE,
        stream=subjects.COMMANDS,
        bodies=(WriteMessage, ChangeChat),
        handle=handler(db, expiry=expiry, sees=sees),
        batch=20,
        concurrency=4,
    )


def handler(db: Database, *, expiry: timedelta, sees: Sees) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler. A message that comes too late, over a human or over what the account may write is dropped, and counted."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        for envelope in envelopes:
            await store.persistently(partial(_carry_out, db, envelope, expiry, sees))

    return handle


async def _carry_out(db: Database, envelope: Envelope[Any], expiry: timedelta, sees: Sees) -> None:
    async with db.transaction(envelope.tenant) as tx:
        if not await inbox.fresh(tx, DURABLE, [envelope]):
            return
        c = await raw(tx)
        held = await _hold(c, envelope.tenant, envelope.data.chat)
        now = datetime.now(UTC)
        match envelope.data:
            case WriteMessage() as order:
                told = await _write(c, held, order, envelope, now + expiry)
            case ChangeChat() as order:
                told = await _change(c, held, order, envelope, sees)
            case other:
                raise TypeError(f"Nobody here handles {type(other).__name__}.")
        await outbox.add(tx, *told)


async def _hold(c: asyncpg.Connection, tenant: TenantId, id: ChatId) -> Held:
    chat = await reading.chat_id(c, tenant, id)
    if chat is None:
        raise ChatMissing
    return (await chats.lock(c, [(tenant, chat)]))[chat]


async def _write(
    c: asyncpg.Connection, held: Held, order: WriteMessage, envelope: Envelope[Any], expires_at: datetime
) -> list[Envelope[Any]]:
    text = clean(order.text)
    text = text if text is not None and text.strip() else None
    if (text is None and order.media is None) or len(text or "") > LONGEST_TEXT:
        raise FactUnusable("There is nothing to write.")
    now = datetime.now(UTC)
    answered, since = held.standing.answered_at, order.unless_answered_since
    if order.not_after is not None and now > order.not_after:
        why = "order-late"
    # WhatsApp's own times are whole seconds: what was said in the second of the customer's message may have been said before it.
    elif since is not None and answered is not None and answered.replace(microsecond=0) > since:
        why = "order-answered"
    elif await devices.standing(c, held.tenant, held.device) is False:
        why = "order-number-gone"
    elif order.media is not None and (file := await _file(c, held.tenant, order.media, envelope)) is None:
        why = "order-file-gone"
    else:
        medium = file if order.media is not None else None
        try:
            row, told = await writing.queue(
                c,
                held,
                author=None,
                kind="text" if medium is None else medium.kind,
                text=text,
                media=None if medium is None else msgspec.json.encode(medium.facts).decode(),
                at=now,
                expires_at=expires_at,
                origin=order.origin,
                id=MessageId(ids.derived("message", envelope.id)),
            )
        except (AccountSuspended, MessageLimit, ContactBlocked) as problem:
            why = f"order-{problem.code}"
        else:
            if medium is not None:
                await media.use(c, held.tenant, medium.id, row)
            return told
    metrics.IGNORED.labels(why).inc()
    log.info("an order was dropped", why=why, order=str(envelope.id), origin=order.origin)
    return []


async def _file(c: asyncpg.Connection, tenant: TenantId, id: UUID, envelope: Envelope[Any]) -> Medium | None:
    """Give the file for one more message: an upload is one message's, and what a rule sends again is the same content once more."""
    found = await media.find(c, tenant, id, lock=True)
    if found is None or found.facts is None or found.state != "ready":
        return None
    if not found.used:
        return found
    again = ids.derived("media", envelope.id)
    copy = replace(
        found,
        id=again,
        message=None,
        scheduled=None,
        device=None,
        facts=msgspec.structs.replace(found.facts, id=again),
        created_at=datetime.now(UTC),
    )
    await media.upload(c, copy)
    return copy


async def _change(c: asyncpg.Connection, held: Held, order: ChangeChat, envelope: Envelope[Any], sees: Sees) -> list[Envelope[Any]]:
    now = datetime.now(UTC)
    after = held.standing
    if order.status is not None and order.status != after.status:
        after = after.turned(order.status, None, now)
    team = order.team if order.team is not None and await people.is_team(c, held.tenant, order.team) else None
    if order.assignee is not None and sees(order.assignee, held) and await people.is_active(c, held.tenant, order.assignee):
        after = after.assigned(order.assignee, team or after.team, "rule", now)
    elif team is not None and team != after.team:
        after = after.assigned(None, team, "rule", now)
    if order.hand_over:
        after = after.handed_over(now)
    tagged, untagged = await tags.change(c, held.tenant, held.id, order.add_tags, order.remove_tags)
    told = await moves.make(c, [Move(held=held, after=after, tagged=tagged, untagged=untagged)], now)
    note = clean(order.note)
    if note is not None and note.strip():
        id = MessageId(ids.derived("note", envelope.id))
        told += (await writing.note(c, held, author=None, text=note[:LONGEST_TEXT], at=now, origin=order.origin, id=id))[1]
    return told
