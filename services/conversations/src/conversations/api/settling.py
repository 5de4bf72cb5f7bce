"""What an agent does about a message that did not arrive: he sends it again, or says what became of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import asyncpg
import msgspec
from contracts.edge import PublicMessageId
from contracts.ids import MessageId
from contracts.principal import Principal, Scope
from contracts.views import Message, MessageStatus
from fastapi import APIRouter
from servicekit import outbox
from servicekit.db import raw
from servicekit.http import Body, Caller, Json, answer, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations import store
from conversations.api.chats import hold
from conversations.api.shapes import Db, Settings
from conversations.domain.allowance import AccountSuspended, MessageLimit
from conversations.domain.errors import ChatMissing, ContactBlocked, DeviceMissing, MessageMissing, NotFailed, NotUnknown
from conversations.store import devices, messages, reading, writing
from conversations.store.chats import Held
from conversations.store.messages import More, Row, view

router = APIRouter(prefix="/api/messages", tags=["messages"])


class Settled(Body):
    """What became of it, as the agent sees on the phone or hears from the customer."""

    outcome: Literal["sent", "not_sent"]


@router.post(
    "/{id}/resend",
    status_code=202,
    responses=answer(Message, status=202, description="A new message waits to be sent, in the place of the one that failed.")
    | problems(MessageMissing, NotFailed, DeviceMissing, ContactBlocked, AccountSuspended, MessageLimit, InFlight, Mismatch),
)
@needs(Scope.SEND)
async def resend(id: PublicMessageId, caller: Caller, idem: Idempotent, db: Db, settings: Settings) -> Response:
    """Send a message again that failed, or that the customer's phone could not read. It stays as it is, and the new one names it."""

    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c = await raw(tx)
            failed, held = await _hold(c, caller, id)
            if not (failed.status is MessageStatus.FAILED or failed.ours().is_unreadable) or await messages.is_resent(c, failed):
                raise NotFailed("It has not failed, or has been sent again already.")
            if await devices.standing(c, caller.tenant, held.device) is False:
                raise DeviceMissing("This number has been removed from the account.")
            quoted = None if failed.quoted is None else await reading.message(c, caller.tenant, failed.quoted)
            now = datetime.now(UTC)
            row, told = await writing.queue(
                c,
                held,
                author=caller.id,
                by_key=caller.kind == "key",
                kind=failed.kind,
                text=failed.text,
                media=failed.media,
                more=None if failed.more is None else msgspec.json.decode(failed.more, type=More),
                at=now,
                expires_at=now + settings.send_expiry,
                quoted=quoted if quoted is not None and quoted.wa_id is not None and quoted.chat == held.id else None,
                resend_of=failed.id,
            )
            await outbox.add(tx, *told)
            return await idem.finish(tx, 202, msgspec.json.encode(view(row)))

    return await store.persistently(once)


@router.post("/{id}/settle", responses=answer(Message) | problems(MessageMissing, NotUnknown))
@needs(Scope.SEND)
async def settle(id: PublicMessageId, body: Settled, caller: Caller, db: Db) -> Json:
    """Say what became of a message of which nobody knows whether it was sent; one that was not can be sent again."""

    async def once() -> Json:
        async with db.transaction(caller.tenant) as tx:
            c = await raw(tx)
            row, held = await _hold(c, caller, id)
            if row.status is not MessageStatus.UNKNOWN:
                raise NotUnknown
            ours = row.ours()
            after = ours.received(MessageStatus.SENT) if body.outcome == "sent" else ours.denied()
            await messages.save(c, [after])
            settled = replace(row, status=after.status, reason=after.reason)
            await outbox.add(tx, writing.advanced(settled, datetime.now(UTC), held.audience))
            return Json(view(settled))

    return await store.persistently(once)


async def _hold(c: asyncpg.Connection, caller: Principal, id: MessageId) -> tuple[Row, Held]:
    """Hold the chat of a message of ours, and read the message.  Raises: MessageMissing."""
    found = await reading.message(c, caller.tenant, id, caller)
    if found is None or not found.from_me:
        raise MessageMissing
    try:
        held = await hold(c, caller, found.chat)
    except ChatMissing as error:
        raise MessageMissing from error
    row = await reading.message(c, caller.tenant, found.id)
    if row is None:
        raise store.Moved
    return row, held
