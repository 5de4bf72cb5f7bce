"""Whom a number knows: who wrote to it, or was written to from it. By digest, so that here nobody's number stands."""

from collections.abc import Collection
from datetime import datetime
from hashlib import blake2b

from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from servicekit.db import Tx, raw

from device_worker.shards import shard_of
from device_worker.store import wakes

#: Somebody of a tenant's number, by the digest of the address.
Peer = tuple[TenantId, DeviceId, bytes]


def digest(device: DeviceId, address: Address) -> bytes:
    """Give the 16 bytes by which *device* knows *address*."""
    return blake2b(str(address).encode(), digest_size=16, key=device.bytes).digest()


async def wrote(tx: Tx, some: Collection[tuple[Peer, datetime | None]]) -> None:
    """They wrote at these times (None: long ago, or were written to). What is held for them, as strangers, is held no more."""
    if not some:
        return
    newest: dict[Peer, datetime | None] = {}
    for peer, at in some:
        before = newest.get(peer)
        newest[peer] = at if before is None else before if at is None else max(before, at)
    rows = sorted((*peer, at) for peer, at in newest.items())
    freed = await (await raw(tx)).fetch(
        "with seen as (insert into peers as p (tenant, device, peer, wrote_at) "
        "select n.* from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::timestamptz[]) as n (tenant, device, peer, wrote_at) "
        "where exists (select from devices where devices.tenant = n.tenant and devices.id = n.device) "
        "on conflict (tenant, device, peer) do update set wrote_at = greatest(p.wrote_at, excluded.wrote_at) "
        "where excluded.wrote_at is not null and (p.wrote_at is null or excluded.wrote_at > p.wrote_at) returning tenant, device, peer) "
        "update sends set held_until = null from seen where sends.tenant = seen.tenant and sends.device = seen.device "
        "and sends.peer = seen.peer and sends.status = 'queued' and sends.held_until is not null returning sends.device",
        *map(list, zip(*rows, strict=True)),
    )
    for device in {DeviceId(row["device"]) for row in freed}:
        await wakes.wake(tx, wakes.SENDS, shard_of(device), device)
