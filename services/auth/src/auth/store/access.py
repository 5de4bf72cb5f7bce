"""What people and keys see of their account, and what of it the bus knows."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Reach
from servicekit.db import Tx
from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert

from auth.store.tables import access, team_members

SEES_ALL = Access()


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody sees, as of *revision*; *untold*: the bus may not know it yet."""

    tenant: TenantId
    id: UserId
    access: Access
    revision: int
    untold: bool


async def limit(tx: Tx, tenant: TenantId, id: UUID, devices: Collection[DeviceId] | None, chats: Reach = "all") -> None:
    """Somebody sees these numbers and no other, or all of them, and of their chats those; it leaves for the bus."""
    values = None if devices is None else sorted(devices)
    fresh = insert(access).values(tenant=tenant, id=id, devices=values, chats=chats, revision=1, told=0)
    moved = {"devices": fresh.excluded.devices, "chats": fresh.excluded.chats, "revision": access.c.revision + 1}
    await tx.execute(fresh.on_conflict_do_update(index_elements=["tenant", "id"], set_=moved))


async def show(tx: Tx, tenant: TenantId, id: UUID, device: DeviceId) -> None:
    """Who sees some numbers only sees this one as well."""
    row = (access.c.tenant == tenant) & (access.c.id == id) & access.c.devices.is_not(None) & (access.c.devices.all_() != device)
    values = {"devices": func.array_append(access.c.devices, device), "revision": access.c.revision + 1}
    await tx.execute(update(access).where(row).values(values))


async def hide(tx: Tx, tenant: TenantId, device: DeviceId) -> None:
    """Nobody's numbers name this one any more: it is gone."""
    row = (access.c.tenant == tenant) & (access.c.devices.any_() == device)
    values = {"devices": func.array_remove(access.c.devices, device), "revision": access.c.revision + 1}
    await tx.execute(update(access).where(row).values(values))


async def touch(tx: Tx, tenant: TenantId, ids: Collection[UserId]) -> None:
    """What these people see leaves for the bus again: their teams are others."""
    if not ids:
        return
    fresh = insert(access)
    moved = {"revision": access.c.revision + 1}
    values = [{"tenant": tenant, "id": id, "devices": None, "revision": 1, "told": 0} for id in sorted(ids)]
    await tx.execute(fresh.on_conflict_do_update(index_elements=["tenant", "id"], set_=moved), values)


async def of(tx: Tx, tenant: TenantId, ids: Collection[UUID]) -> dict[UUID, Access]:
    """Read what each of *ids* sees; who sees all and is in no team is left out."""
    rows = await tx.execute(_select().where(access.c.tenant == tenant, access.c.id.in_(ids)))
    return {one.id: one.access for one in map(_seen, rows)}


async def untold(system: Tx, limit: int) -> list[Seen]:
    """Read what the bus has not been told yet."""
    rows = await system.execute(_select().where(access.c.told < access.c.revision).order_by(access.c.tenant, access.c.id).limit(limit))
    return [_seen(row) for row in rows]


async def everybody(system: Tx, after: UUID | None, limit: int) -> list[Seen]:
    """Read what everybody sees, in the order of their ids, those after *after*."""
    statement = _select().order_by(access.c.id).limit(limit)
    if after is not None:
        statement = statement.where(access.c.id > after)
    return [_seen(row) for row in await system.execute(statement)]


async def one(system: Tx, id: UUID) -> Seen | None:
    """Read what somebody sees, whatever their account; None: all of it, and it was never otherwise."""
    row = (await system.execute(_select().where(access.c.id == id))).one_or_none()
    return None if row is None else _seen(row)


async def told(system: Tx, seen: Seen) -> None:
    """The bus knows what they see as of this revision."""
    row = (access.c.tenant == seen.tenant) & (access.c.id == seen.id)
    await system.execute(update(access).where(row, access.c.told < seen.revision).values(told=seen.revision))


def _select() -> Select[Any]:
    theirs = select(team_members.c.team).where(team_members.c.tenant == access.c.tenant, team_members.c.user == access.c.id)
    return select(access, func.array(theirs.scalar_subquery()).label("teams"))


def _seen(row: Any) -> Seen:
    devices = None if row.devices is None else frozenset(DeviceId(id) for id in row.devices)
    what = Access(devices=devices, teams=frozenset(row.teams), chats=row.chats)
    return Seen(TenantId(row.tenant), UserId(row.id), what, row.revision, row.told < row.revision)
