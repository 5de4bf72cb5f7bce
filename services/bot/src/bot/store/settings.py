"""The settings of an account's bot, and of the numbers that have some of their own."""

import json
from collections.abc import Collection
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts.ids import DeviceId, TenantId

#: Stands for the account itself, where a number would stand.
ACCOUNT = DeviceId(UUID(int=0))

_ONE = "select device, version, document from settings where tenant = $1 and device = $2"
_HELD = f"{_ONE} for update"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One document as it is kept; *version* grows by one with each change."""

    device: DeviceId
    version: int
    document: dict[str, Any]


async def find(c: asyncpg.Connection, tenant: TenantId, device: DeviceId = ACCOUNT, *, lock: bool = False) -> Kept | None:
    """Read one document."""
    row = await c.fetchrow(_HELD if lock else _ONE, tenant, device)
    return _kept(row) if row is not None else None


async def every(c: asyncpg.Connection, tenant: TenantId) -> list[Kept]:
    """Read all documents of an account."""
    return [_kept(row) for row in await c.fetch("select device, version, document from settings where tenant = $1", tenant)]


async def versions(c: asyncpg.Connection, tenants: Collection[TenantId]) -> dict[TenantId, tuple[tuple[UUID, int], ...]]:
    """Give the version of each document by account; an account without any is left out."""
    rows = await c.fetch("select tenant, device, version from settings where tenant = any($1::uuid[]) order by tenant, device", [*tenants])
    found: dict[TenantId, list[tuple[UUID, int]]] = {}
    for row in rows:
        found.setdefault(TenantId(row["tenant"]), []).append((row["device"], row["version"]))
    return {tenant: tuple(several) for tenant, several in found.items()}


async def put(c: asyncpg.Connection, tenant: TenantId, device: DeviceId, document: dict[str, Any]) -> int:
    """Keep *document* and give its version; a number that lost its settings goes on counting where they ended."""
    version: int = await c.fetchval(
        """
        insert into settings (tenant, device, version, document)
        values ($1, $2, coalesce((select max(version) from settings where tenant = $1), 0) + 1, $3::jsonb)
        on conflict (tenant, device) do update set version = excluded.version, document = excluded.document, changed_at = now()
        returning version
        """,
        tenant,
        device,
        json.dumps(document),
    )
    return version


async def remove(c: asyncpg.Connection, tenant: TenantId, device: DeviceId) -> bool:
    """The number has no settings of its own; False when it had none."""
    return bool(await c.fetchval("delete from settings where tenant = $1 and device = $2 returning 1", tenant, device))


def _kept(row: asyncpg.Record) -> Kept:
    return Kept(device=DeviceId(row["device"]), version=row["version"], document=row["document"])
