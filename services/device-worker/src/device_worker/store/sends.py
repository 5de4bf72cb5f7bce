"""The queue of what is to be sent, device by device in the order of its coming.

``queued`` → ``sending`` (with the fencing token, committed before the library is called) → ``sent`` or ``failed``; or
``unknown``, when nobody can say. What is unknown is never sent again from here.

What is queued may be held, with its chat, until a time: others pass it, its successors in the chat do not (each is held
in its own turn). Why something waits is told once for each reason.
"""
# ruff: noqa: S608 - what is put into a statement here is a constant of this module, never a value

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from contracts.commands import MarkRead, SendMessage
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.devices import MessageSent, MessageUnsent
from contracts.ids import DeviceId, MessageId, TenantId
from contracts.whatsapp import Address
from servicekit import outbox, tracing
from servicekit.db import Tx, raw

from device_worker.domain.governor import Addressee, Meter, Number
from device_worker.domain.reasons import NOT_CONNECTED, PAUSED
from device_worker.domain.settings import DeviceSettings
from device_worker.shards import shard_of
from device_worker.store import accounts, meters, peers, wakes
from device_worker.store.fences import Fenced

#: A read mark that could not be delivered for so long helps nobody.
READ_LIVES = timedelta(hours=24)
_DONE_LIVES = timedelta(days=8)
_TOLD_AT_ONCE = 500

#: What `tell_unsent` needs of each row.
ROW = "tenant, id, device, kind, payload, attempts, expires_at, peer, trace"
_OF_SENDS = ", ".join(f"sends.{column}" for column in ROW.split(", "))

_message = msgspec.json.Decoder(SendMessage)
_read = msgspec.json.Decoder(MarkRead)

Outcome = Literal["sent", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Send:
    """One row that this worker has in hand.

    Attributes:
        peer: The digest of whom it goes to; None for a read mark.
        trace: Of whoever ordered it, where traces are collected.
    """

    tenant: TenantId
    id: UUID
    device: DeviceId
    order: SendMessage | MarkRead
    attempts: int
    expires_at: datetime
    peer: bytes | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """The first of a device's rows whose turn it is, with all that the decision about it needs.

    Attributes:
        send: None: nothing may go; perhaps later.
        next_at: When to look again; None: at the next wake.
    """

    number: Number
    meter: Meter | None
    to: Addressee
    send: Send | None = None
    next_at: datetime | None = None


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
                peers.digest(body.device, body.to) if message else None,
                tracing.of(order),
            )
        )
    if rows:
        await connection.execute(
            "insert into sends (tenant, id, device, shard, kind, status, payload, expires_at, peer, trace) "
            "select tenant, id, device, shard, kind, 'queued', payload, expires_at, peer, trace from unnest("
            "$1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::text[], $6::bytea[], $7::timestamptz[], $8::bytea[], $9::text[]) "
            "with ordinality as new (tenant, id, device, shard, kind, payload, expires_at, peer, trace, place) order by place "
            "on conflict do nothing",
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


async def first(tx: Tx, shard: int, fence: int, device: DeviceId) -> First | None:
    """Hold the first row whose turn it is, and the shard, until *tx* ends; None: there is no such device.

    Raises:
        Fenced: The shard is another worker's.
    """
    row = await (await raw(tx)).fetchrow(
        # One round trip, since a customer waits for it: the shard's row is locked, so no newer owner can come between.
        "with mine as (select 1 from shards where shard = $1 and fence = $2 for share), "
        "first as (select tenant, id, device, kind, payload, attempts, expires_at, not_before, peer, trace from sends "
        "where shard = $1 and device = $3 and status = 'queued' and (held_until is null or held_until <= now()) order by seq limit 1 "
        "for update) "
        "select (select count(*) from mine) as mine, first.*, devices.id as known_device, "
        "devices.settings::text as settings, coalesce(devices.linked_at, devices.created_at) as linked_at, "
        "accounts.time_zone, meters.tenant as metered, "
        "meters.tokens, meters.counted_at, meters.day, meters.new_contacts, meters.messages, meters.not_before as gap_until, "
        "meters.paused_until, meters.paused_why, peers.peer is not null as known, peers.wrote_at, "
        "case when first.id is null then (select min(held_until) from sends where shard = $1 and device = $3 and status = 'queued') end "
        "as held_until from (select 1) as one left join first on true "
        "left join devices on devices.shard = $1 and devices.id = $3 "
        "left join accounts on accounts.tenant = devices.tenant "
        "left join meters on meters.tenant = devices.tenant and meters.device = devices.id "
        "left join peers on peers.tenant = devices.tenant and peers.device = devices.id and peers.peer = first.peer",
        shard,
        fence,
        device,
    )
    if not row["mine"]:
        raise Fenced(f"Shard {shard} has another owner.")
    if row["known_device"] is None:
        return None
    number = Number(
        pace=DeviceSettings.read(row["settings"]).pace, linked_at=row["linked_at"], time_zone=row["time_zone"] or accounts.UNKNOWN_ZONE
    )
    meter = None if row["metered"] is None else meters.of({**row, "not_before": row["gap_until"]})
    if row["id"] is None:
        return First(number=number, meter=meter, to=Addressee(), next_at=row["held_until"])
    send = _send(row)
    group = isinstance(send.order, SendMessage) and send.order.to.kind == "group"
    to = Addressee(known=row["known"], wrote_at=row["wrote_at"], group=group)
    if row["not_before"] is not None and row["not_before"] > datetime.now(UTC):
        return First(number=number, meter=meter, to=to, next_at=row["not_before"])
    return First(number=number, meter=meter, to=to, send=send)


async def mark(tx: Tx, send: Send, fence: int) -> Send:
    """Mark what `first` holds as being sent."""
    attempts = await (await raw(tx)).fetchval(
        "update sends set status = 'sending', fence = $3, attempts = attempts + 1, changed_at = now(), held_until = null, reason = null "
        "where tenant = $1 and id = $2 returning attempts",
        send.tenant,
        send.id,
        fence,
    )
    return replace(send, attempts=attempts)


async def hold(tx: Tx, send: Send, reason: str, until: datetime, at: datetime) -> None:
    """Let the chat of *send* wait until then, and tell why."""
    rows = await (await raw(tx)).fetch(
        # By the database's clock too: what it would find free at once, it would be asked about without a pause.
        "update sends set held_until = greatest($4, now() + interval '1 second'), reason = $5, told = told + 1 "
        "where tenant = $1 and device = $2 and (peer = $3 or id = $6) "
        f"and status = 'queued' returning {ROW}, told",
        send.tenant,
        send.device,
        send.peer,
        until,
        reason,
        send.id,
    )
    await _tell_waiting(tx, rows, reason, until, at)


async def release(tx: Tx, tenant: TenantId, device: DeviceId) -> None:
    """Let nothing of the device be held, so that each is judged anew; its owner is woken."""
    await (await raw(tx)).execute(
        "update sends set held_until = null where tenant = $1 and device = $2 and status = 'queued' and held_until is not null",
        tenant,
        device,
    )
    await wakes.wake(tx, wakes.SENDS, shard_of(device), device)


async def explain(
    tx: Tx, tenant: TenantId, device: DeviceId, reason: str, until: datetime | None, at: datetime, *, after: timedelta = timedelta()
) -> None:
    """Tell of what has waited for so long, while the whole number waits, why it does. Each is told once for each reason."""
    rows = await (await raw(tx)).fetch(
        "update sends set reason = $3, told = told + 1 where (tenant, id) in (select tenant, id from sends where tenant = $1 "
        "and device = $2 and status = 'queued' and kind = 'message' and reason is distinct from $3 "
        "and made_at <= now() - $5::interval and (held_until is null or held_until <= now()) order by seq limit $4 "
        f"for update skip locked) returning {ROW}, told",
        tenant,
        device,
        reason,
        _TOLD_AT_ONCE,
        after,
    )
    await _tell_waiting(tx, rows, reason, until, at)


async def explain_unconnected(tx: Tx, shards: Iterable[int], at: datetime) -> int:
    """Tell of what waits for a number that is not connected that this is why; give how many that were."""
    rows = await (await raw(tx)).fetch(
        "update sends set reason = case devices.state when 'banned' then $3 else $2 end, told = told + 1 from devices "
        "where (sends.tenant, sends.id) in (select s.tenant, s.id from sends s join devices d on d.tenant = s.tenant and d.id = s.device "
        "where s.shard = any($1::smallint[]) and s.status = 'queued' and s.kind = 'message' and d.state <> 'connected' "
        "and s.reason is distinct from (case d.state when 'banned' then $3 else $2 end) "
        "and s.made_at <= now() - case d.state when 'banned' then interval '0' else interval '5 seconds' end "
        "limit $4 for update of s skip locked) "
        "and devices.tenant = sends.tenant and devices.id = sends.device "
        f"returning {_OF_SENDS}, sends.told, sends.reason, devices.until",
        list(shards),
        NOT_CONNECTED,
        PAUSED,
        _TOLD_AT_ONCE,
    )
    for row in rows:
        await _tell_waiting(tx, [row], row["reason"], row["until"], at)
    return len(rows)


async def waiting(tx: Tx, shards: Iterable[int]) -> list[DeviceId]:
    """Name the devices of *shards* for which something waits."""
    rows = await (await raw(tx)).fetch(
        "select distinct device from sends where shard = any($1::smallint[]) and status = 'queued' "
        "and (held_until is null or held_until <= now())",
        list(shards),
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
        if alt is not None:  # the same person under the other name is no stranger either
            await peers.wrote(tx, [((send.tenant, send.device, peers.digest(send.device, alt)), None)])
        body = MessageSent(message=send.order.message, device=send.device, chat=send.order.to, wa_id=wa_id or "", at=at, chat_alt=alt)
        await outbox.add(tx, wrap(send.tenant, body, occurred_at=at, audience=Audience(device=send.device)))
    else:
        await outbox.add(tx, _unsent(send.tenant, send.order, outcome, reason or "", at, send.attempts))


async def give_up(tx: Tx, shard: int, fence: int, at: datetime) -> int:
    """Turn what a former owner was sending into unknown: it may have left. Give how many that were."""
    rows = await (await raw(tx)).fetch(
        "update sends set status = 'unknown', reason = 'worker-lost', changed_at = now() "
        "where shard = $1 and status = 'sending' and fence <> $2 "
        f"returning {ROW}",
        shard,
        fence,
    )
    await tell_unsent(tx, rows, "unknown", "worker-lost", at)
    return len(rows)


async def expire(tx: Tx, shards: Iterable[int], at: datetime) -> int:
    """Fail what has waited too long; give how many that were."""
    rows = await (await raw(tx)).fetch(
        "update sends set status = 'failed', reason = 'expired', changed_at = now() "
        "where shard = any($1::smallint[]) and status = 'queued' and expires_at <= $2 "
        f"returning {ROW}",
        list(shards),
        at,
    )
    await tell_unsent(tx, rows, "failed", "expired", at)
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


async def _tell_waiting(tx: Tx, rows: Sequence[Mapping[str, Any]], reason: str, until: datetime | None, at: datetime) -> None:
    events = []
    for row in rows:
        send = _send(row)
        if isinstance(send.order, SendMessage):
            body = MessageUnsent(
                message=send.order.message, device=send.device, outcome="waiting", reason=reason, at=at, attempt=row["told"], until=until
            )
            events.append(wrap(send.tenant, body, occurred_at=at, audience=Audience(device=send.device)))
    await outbox.add(tx, *events)


async def tell_unsent(tx: Tx, rows: Sequence[Mapping[str, Any]], outcome: Literal["failed", "unknown"], reason: str, at: datetime) -> None:
    """Tell conversations how the messages of these rows ended."""
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
        peer=row["peer"],
        trace=row["trace"],
    )
