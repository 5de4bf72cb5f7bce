"""What the bot knows of what others own: accounts, numbers, service hours. The newest revision stands."""

from collections.abc import Collection, Mapping
from uuid import UUID

import asyncpg
import msgspec
from contracts.events.auth import AccountChanged, AccountRegistered
from contracts.events.conversations import HoursChanged
from contracts.events.devices import DeviceChanged
from contracts.hours import Assigned
from contracts.ids import DeviceId, TenantId


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account; one that is not known yet speaks Spanish, by UTC."""

    name: str = ""
    locale: str = "es"
    time_zone: str = "UTC"
    suspended: bool = False
    hours: tuple[Assigned, ...] = ()
    numbers: Mapping[DeviceId, str] = msgspec.field(default_factory=dict)


async def learn_account(c: asyncpg.Connection, tenant: TenantId, fact: AccountChanged | AccountRegistered) -> None:
    """The account is as *fact* says, unless something newer is known."""
    suspended, revision = (fact.suspended, fact.revision) if isinstance(fact, AccountChanged) else (False, -1)
    await c.execute(
        """
        insert into accounts (tenant, name, locale, time_zone, suspended, revision) values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant) do update set name = excluded.name, locale = excluded.locale, time_zone = excluded.time_zone,
            suspended = excluded.suspended, revision = excluded.revision
        where accounts.revision < excluded.revision
        """,
        tenant,
        fact.name,
        fact.locale,
        fact.time_zone,
        suspended,
        revision,
    )


async def learn_device(c: asyncpg.Connection, tenant: TenantId, device: DeviceId, fact: DeviceChanged) -> None:
    """The number has this name, unless something newer is known."""
    await c.execute(
        """
        insert into devices (tenant, id, name, revision) values ($1, $2, $3, $4)
        on conflict (tenant, id) do update set name = excluded.name, revision = excluded.revision
        where devices.revision < excluded.revision
        """,
        tenant,
        device,
        fact.name,
        fact.revision,
    )


async def learn_hours(c: asyncpg.Connection, tenant: TenantId, fact: HoursChanged) -> None:
    """The service hours are these, unless newer ones are known."""
    await c.execute(
        """
        insert into hours (tenant, sets, revision) values ($1, $2::jsonb, $3)
        on conflict (tenant) do update set sets = excluded.sets, revision = excluded.revision where hours.revision < excluded.revision
        """,
        tenant,
        msgspec.json.encode(fact.sets).decode(),
        fact.revision,
    )


async def accounts(c: asyncpg.Connection, tenants: Collection[TenantId]) -> dict[TenantId, Account]:
    """Give what is known of each of *tenants*."""
    wanted = [*tenants]
    known = {row["tenant"]: row for row in await c.fetch("select * from accounts where tenant = any($1::uuid[])", wanted)}
    hours = {row["tenant"]: row["sets"] for row in await c.fetch("select tenant, sets from hours where tenant = any($1::uuid[])", wanted)}
    numbers: dict[UUID, dict[DeviceId, str]] = {}
    for row in await c.fetch("select tenant, id, name from devices where tenant = any($1::uuid[])", wanted):
        numbers.setdefault(row["tenant"], {})[DeviceId(row["id"])] = row["name"]
    found = {}
    for tenant in wanted:
        account = Account(hours=msgspec.convert(hours.get(tenant, ()), tuple[Assigned, ...]), numbers=numbers.get(tenant, {}))
        if tenant in known:
            row = known[tenant]
            account = msgspec.structs.replace(
                account, name=row["name"], locale=row["locale"], time_zone=row["time_zone"], suspended=row["suspended"]
            )
        found[tenant] = account
    return found


async def knows_device(c: asyncpg.Connection, tenant: TenantId, device: DeviceId) -> bool:
    """Tell whether the account has this number, as far as anybody has said."""
    return bool(await c.fetchval("select true from devices where tenant = $1 and id = $2", tenant, device))


async def forget_device(c: asyncpg.Connection, tenant: TenantId, device: DeviceId) -> None:
    """The number is gone, and its own settings with it."""
    await c.execute("delete from devices where tenant = $1 and id = $2", tenant, device)
    await c.execute("delete from settings where tenant = $1 and device = $2", tenant, device)
