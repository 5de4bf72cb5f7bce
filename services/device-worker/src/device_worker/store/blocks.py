"""Who is to be blocked on WhatsApp: one row for each person on each number, with the newest order about it.

``pending`` → ``done`` or ``failed``, each told once. What has ended keeps no address, and is here so long that an older order which
comes again changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from contracts.commands import BlockPerson
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.devices import BlockSettled
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from servicekit import outbox
from servicekit.db import Tx, raw

from device_worker.shards import shard_of

#: A number that was away for so long has nobody blocked: the account is told, and may order it again.
LIVES = timedelta(days=7)
_DONE_LIVES = timedelta(days=8)
#: Of a number that is away for longer, the address of somebody erased is not kept.
_UNBLOCKS_ERASED_FOR = timedelta(days=1)

_addresses = msgspec.json.Decoder(tuple[Address, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One row whose turn it is.

    Attributes:
        attempts: That came to nothing.
    """

    tenant: TenantId
    id: UUID
    device: DeviceId
    blocked: bool
    revision: int
    addresses: tuple[Address, ...]
    attempts: int


async def add(tx: Tx, orders: Sequence[Envelope[BlockPerson]]) -> None:
    """The newest order about each counts; one for a device that is gone fails at once, and says so."""
    newest: dict[UUID, Envelope[BlockPerson]] = {}
    for order in orders:
        if order.data.block not in newest or newest[order.data.block].data.revision < order.data.revision:
            newest[order.data.block] = order
    c = await raw(tx)
    for order in sorted(newest.values(), key=lambda one: (one.tenant, one.data.block)):
        body = order.data
        there = await c.fetchval(
            "select true from devices where tenant = $1 and id = $2 and wanted <> 'deleted' for key share", order.tenant, body.device
        )
        if not there:
            await outbox.add(tx, _settled(order.tenant, body, "failed", order.occurred_at, "device-not-found"))
            continue
        await c.execute(
            """
            insert into blocks as b (tenant, id, device, shard, blocked, revision, addresses, state, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7::jsonb, 'pending', $8)
            on conflict (tenant, id) do update
               set device = excluded.device, shard = excluded.shard, blocked = excluded.blocked, revision = excluded.revision,
                   addresses = excluded.addresses, state = 'pending', attempts = 0, not_before = null, expires_at = excluded.expires_at,
                   made_at = now(), changed_at = now()
             where b.revision < excluded.revision
            """,
            order.tenant,
            body.block,
            body.device,
            shard_of(body.device),
            body.blocked,
            body.revision,
            msgspec.json.encode(body.addresses).decode(),
            order.occurred_at + LIVES,
        )


async def waiting(tx: Tx, shards: Iterable[int]) -> list[DeviceId]:
    """Name the devices of *shards* for which something is to be done now."""
    rows = await (await raw(tx)).fetch(
        "select distinct device from blocks where shard = any($1::smallint[]) and state = 'pending' "
        "and (not_before is null or not_before <= now())",
        list(shards),
    )
    return [DeviceId(row["device"]) for row in rows]


async def first(tx: Tx, shard: int, device: DeviceId) -> Order | None:
    """Read the device's first order whose turn it is."""
    row = await (await raw(tx)).fetchrow(
        "select tenant, id, device, blocked, revision, addresses::text as addresses, attempts from blocks "
        "where shard = $1 and device = $2 and state = 'pending' and (not_before is null or not_before <= now()) "
        "order by made_at, id limit 1",
        shard,
        device,
    )
    if row is None:
        return None
    return Order(**{**row, "addresses": _addresses.decode(row["addresses"])})


async def finish(tx: Tx, order: Order, outcome: Literal["done", "failed"], at: datetime, reason: str | None = None) -> None:
    """It has ended like this, which is told; with a newer order meanwhile it is of no interest."""
    done = await (await raw(tx)).fetchval(
        "update blocks set state = $4, addresses = '[]', changed_at = now() "
        "where tenant = $1 and id = $2 and revision = $3 and state = 'pending' returning true",
        order.tenant,
        order.id,
        order.revision,
        outcome,
    )
    if done:
        await outbox.add(tx, _settled(order.tenant, order, outcome, at, reason))


async def again(tx: Tx, order: Order, after: timedelta) -> None:
    """It came to nothing, and is tried again after a while."""
    await (await raw(tx)).execute(
        "update blocks set attempts = attempts + 1, not_before = now() + $4, changed_at = now() "
        "where tenant = $1 and id = $2 and revision = $3 and state = 'pending'",
        order.tenant,
        order.id,
        order.revision,
        after,
    )


async def expire(tx: Tx, shards: Iterable[int], at: datetime) -> int:
    """Give up what has waited too long; tell how many that were."""
    rows = await (await raw(tx)).fetch(
        "update blocks set state = 'failed', addresses = '[]', changed_at = now() "
        "where shard = any($1::smallint[]) and state = 'pending' and expires_at <= $2 "
        "returning tenant, id, device, blocked, revision, attempts",
        list(shards),
        at,
    )
    some = [Order(**row, addresses=()) for row in rows]
    await outbox.add(tx, *(_settled(order.tenant, order, "failed", at, "expired") for order in some))
    return len(some)


async def forget(system: Tx, tenant: TenantId, addresses: Sequence[Address]) -> int:
    """Nobody with these addresses is to be blocked any more; tells how many orders that were.

    An order to unblock them stays, for a day at most: without it they would be blocked by somebody who does not know them.
    """
    c = await raw(system)
    rows = await c.fetch("select id, blocked, addresses::text as addresses from blocks where tenant = $1 and state = 'pending'", tenant)
    theirs = [row for row in rows if any(one in addresses for one in _addresses.decode(row["addresses"]))]
    gone = [row["id"] for row in theirs if row["blocked"]]
    await c.execute("delete from blocks where tenant = $1 and id = any($2::uuid[])", tenant, gone)
    await c.execute(
        "update blocks set expires_at = least(expires_at, now() + $3) where tenant = $1 and id = any($2::uuid[])",
        tenant,
        [row["id"] for row in theirs if not row["blocked"]],
        _UNBLOCKS_ERASED_FOR,
    )
    return len(gone)


async def sweep(tx: Tx, limit: int = 1000) -> int:
    """Delete what ended more than eight days ago, longer than any order can still be repeated."""
    rows = await (await raw(tx)).fetch(
        "delete from blocks where (tenant, id) in (select tenant, id from blocks "
        "where state <> 'pending' and changed_at < now() - $1::interval limit $2) returning 1",
        _DONE_LIVES,
        limit,
    )
    return len(rows)


def _settled(
    tenant: TenantId, order: Order | BlockPerson, outcome: Literal["done", "failed"], at: datetime, reason: str | None
) -> Envelope[Any]:
    body = BlockSettled(
        block=order.id if isinstance(order, Order) else order.block,
        device=order.device,
        blocked=order.blocked,
        revision=order.revision,
        outcome=outcome,
        at=at,
        reason=reason,
    )
    return wrap(tenant, body, occurred_at=at, audience=Audience(device=order.device))
