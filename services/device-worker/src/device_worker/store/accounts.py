"""By whose clock a number's day begins, how many numbers there may be, and whether they may do anything: what auth says."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from contracts.events.auth import AccountChanged, AccountRegistered
from contracts.ids import DeviceId, TenantId
from servicekit.db import Tx, raw

from device_worker.domain.accounts import AccountSuspended, DeviceLimit
from device_worker.domain.reasons import ACCOUNT_SUSPENDED
from device_worker.store import devices

#: The clock of an account of which nothing is known yet.
UNKNOWN_ZONE = "UTC"


async def learn(tx: Tx, changes: Sequence[tuple[TenantId, AccountRegistered | AccountChanged]]) -> dict[TenantId, bool]:
    """The accounts stand as their newest revision says, whatever the order of arrival; give those that moved: suspended or not."""
    newest: dict[TenantId, tuple[str, bool, int | None, int]] = {}
    for tenant, change in changes:
        if isinstance(change, AccountChanged):
            row = change.time_zone, change.suspended, change.limits.devices, change.revision
        else:
            row = change.time_zone, False, None, 0
        if tenant not in newest or newest[tenant][3] < row[3]:
            newest[tenant] = row
    keys = sorted(newest)
    if not keys:
        return {}
    moved = await (await raw(tx)).fetch(
        "insert into accounts as a (tenant, time_zone, suspended, devices, revision) "
        "select * from unnest($1::uuid[], $2::text[], $3::boolean[], $4::int[], $5::bigint[]) on conflict (tenant) do update "
        "set time_zone = excluded.time_zone, suspended = excluded.suspended, devices = excluded.devices, "
        "revision = excluded.revision where a.revision < excluded.revision returning tenant, suspended",
        keys,
        *map(list, zip(*(newest[key] for key in keys), strict=True)),
    )
    return {TenantId(UUID(int=row["tenant"].int)): row["suspended"] for row in moved}


async def stand(tx: Tx, tenant: TenantId, suspended: bool, at: datetime) -> int:
    """The account's sessions end until it is let in again, or go on where they ended; give how many that concerns."""
    rows = await (await raw(tx)).fetch(
        "select id from devices where tenant = $1 and case when $2 then wanted = 'connected' else reason = $3 end order by id",
        tenant,
        suspended,
        ACCOUNT_SUSPENDED,
    )
    moved = 0
    for row in rows:
        before = await devices.lock(tx, tenant, DeviceId(UUID(int=row["id"].int)), deleted=True)
        after = before.suspend(at) if suspended else before.let_in(at)
        if after is not before:
            await devices.wake(tx, await devices.save(tx, before, after))
            moved += 1
    return moved


async def admit(tx: Tx, tenant: TenantId) -> None:
    """The account may do things, until *tx* ends.  Raises: AccountSuspended."""
    if await (await raw(tx)).fetchval("select suspended from accounts where tenant = $1 for share", tenant):
        raise AccountSuspended("Ask the installation's owner.")


async def make_room(tx: Tx, tenant: TenantId) -> None:
    """The account may have one number more, and nobody else adds one before *tx* ends.  Raises: AccountSuspended; DeviceLimit."""
    connection = await raw(tx)
    account = await connection.fetchrow("select suspended, devices from accounts where tenant = $1 for update", tenant)
    if account is None:
        return  # nobody has said that it has limits
    if account["suspended"]:
        raise AccountSuspended("Ask the installation's owner.")
    most = account["devices"]
    if most is not None:
        there = await connection.fetchval("select count(*) from devices where tenant = $1 and wanted <> 'deleted'", tenant)
        if there >= most:
            raise DeviceLimit.of(most)


async def time_zone(tx: Tx, tenant: TenantId) -> str:
    """Give the account's time zone."""
    found = await (await raw(tx)).fetchval("select time_zone from accounts where tenant = $1", tenant)
    return str(found or UNKNOWN_ZONE)
