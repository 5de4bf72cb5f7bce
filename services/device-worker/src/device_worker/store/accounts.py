"""By whose clock a number's day begins: what auth says of the accounts."""

from collections.abc import Sequence

from contracts.events.auth import AccountChanged, AccountRegistered
from contracts.ids import TenantId
from servicekit.db import Tx, raw

#: The clock of an account of which nothing is known yet.
UNKNOWN_ZONE = "UTC"


async def learn(tx: Tx, changes: Sequence[tuple[TenantId, AccountRegistered | AccountChanged]]) -> None:
    """The accounts stand as their newest revision says, whatever the order of arrival."""
    newest: dict[TenantId, tuple[str, bool, int | None, int]] = {}
    for tenant, change in changes:
        if isinstance(change, AccountChanged):
            row = change.time_zone, change.suspended, change.limits.devices, change.revision
        else:
            row = change.time_zone, False, None, 0
        if tenant not in newest or newest[tenant][3] < row[3]:
            newest[tenant] = row
    keys = sorted(newest)
    if keys:
        await (await raw(tx)).execute(
            "insert into accounts as a (tenant, time_zone, suspended, devices, revision) "
            "select * from unnest($1::uuid[], $2::text[], $3::boolean[], $4::int[], $5::bigint[]) on conflict (tenant) do update "
            "set time_zone = excluded.time_zone, suspended = excluded.suspended, devices = excluded.devices, "
            "revision = excluded.revision where a.revision < excluded.revision",
            keys,
            *map(list, zip(*(newest[key] for key in keys), strict=True)),
        )


async def time_zone(tx: Tx, tenant: TenantId) -> str:
    """Give the account's time zone."""
    found = await (await raw(tx)).fetchval("select time_zone from accounts where tenant = $1", tenant)
    return str(found or UNKNOWN_ZONE)
