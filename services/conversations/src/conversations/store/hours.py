"""Service hours, and where they hold."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import HoursChanged
from contracts.hours import Assigned, Holiday, Hours, Weekly
from contracts.ids import DeviceId, TenantId

from conversations.domain.errors import HoursMissing, HoursOverlap, TooMany

MOST = 100
"""Sets of one account."""

_weekly = msgspec.json.Decoder(tuple[Weekly, ...])
_holidays = msgspec.json.Decoder(tuple[Holiday, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Hours as they were entered; without a *time_zone* they are in the account's."""

    id: UUID
    name: str
    time_zone: str | None
    weekly: tuple[Weekly, ...]
    holidays: tuple[Holiday, ...]
    devices: tuple[DeviceId, ...]
    teams: tuple[UUID, ...]
    everywhere: bool


async def kept(c: asyncpg.Connection, tenant: TenantId) -> list[Kept]:
    """List them by name."""
    rows = await c.fetch(
        """
        select id, name, time_zone, weekly::text, holidays::text, devices, teams, everywhere from service_hours
         where tenant = $1 order by name, id
        """,
        tenant,
    )
    return [
        Kept(
            id=row[0],
            name=row[1],
            time_zone=row[2],
            weekly=_weekly.decode(row[3]),
            holidays=_holidays.decode(row[4]),
            devices=tuple(row[5]),
            teams=tuple(row[6]),
            everywhere=row[7],
        )
        for row in rows
    ]


async def every(c: asyncpg.Connection, tenant: TenantId) -> list[Assigned]:
    """Give all hours of the account, each with its time zone."""
    sets = await kept(c, tenant)
    if not sets:
        return []
    own = await c.fetchval("select time_zone from accounts where tenant = $1", tenant) or "UTC"
    return [
        Assigned(
            hours=Hours(time_zone=one.time_zone or own, weekly=one.weekly, holidays=one.holidays),
            devices=one.devices,
            teams=one.teams,
            everywhere=one.everywhere,
        )
        for one in sets
    ]


async def hold(c: asyncpg.Connection, tenant: TenantId) -> None:
    """Nobody else changes the account's hours until the transaction ends."""
    await c.execute("insert into service_hours_told (tenant, revision) values ($1, 0) on conflict do nothing", tenant)
    await c.fetchval("select revision from service_hours_told where tenant = $1 for update", tenant)


async def put(c: asyncpg.Connection, tenant: TenantId, new: Kept) -> None:
    """These hours hold (held by the caller).  Raises: HoursOverlap: others hold there already; TooMany."""
    others = [one for one in await kept(c, tenant) if one.id != new.id]
    if len(others) >= MOST:
        raise TooMany(f"An account can have {MOST} sets of hours.")
    for other in others:
        if _meet(other, new):
            raise HoursOverlap(f"{other.name!r} hold there.")
    await c.execute(
        """
        insert into service_hours (tenant, id, name, time_zone, weekly, holidays, devices, teams, everywhere)
        values ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8, $9)
        on conflict (tenant, id) do update
           set name = excluded.name, time_zone = excluded.time_zone, weekly = excluded.weekly, holidays = excluded.holidays,
               devices = excluded.devices, teams = excluded.teams, everywhere = excluded.everywhere
        """,
        tenant,
        new.id,
        new.name,
        new.time_zone,
        msgspec.json.encode(new.weekly).decode(),
        msgspec.json.encode(new.holidays).decode(),
        list(new.devices),
        list(new.teams),
        new.everywhere,
    )


async def known(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """They are here.  Raises: HoursMissing."""
    if not await c.fetchval("select true from service_hours where tenant = $1 and id = $2", tenant, id):
        raise HoursMissing


async def delete(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """They are no more."""
    await c.execute("delete from service_hours where tenant = $1 and id = $2", tenant, id)


async def told(c: asyncpg.Connection, tenant: TenantId) -> Envelope[HoursChanged]:
    """Give what is to be told after a change (whose account is held by the caller)."""
    revision = await c.fetchval("update service_hours_told set revision = revision + 1 where tenant = $1 returning revision", tenant)
    return wrap(tenant, HoursChanged(sets=tuple(await every(c, tenant)), revision=revision))


async def retell(c: asyncpg.Connection, tenants: Collection[TenantId]) -> list[Envelope[HoursChanged]]:
    """Give what is to be told where an account's own time zone may be another now."""
    some = await c.fetch("select distinct tenant from service_hours where tenant = any ($1::uuid[]) and time_zone is null", list(tenants))
    result = []
    for row in sorted(some):
        await hold(c, row[0])
        result.append(await told(c, row[0]))
    return result


def _meet(one: Kept, other: Kept) -> bool:
    return bool(set(one.devices) & set(other.devices) or set(one.teams) & set(other.teams) or (one.everywhere and other.everywhere))
