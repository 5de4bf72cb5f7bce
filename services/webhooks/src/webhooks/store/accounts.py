"""Which accounts are suspended. What is to be delivered for them waits, and goes when they may act again."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from contracts.envelope import Envelope
from contracts.events.auth import AccountChanged
from contracts.ids import TenantId

from webhooks.store.lanes import Key


async def learn(c: asyncpg.Connection, some: Sequence[Envelope[Any]]) -> list[Key]:
    """Take over what these facts say of accounts, and name the endpoints of those that may act again; old news changes nothing."""
    newest = {
        one.tenant: one.data
        for one in sorted((one for one in some if isinstance(one.data, AccountChanged)), key=lambda one: one.data.revision)
    }
    if not newest:
        return []
    tenants = sorted(newest)
    rows = await c.fetch(
        """
        with learned as (
            insert into accounts (tenant, suspended, revision) select * from unnest($1::uuid[], $2::boolean[], $3::bigint[])
            on conflict (tenant) do update set suspended = excluded.suspended, revision = excluded.revision
                where accounts.revision < excluded.revision
            returning tenant, suspended
        )
        select e.tenant, e.id from endpoints e join learned l on l.tenant = e.tenant where not l.suspended and e.tenant = any($1::uuid[])
        """,
        tenants,
        [newest[tenant].suspended for tenant in tenants],
        [newest[tenant].revision for tenant in tenants],
    )
    return [(TenantId(row["tenant"]), row["id"]) for row in rows]


async def suspended(c: asyncpg.Connection, tenant: TenantId) -> bool:
    """Tell whether the account may not act."""
    return bool(await c.fetchval("select suspended from accounts where tenant = $1", tenant))
