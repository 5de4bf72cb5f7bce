"""The queue of sends as people see it: what waits and why, and taking out what has not started."""
# ruff: noqa: S608 - what is put into a statement here is a constant of this module, never a value

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from contracts.commands import SendMessage
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from servicekit.db import Tx, raw

from device_worker.domain import SendMissing, SendStarted
from device_worker.domain.reasons import CANCELLED
from device_worker.store import sends

Status = Literal["queued", "sending", "unknown", "failed"]
SHOWN: tuple[Status, ...] = ("queued", "sending", "unknown")

_decoder = msgspec.json.Decoder(SendMessage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One message.

    Attributes:
        position: How many of the device's messages go before it, and one; None once it has started.
        to: None where the order is kept no more.
        until: Held until then.
    """

    seq: int
    id: UUID
    status: Status
    reason: str | None
    until: datetime | None
    position: int | None
    made_at: datetime
    changed_at: datetime
    expires_at: datetime
    attempts: int
    to: Address | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much of a device waits, since when the oldest does, and for which reasons."""

    queued: int = 0
    oldest_at: datetime | None = None
    reasons: dict[str, int]


async def page(tx: Tx, tenant: TenantId, device: DeviceId, statuses: Sequence[Status], after: int | None, limit: int) -> list[Waiting]:
    """Read up to *limit* messages in the order in which they go, after the one at *after*."""
    connection = await raw(tx)
    rows = await connection.fetch(
        "select seq, id, status, reason, held_until as until, made_at, changed_at, expires_at, attempts, payload from sends "
        "where tenant = $1 and device = $2 and status in ('queued', 'sending', 'unknown', 'failed') and status = any($3::text[]) "
        "and kind = 'message' and ($4::bigint is null or seq > $4) order by seq limit $5",
        tenant,
        device,
        list(statuses),
        after,
        limit,
    )
    first = next((row["seq"] for row in rows if row["status"] == "queued"), None)
    before = 0
    if first is not None:
        before = await connection.fetchval(
            "select count(*) from sends where tenant = $1 and device = $2 and status = 'queued' and kind = 'message' and seq < $3",
            tenant,
            device,
            first,
        )
    found = []
    for row in rows:
        values = dict(row)
        payload, values["id"] = values.pop("payload"), UUID(int=values["id"].int)
        before += row["status"] == "queued"
        position = before if row["status"] == "queued" else None
        found.append(Waiting(**values, position=position, to=_decoder.decode(payload).to if payload else None))
    return found


async def depth(tx: Tx, tenant: TenantId, device: DeviceId) -> Depth:
    """Count what waits."""
    rows = await (await raw(tx)).fetch(
        "select coalesce(reason, '') as reason, count(*) as count, min(made_at) as oldest from sends "
        "where tenant = $1 and device = $2 and status = 'queued' and kind = 'message' group by 1",
        tenant,
        device,
    )
    return Depth(
        queued=sum(row["count"] for row in rows),
        oldest_at=min((row["oldest"] for row in rows), default=None),
        reasons={row["reason"]: row["count"] for row in rows if row["reason"]},
    )


async def cancel(tx: Tx, tenant: TenantId, device: DeviceId, id: UUID, at: datetime) -> None:
    """Take one message out, and tell.  Raises: SendMissing; SendStarted: it is too late."""
    connection = await raw(tx)
    rows = await connection.fetch(
        "update sends set status = 'failed', reason = $4, changed_at = now() where tenant = $1 and device = $2 and id = $3 "
        f"and status = 'queued' and kind = 'message' returning {sends.ROW}",
        tenant,
        device,
        id,
        CANCELLED,
    )
    if not rows:
        status = await connection.fetchval(
            "select status from sends where tenant = $1 and device = $2 and id = $3 and kind = 'message'", tenant, device, id
        )
        if status is None:
            raise SendMissing("There is no message with this id in the queue of this device.")
        raise SendStarted("Only what is still queued can be cancelled.", state=status)
    await sends.tell_unsent(tx, rows, "failed", CANCELLED, at)


async def cancel_all(tx: Tx, tenant: TenantId, device: DeviceId, reason: str | None, at: datetime, limit: int) -> int:
    """Take out up to *limit* messages that have not started, the oldest first, and tell; give how many that were.

    *reason*: those alone that wait for it.
    """
    rows = await (await raw(tx)).fetch(
        "update sends set status = 'failed', reason = $4, changed_at = now() where (tenant, id) in (select tenant, id from sends "
        "where tenant = $1 and device = $2 and status = 'queued' and kind = 'message' and ($3::text is null or reason = $3) "
        f"order by seq limit $5 for update) returning {sends.ROW}",
        tenant,
        device,
        reason,
        CANCELLED,
        limit,
    )
    await sends.tell_unsent(tx, rows, "failed", CANCELLED, at)
    return len(rows)
