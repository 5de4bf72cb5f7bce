"""The numbers of each tenant, as far as conversations must know them."""

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.events.devices import DeviceChanged
from contracts.ids import DeviceId, TenantId


async def learn(c: asyncpg.Connection, changes: Sequence[tuple[TenantId, DeviceChanged]]) -> None:
    """The devices stand as their newest revision says; a deleted one stays deleted."""
    newest: dict[tuple[UUID, UUID], DeviceChanged] = {}
    for tenant, change in changes:
        key = tenant, ids.parse(ids.DEVICE, change.id)
        if key not in newest or newest[key].revision < change.revision:
            newest[key] = change
    if not newest:
        return
    keys = sorted(newest)
    await c.execute(
        """
        insert into devices as d (tenant, id, name, state, phone, revision)
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        on conflict (tenant, id) do update
           set name = excluded.name, state = excluded.state, phone = excluded.phone, revision = excluded.revision
         where d.revision < excluded.revision
        """,
        *zip(*keys, strict=True),
        [newest[key].name for key in keys],
        [newest[key].state for key in keys],
        [newest[key].phone for key in keys],
        [newest[key].revision for key in keys],
    )


async def forget(c: asyncpg.Connection, devices: Collection[tuple[TenantId, DeviceId]]) -> None:
    """Nothing can be sent over these any more, whatever is heard of them later."""
    if devices:
        await c.execute(
            """
            insert into devices (tenant, id, deleted) select tenant, id, true from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
            on conflict (tenant, id) do update set deleted = true
            """,
            *zip(*sorted(set(devices)), strict=True),
        )


async def standing(c: asyncpg.Connection, tenant: TenantId, device: DeviceId) -> bool | None:
    """Tell whether the device is here (True), has been deleted (False), or has never been heard of (None)."""
    deleted = await c.fetchval("select deleted from devices where tenant = $1 and id = $2", tenant, device)
    return None if deleted is None else not deleted


async def phones(c: asyncpg.Connection, tenant: TenantId) -> list[str]:
    """Read the phones of the account's own numbers."""
    rows = await c.fetch("select phone from devices where tenant = $1 and phone is not null and not deleted limit 100", tenant)
    return [row[0] for row in rows]
