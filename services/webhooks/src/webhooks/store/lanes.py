"""Lanes: one an endpoint. The replica that holds a lane's lease is the only one that sends there, so rate and order are its own affair.

``due_at`` is never later than what is due: who adds a delivery writes the row, and who gives the lane back looks at what waits only
once it holds the row.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
from contracts.ids import TenantId

from webhooks.domain.schedule import Health

CHANNEL = "webhooks_due"
_NAMES_MOST = 200  # what NOTIFY has room for

Key = tuple[TenantId, UUID]


async def wake(c: asyncpg.Connection, keys: Collection[Key], *, probe: bool = False, well: bool = False) -> None:
    """Something may be due now for these endpoints, as soon as the transaction commits.

    Args:
        probe: Also where the endpoint is held.
        well: Its failures are forgotten.
    """
    ordered = sorted(keys)
    if not ordered:
        return
    forget = ", failures = 0, failing_since = null, held_until = null, warned_at = null" if well else ""
    forget = ", held_until = null" if probe and not well else forget
    # of a held endpoint nobody needs to look before its time
    at = "now()" if probe or well else "greatest(now(), lanes.held_until)"
    await c.execute(
        f"""
        insert into lanes (tenant, endpoint, due_at)
        select tenant, endpoint, now() from unnest($1::uuid[], $2::uuid[]) as new (tenant, endpoint)
        on conflict (tenant, endpoint) do update set due_at = least(lanes.due_at, {at}){forget}
        """,  # noqa: S608
        [tenant for tenant, _ in ordered],
        [endpoint for _, endpoint in ordered],
    )
    names = ",".join(str(endpoint) for _, endpoint in ordered) if len(ordered) <= _NAMES_MOST else ""
    await c.execute("select pg_notify($1, $2)", CHANNEL, names)


async def lock(c: asyncpg.Connection, key: Key) -> bool:
    """Hold the lane's row until the transaction ends; False where there is none."""
    return bool(await c.fetchval("select true from lanes where tenant = $1 and endpoint = $2 for update", *key))


async def claim(system: asyncpg.Connection, owner: UUID, lease: timedelta, limit: int) -> list[Key]:
    """Take up to *limit* lanes in which something is due and which nobody holds, those first that have waited longest."""
    rows = await system.fetch(
        """
        update lanes set owner = $1, leased_until = now() + $2::interval
        where (tenant, endpoint) in (
            select tenant, endpoint from lanes
            where due_at <= now() and (leased_until is null or leased_until < now())
            order by due_at limit $3 for update skip locked)
        returning tenant, endpoint
        """,
        owner,
        lease,
        limit,
    )
    return [(TenantId(row["tenant"]), row["endpoint"]) for row in rows]


async def renew(system: asyncpg.Connection, owner: UUID, lease: timedelta) -> set[Key]:
    """Hold what *owner* holds for another *lease*, and tell what that is."""
    rows = await system.fetch(
        "update lanes set leased_until = now() + $2::interval where (tenant, endpoint) in "
        "(select tenant, endpoint from lanes where owner = $1 and leased_until > now() order by tenant, endpoint for update) "
        "returning tenant, endpoint",
        owner,
        lease,
    )
    return {(TenantId(row["tenant"]), row["endpoint"]) for row in rows}


async def health(c: asyncpg.Connection, key: Key) -> Health:
    """Read how the endpoint has fared."""
    row = await c.fetchrow("select failures, failing_since, held_until, warned_at from lanes where tenant = $1 and endpoint = $2", *key)
    return Health(**dict(row)) if row is not None else Health()


async def healths(c: asyncpg.Connection, tenant: TenantId, endpoints: Sequence[UUID]) -> dict[UUID, Health]:
    """Read how several endpoints of an account have fared."""
    rows = await c.fetch(
        "select endpoint, failures, failing_since, held_until, warned_at from lanes where tenant = $1 and endpoint = any($2)",
        tenant,
        list(endpoints),
    )
    return {
        row["endpoint"]: Health(**{name: row[name] for name in ("failures", "failing_since", "held_until", "warned_at")}) for row in rows
    }


async def release(c: asyncpg.Connection, key: Key, owner: UUID, *, ordered: bool, enabled: bool) -> bool:
    """Give the lane back with the time at which it is due next; False, and it is kept, where something is due already."""
    row = await c.fetchrow(
        "select held_until, now() as now from lanes where tenant = $1 and endpoint = $2 and owner = $3 for update", *key, owner
    )
    if row is None:
        return True
    # a statement of its own: it must see what was committed while the row was waited for
    first = await c.fetchval(next_due(ordered), *key, []) if enabled else None
    due = max(first, row["held_until"]) if first is not None and row["held_until"] is not None else first
    if due is not None and due <= row["now"]:
        return False
    await c.execute(
        "update lanes set owner = null, leased_until = null, due_at = coalesce($3, 'infinity'::timestamptz) "
        "where tenant = $1 and endpoint = $2",
        *key,
        due,
    )
    return True


def next_due(ordered: bool) -> str:
    """Write the statement that tells when the first waiting delivery of an endpoint, but for some that are in hand, is due."""
    return f"select min(d.next_at) from deliveries d where {WAITING} {HEADS if ordered else ''}"  # noqa: S608


#: The waiting deliveries of an endpoint, but for some.
WAITING = "d.tenant = $1 and d.endpoint = $2 and d.state = 'waiting' and d.id <> all($3::uuid[])"
#: Of these, the first of each chat.
HEADS = """and not exists (
    select from deliveries e where e.tenant = d.tenant and e.endpoint = d.endpoint and e.state = 'waiting' and e.chat = d.chat
    and e.chat is not null and d.chat is not null and e.seq < d.seq)"""
