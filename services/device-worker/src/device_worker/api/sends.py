"""The queue of sends of a number: what waits and why, and taking out what has not started."""

from datetime import UTC, datetime
from typing import Annotated

from contracts.edge import PublicMessageId
from contracts.principal import Scope
from contracts.whatsapp import AddressKind
from fastapi import APIRouter, Query
from pydantic import BaseModel
from servicekit import cursors
from servicekit.http import Admin, Cursor, Doer, Limit, Page, needs, problems

from device_worker.api.parts import Db, Seen
from device_worker.domain import DeviceMissing, SendMissing, SendStarted
from device_worker.store import devices, queue
from device_worker.store.queue import Status, Waiting

_VIEW = "sends"
_AT_ONCE = 500
_MOST = 50_000

routes = APIRouter()


class SendRecipient(BaseModel):
    """To whom it goes."""

    kind: AddressKind
    value: str


class SendView(BaseModel):
    """A message on its way out.

    Attributes:
        status: ``queued``: it has not started; ``unknown``: nobody knows whether it went; ``failed``: it did not, of the last days.
        reason: A stable code of why it waits, or how it ended; null where it is simply not its turn.
        until: It is held until then.
        position: Its place among the messages that are queued; 1 goes next.
        to: Null where that is kept no more.
    """

    message_id: PublicMessageId
    status: Status
    reason: str | None
    until: datetime | None
    position: int | None
    age_seconds: int
    made_at: datetime
    expires_at: datetime
    attempts: int
    to: SendRecipient | None

    @classmethod
    def of(cls, send: Waiting, now: datetime) -> "SendView":
        """Show *send*."""
        return cls(
            message_id=send.id,
            status=send.status,
            reason=send.reason,
            until=send.until,
            position=send.position,
            age_seconds=max(int((now - send.made_at).total_seconds()), 0),
            made_at=send.made_at,
            expires_at=send.expires_at,
            attempts=send.attempts,
            to=None if send.to is None else SendRecipient(kind=send.to.kind, value=send.to.value),
        )


class SendQueue(Page[SendView]):
    """A part of the queue.

    Attributes:
        queued: How many messages wait in all.
        oldest_at: Since when the oldest of them does.
        reasons: How many wait for which reason.
    """

    queued: int
    oldest_at: datetime | None
    reasons: dict[str, int]


class SendsCancelled(BaseModel):
    """How many messages were taken out."""

    cancelled: int


@routes.get("/{id}/sends", responses=problems(DeviceMissing, cursors.BadCursor))
async def list_sends(
    id: Seen,
    caller: Admin,
    db: Db,
    status: Annotated[
        list[Status] | None, Query(max_length=4, description="Of these alone; else what is queued, on its way or unknown.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SendQueue:
    """List what is to be sent, in the order in which it goes, with why it waits."""
    wanted = sorted(set(status or queue.SHOWN))
    view = f"{_VIEW} {id} {wanted}"
    after = cursors.decode(caller.tenant, view, cursor, tuple[int])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        await devices.find(tx, caller.tenant, id)
        found = await queue.page(tx, caller.tenant, id, wanted, after, limit + 1)
        depth = await queue.depth(tx, caller.tenant, id)
    more = cursors.encode(caller.tenant, view, (found[limit - 1].seq,)) if len(found) > limit else None
    now = datetime.now(UTC)
    return SendQueue(
        items=[SendView.of(send, now) for send in found[:limit]],
        next_cursor=more,
        queued=depth.queued,
        oldest_at=depth.oldest_at,
        reasons=depth.reasons,
    )


@routes.delete("/{id}/sends/{message}", status_code=204, responses=problems(DeviceMissing, SendMissing, SendStarted))
@needs(Scope.CONTROL)
async def cancel_send(id: Seen, message: PublicMessageId, caller: Admin, db: Db) -> None:
    """Take a message out that has not started: it fails, as cancelled."""
    async with db.transaction(caller.tenant) as tx:
        await devices.find(tx, caller.tenant, id)
        await queue.cancel(tx, caller.tenant, id, message, datetime.now(UTC))


@routes.delete("/{id}/sends", responses=problems(DeviceMissing))
@needs(Scope.CONTROL)
async def cancel_sends(
    id: Seen,
    caller: Admin,
    doer: Doer,
    db: Db,
    reason: Annotated[str | None, Query(max_length=40, pattern="^[a-z-]+$", description="Those alone that wait for this.")] = None,
) -> SendsCancelled:
    """Take everything out that has not started. What is on its way goes."""
    async with db.transaction(caller.tenant) as tx:
        device = await devices.find(tx, caller.tenant, id)
        await devices.ordered(tx, device, "cancel-sends", doer)
    count = 0
    while count < _MOST:
        async with db.transaction(caller.tenant) as tx:
            some = await queue.cancel_all(tx, caller.tenant, id, reason, datetime.now(UTC), _AT_ONCE)
        count += some
        if some < _AT_ONCE:
            break
    return SendsCancelled(cancelled=count)
