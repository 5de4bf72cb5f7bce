"""Devices as they stand; a change and its event are one transaction."""
# ruff: noqa: S608 - what is put into a statement here is a constant of this module, never a value

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from contracts import ids
from contracts.envelope import Audience, wrap
from contracts.events.devices import DeviceDeleted, DeviceOrdered, DeviceState
from contracts.ids import DeviceId, TenantId
from contracts.principal import Actor
from servicekit import outbox
from servicekit.db import Tx, raw

from device_worker.domain import Device, DeviceMissing, DeviceSettings, Wanted
from device_worker.shards import shard_of
from device_worker.store import history, wakes

_COLUMNS = (
    "tenant, id, name, state, wanted, reason, action, until, jid, phone, lid, revision, created_at, changed_at, linked_at, settings, proxy"
)
#: As text, since the driver would read it as a dict.
_READ = _COLUMNS.replace("settings", "settings::text as settings")


async def insert(tx: Tx, device: Device, actor: Actor | None = None) -> None:
    """Add a device, with the first line of its history, and tell everyone."""
    connection = await raw(tx)
    values = ", ".join(f"${n}" for n in range(1, 19))
    await connection.execute(
        f"insert into devices ({_COLUMNS}, shard) values ({values})",
        device.tenant,
        device.id,
        device.name,
        device.state.value,
        device.wanted.value,
        device.reason,
        device.action,
        device.until,
        device.jid,
        device.phone,
        device.lid,
        device.revision,
        device.created_at,
        device.changed_at,
        device.linked_at,
        device.settings.written(),
        device.proxy,
        shard_of(device.id),
    )
    await history.add(tx, device, actor)
    await _tell(tx, device)


async def find(tx: Tx, tenant: TenantId, id: DeviceId) -> Device:
    """Read one device.  Raises: DeviceMissing: none, being deleted, or another tenant's."""
    return await _one(tx, tenant, id, "and wanted <> 'deleted'")


async def lock(tx: Tx, tenant: TenantId, id: DeviceId, *, deleted: bool = False) -> Device:
    """Read one device and hold its row until *tx* ends; with *deleted* also one that is being deleted.  Raises: DeviceMissing."""
    return await _one(tx, tenant, id, "for update" if deleted else "and wanted <> 'deleted' for update")


async def page(
    tx: Tx, tenant: TenantId, after: UUID | None, limit: int, seen: Collection[DeviceId] | None = None, label: str | None = None
) -> list[Device]:
    """Read up to *limit* devices in the order of their making, after the one with the id *after*.

    Of *seen* alone, and with *label* alone, where they are given.
    """
    rows = await (await raw(tx)).fetch(
        f"select {_READ} from devices where tenant = $1 and wanted <> 'deleted' and ($2::uuid is null or id > $2) "
        "and ($4::uuid[] is null or id = any($4)) and ($5::text is null or settings -> 'labels' ? $5) order by id limit $3",
        tenant,
        after,
        limit,
        None if seen is None else list(seen),
        label,
    )
    return [_device(row) for row in rows]


async def of_shards(tx: Tx, shards: Iterable[int]) -> list[Device]:
    """Read every device of *shards* that has work for a worker, the one that changed last first."""
    rows = await (await raw(tx)).fetch(
        f"select {_READ} from devices where shard = any($1::smallint[]) "
        "and (wanted in ('connected', 'logged_out', 'deleted') or state in ('connected', 'connecting', 'pairing')) "
        "order by changed_at desc",
        list(shards),
    )
    return [_device(row) for row in rows]


async def in_shard(tx: Tx, shard: int, id: UUID) -> Device | None:
    """Read one device by its shard, as a worker that was woken for it; None when it is gone."""
    row = await (await raw(tx)).fetchrow(f"select {_READ} from devices where shard = $1 and id = $2", shard, id)
    return None if row is None else _device(row)


async def settings_of(tx: Tx, some: Collection[tuple[UUID, UUID]]) -> dict[UUID, DeviceSettings]:
    """Read what is set of these devices, each by its tenant and its id."""
    rows = await (await raw(tx)).fetch(
        "select id, settings::text as settings from devices where (tenant, id) in (select * from unnest($1::uuid[], $2::uuid[]))",
        [tenant for tenant, _ in some],
        [device for _, device in some],
    )
    return {_plain(row["id"]): DeviceSettings.read(row["settings"]) for row in rows}


async def save(tx: Tx, before: Device, after: Device, actor: Actor | None = None) -> Device:
    """Write a change and its history, tell everyone and wake the shard's owner; no change writes nothing."""
    if after is before:
        return after
    await (await raw(tx)).execute(
        "update devices set name = $3, state = $4, wanted = $5, reason = $6, action = $7, until = $8, jid = $9, phone = $10, lid = $11, "
        "revision = $12, changed_at = $13, linked_at = $14, settings = $15, proxy = $16 where tenant = $1 and id = $2",
        after.tenant,
        after.id,
        after.name,
        after.state.value,
        after.wanted.value,
        after.reason,
        after.action,
        after.until,
        after.jid,
        after.phone,
        after.lid,
        after.revision,
        after.changed_at,
        after.linked_at,
        after.settings.written(),
        after.proxy,
    )
    if any(getattr(before, name) != getattr(after, name) for name in history.TELLING):
        await history.add(tx, after, actor)
    if after.wanted is Wanted.DELETED:
        if before.wanted is not Wanted.DELETED:
            body = DeviceDeleted(id=ids.public(ids.DEVICE, after.id))
            await outbox.add(tx, wrap(after.tenant, body, audience=Audience(device=after.id)))
    else:
        await _tell(tx, after)
    new_settings = after.settings != before.settings or after.proxy != before.proxy
    to_pair = after.state is DeviceState.PAIRING and before.state is not DeviceState.PAIRING
    if after.wanted is not before.wanted or to_pair or new_settings:
        await wake(tx, after)
    return after


async def sealed(tx: Tx, after: UUID, limit: int) -> list[tuple[TenantId, DeviceId, bytes]]:
    """Read the sealed proxies of up to *limit* devices of whatever account, after the one with the id *after*, and hold their rows."""
    rows = await (await raw(tx)).fetch(
        "select tenant, id, proxy from devices where id > $1 and proxy is not null order by id limit $2 for update", after, limit
    )
    return [(TenantId(_plain(row["tenant"])), DeviceId(_plain(row["id"])), row["proxy"]) for row in rows]


async def reseal(tx: Tx, tenant: TenantId, id: DeviceId, proxy: bytes) -> None:
    """Keep the same proxy, sealed anew: nothing has changed for anybody."""
    await (await raw(tx)).execute("update devices set proxy = $3 where tenant = $1 and id = $2", tenant, id, proxy)


async def ordered(tx: Tx, device: Device, order: str, actor: Actor) -> None:
    """Tell who wants what of the device."""
    body = DeviceOrdered(id=ids.public(ids.DEVICE, device.id), name=device.name, order=order, actor=actor)
    await outbox.add(tx, wrap(device.tenant, body, audience=Audience(device=device.id)))


async def wake(tx: Tx, device: Device) -> None:
    """Have the shard's owner look at the device when *tx* commits."""
    await wakes.wake(tx, wakes.DEVICE, shard_of(device.id), device.id)


async def remove(tx: Tx, device: Device) -> None:
    """Delete the row, its pairing and its sends: the link is undone, the event was told when it was ordered."""
    connection = await raw(tx)
    await connection.execute("delete from sends where tenant = $1 and device = $2", device.tenant, device.id)
    await connection.execute("delete from devices where tenant = $1 and id = $2", device.tenant, device.id)


async def _tell(tx: Tx, device: Device) -> None:
    await outbox.add(tx, wrap(device.tenant, device.event(), occurred_at=device.changed_at, audience=Audience(device=device.id)))


async def _one(tx: Tx, tenant: TenantId, id: DeviceId, more: str) -> Device:
    row = await (await raw(tx)).fetchrow(f"select {_READ} from devices where tenant = $1 and id = $2 {more}", tenant, id)
    if row is None:
        raise DeviceMissing("There is no device with this id.")
    return _device(row)


def _device(row: Mapping[str, Any]) -> Device:
    values = dict(row)
    values["state"] = DeviceState(values["state"])
    values["wanted"] = Wanted(values["wanted"])
    values["tenant"] = TenantId(_plain(values["tenant"]))
    values["id"] = DeviceId(_plain(values["id"]))
    values["settings"] = DeviceSettings.read(values["settings"])
    return Device(**values)


def _plain(id: UUID) -> UUID:
    """Make the standard library's UUID of asyncpg's own, which no encoder knows."""
    return UUID(int=id.int)
