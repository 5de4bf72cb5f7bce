"""The queue of what is to be sent, device by device in the order of its coming.

``queued`` → ``sending`` (with the fencing token, committed before the library is called) → ``sent`` or ``failed``; or
``unknown``, when nobody can say. What is unknown is never sent again from here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from contracts.commands import MarkRead, SendMessage
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.devices import MessageSent, MessageUnsent
from contracts.ids import DeviceId, MessageId, TenantId
from contracts.whatsapp import Address
from servicekit import outbox
from servicekit.db import Tx, raw

from device_worker.shards import shard_of
from device_worker.store import wakes
from device_worker.store.fences import Fenced

#: A read mark that could not be delivered for so long helps nobody.
READ_LIVES = timedelta(hours=24)
_DONE_LIVES = timedelta(days=8)

_message = msgspec.json.Decoder(SendMessage)
_read = msgspec.json.Decoder(MarkRead)

Outcome = Literal["sent", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Send:
    """One row that this worker has in hand."""

    tenant: TenantId
    id: UUID
    device: DeviceId
    order: SendMessage | MarkRead
    attempts: int
    expires_at: datetime


async def insert(tx: Tx, orders: Sequence[Envelope[Any]]) -> None:
    """Queue the orders in their order and wake the owners; what is here already stays as it is.

    An order for a device that is gone fails at once, and says so.
    """
    connection = await raw(tx)
    known = {
        row["id"]
        for row in await connection.fetch(
            "select id from devices where tenant = any($1::uuid[]) and id = any($2::uuid[]) and wanted <> 'deleted'",
            list({order.tenant for order in orders}),
            list({order.data.device for order in orders}),
        )
    }
    rows, gone, shards = [], [], {}
    for order in orders:
        body = order.data
        if body.device not in known:
            if isinstance(body, SendMessage):
                gone.append(_unsent(order.tenant, body, "failed", "device-not-found", order.occurred_at))
            continue
        message = isinstance(body, SendMessage)
        shards[body.device] = shard_of(body.device)
        rows.append(
            (
                order.tenant,
                body.message if message else order.id,
                body.device,
                shards[body.device],
                "message" if message else "read",
                msgspec.json.encode(body),
                body.expires_at if message else order.occurred_at + READ_LIVES,
            )
        )
    if rows:
        await connection.execute(
            "insert into sends (tenant, id, device, shard, kind, status, payload, expires_at) "
            "select tenant, id, device, shard, kind, 'queued', payload, expires_at from unnest("
            "$1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::text[], $6::bytea[], $7::timestamptz[]) "
            "with ordinality as new (tenant, id, device, shard, kind, payload, expires_at, place) order by place on conflict do nothing",
            *map(list, zip(*rows, strict=True)),
        )
    await outbox.add(tx, *gone)
    for device, shard in shards.items():
        await wakes.wake(tx, wakes.SENDS, shard, device)


async def put_back(tx: Tx, shard: int, fence: int, device: DeviceId) -> None:
    """Queue again what this owner marked without having it in hand: the commit that marked it seemed to fail."""
    await (await raw(tx)).execute(
        "update sends set status = 'queued', fence = null, changed_at = now() "
        "where shard = $1 and device = $3 and status = 'sending' and fence = $2",
        shard,
        fence,
        device,
    )


async def take(tx: Tx, shard: int, fence: int, device: DeviceId) -> Send | datetime | None:
    """Mark the device's first waiting row as being sent and give it.

    Returns:
        The time before which the first row must wait, when it must; None when nothing waits.

    Raises:
        Fenced: The shard is another worker's.
    """
    row = await (await raw(tx)).fetchrow(
        # One round trip, since a customer waits for it: the shard's row is locked, so no newer owner can come between.
        "with mine as (select 1 from shards where shard = $1 and fence = $2 for share), "
        "first as (select tenant, id, not_before from sends where shard = $1 and device = $3 and status = 'queued' order by seq limit 1 "
        "for update), "
        "taken as (update sends set status = 'sending', fence = $2, attempts = attempts + 1, changed_at = now() from first "
        "where sends.tenant = first.tenant and sends.id = first.id and exists (select from mine) "
        "and (first.not_before is null or first.not_before <= now()) "
        "returning sends.tenant, sends.id, sends.device, sends.kind, sends.payload, sends.attempts, sends.expires_at) "
        "select (select count(*) from mine) as mine, first.not_before, taken.* from (select 1) as one "
        "left join first on true left join taken on true",
        shard,
        fence,
        device,
    )
    if not row["mine"]:
        raise Fenced(f"Shard {shard} has another owner.")
    return _send(row) if row["id"] is not None else row["not_before"]


async def waiting(tx: Tx, shards: Iterable[int]) -> list[DeviceId]:
    """Name the devices of *shards* for which something waits."""
    rows = await (await raw(tx)).fetch(
        "select distinct device from sends where shard = any($1::smallint[]) and status = 'queued'", list(shards)
    )
    return [DeviceId(row["device"]) for row in rows]


async def again(tx: Tx, send: Send, fence: int, after: timedelta) -> None:
    """Put it back in its place: it certainly did not leave. Its successors wait with it."""
    await (await raw(tx)).execute(
        "update sends set status = 'queued', fence = null, not_before = now() + $4, changed_at = now() "
        "where tenant = $1 and id = $2 and status = 'sending' and fence = $3",
        send.tenant,
        send.id,
        fence,
        after,
    )


async def finish(
    tx: Tx,
    send: Send,
    fence: int,
    outcome: Outcome,
    *,
    at: datetime,
    wa_id: str | None = None,
    reason: str | None = None,
    alt: Address | None = None,
) -> None:
    """Write how it ended and tell conversations.

    A newer owner that has called it unknown is right, except in one thing: that it was sent is a fact, whoever knows it.
    """
    done = await (await raw(tx)).fetchval(
        "update sends set status = $4, wa_id = $5, reason = $6, payload = '', changed_at = now() "
        "where tenant = $1 and id = $2 and (status = 'sending' and fence = $3 or status = 'unknown' and $4 = 'sent') returning true",
        send.tenant,
        send.id,
        fence,
        outcome,
        wa_id,
        reason,
    )
    if not done or isinstance(send.order, MarkRead):
        return
    if outcome == "sent":
        body = MessageSent(message=send.order.message, device=send.device, chat=send.order.to, wa_id=wa_id or "", at=at, chat_alt=alt)
        await outbox.add(tx, wrap(send.tenant, body, occurred_at=at, audience=Audience(device=send.device)))
    else:
        await outbox.add(tx, _unsent(send.tenant, send.order, outcome, reason or "", at, send.attempts))


async def give_up(tx: Tx, shard: int, fence: int, at: datetime) -> int:
    """Turn what a former owner was sending into unknown: it may have left. Give how many that were."""
    rows = await (await raw(tx)).fetch(
        "update sends set status = 'unknown', reason = 'worker-lost', changed_at = now() "
        "where shard = $1 and status = 'sending' and fence <> $2 "
        "returning tenant, id, device, kind, payload, attempts, expires_at",
        shard,
        fence,
    )
    await _tell_unsent(tx, rows, "unknown", "worker-lost", at)
    return len(rows)


async def expire(tx: Tx, shards: Iterable[int], at: datetime) -> int:
    """Fail what has waited too long; give how many that were."""
    rows = await (await raw(tx)).fetch(
        "update sends set status = 'failed', reason = 'expired', changed_at = now() "
        "where shard = any($1::smallint[]) and status = 'queued' and expires_at <= $2 "
        "returning tenant, id, device, kind, payload, attempts, expires_at",
        list(shards),
        at,
    )
    await _tell_unsent(tx, rows, "failed", "expired", at)
    return len(rows)


async def depth(tx: Tx, shards: Iterable[int]) -> tuple[int, float]:
    """Count what waits in *shards*, and give the age of the oldest in seconds."""
    row = await (await raw(tx)).fetchrow(
        "select count(*) as depth, coalesce(extract(epoch from now() - min(made_at)), 0)::float8 as age "
        "from sends where shard = any($1::smallint[]) and status = 'queued'",
        list(shards),
    )
    return row["depth"], row["age"]


async def sweep(tx: Tx, limit: int = 1000) -> int:
    """Delete rows that ended more than eight days ago, longer than any order can still be repeated."""
    rows = await (await raw(tx)).fetch(
        "delete from sends where (tenant, id) in (select tenant, id from sends "
        "where status not in ('queued', 'sending') and changed_at < now() - $1::interval limit $2) returning 1",
        _DONE_LIVES,
        limit,
    )
    return len(rows)


async def _tell_unsent(tx: Tx, rows: Sequence[Mapping[str, Any]], outcome: Literal["failed", "unknown"], reason: str, at: datetime) -> None:
    sends = [_send(row) for row in rows]
    await outbox.add(
        tx,
        *(_unsent(send.tenant, send.order, outcome, reason, at, send.attempts) for send in sends if isinstance(send.order, SendMessage)),
    )


def _unsent(
    tenant: TenantId, order: SendMessage, outcome: Literal["failed", "unknown"], reason: str, at: datetime, attempts: int = 0
) -> Envelope[MessageUnsent]:
    body = MessageUnsent(
        message=MessageId(order.message), device=order.device, outcome=outcome, reason=reason, at=at, attempt=max(attempts, 1)
    )
    return wrap(tenant, body, occurred_at=at, audience=Audience(device=order.device))


def _send(row: Mapping[str, Any]) -> Send:
    decoder = _message if row["kind"] == "message" else _read
    return Send(
        tenant=TenantId(UUID(int=row["tenant"].int)),
        id=UUID(int=row["id"].int),
        device=DeviceId(UUID(int=row["device"].int)),
        order=decoder.decode(row["payload"]),
        attempts=row["attempts"],
        expires_at=row["expires_at"],
    )
