"""Replays: jobs that read the stream of events again, and can be taken up by any replica where the last one left them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from contracts.ids import TenantId, UserId

from webhooks.domain.problems import ReplayMissing, ReplayRunning


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One replay.

    Attributes:
        since: Events that reached the stream from then on…
        until: … and before then.
        stream: When the stream was made whose numbers these are.
        first: The first sequence that it looked at; None until it has begun.
        reached: The last one that it has dealt with.
        last: Where it will end.
        found: Deliveries that it made.
    """

    tenant: TenantId
    id: UUID
    endpoint: UUID
    since: datetime
    until: datetime
    types: tuple[str, ...]
    devices: frozenset[UUID] | None
    state: str
    created_by: UserId
    created_at: datetime
    error: str | None = None
    stream: str | None = None
    first: int | None = None
    reached: int | None = None
    last: int | None = None
    found: int = 0
    ended_at: datetime | None = None


_COLUMNS = (
    "tenant, id, endpoint, since, until, types, devices, state, created_by, created_at, error, stream, first, reached, last, "
    "found, ended_at"
)


async def add(c: asyncpg.Connection, replay: Replay) -> None:
    """Keep a new one.  Raises: ReplayRunning: there is one to the same endpoint."""
    added = await c.fetchval(
        "insert into replays (tenant, id, endpoint, since, until, types, devices, state, created_by, created_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "on conflict (tenant, endpoint) where state in ('waiting', 'running') do nothing returning true",
        replay.tenant,
        replay.id,
        replay.endpoint,
        replay.since,
        replay.until,
        list(replay.types),
        None if replay.devices is None else sorted(replay.devices),
        replay.state,
        replay.created_by,
        replay.created_at,
    )
    if not added:
        raise ReplayRunning("Wait for its end, or cancel it.")
    await c.execute("select pg_notify('webhooks_replays', '')")


async def find(c: asyncpg.Connection, tenant: TenantId, endpoint: UUID, id: UUID) -> Replay:
    """Read one.  Raises: ReplayMissing."""
    row = await c.fetchrow(f"select {_COLUMNS} from replays where tenant = $1 and endpoint = $2 and id = $3", tenant, endpoint, id)  # noqa: S608
    if row is None:
        raise ReplayMissing("This webhook has no such replay.")
    return _replay(row)


async def page(c: asyncpg.Connection, tenant: TenantId, endpoint: UUID, *, before: UUID | None, limit: int) -> list[Replay]:
    """Read *limit* replays to an endpoint, newest first."""
    rows = await c.fetch(
        f"select {_COLUMNS} from replays where tenant = $1 and endpoint = $2 and ($3::uuid is null or id < $3) order by id desc limit $4",  # noqa: S608
        tenant,
        endpoint,
        before,
        limit,
    )
    return [_replay(row) for row in rows]


async def settled(c: asyncpg.Connection, tenant: TenantId, endpoint: UUID, some: list[UUID]) -> dict[UUID, dict[str, int]]:
    """Count the deliveries of replays by their state."""
    rows = await c.fetch(
        "select origin, state, count(*) as count from deliveries where tenant = $1 and endpoint = $2 and origin = any($3) group by 1, 2",
        tenant,
        endpoint,
        some,
    )
    counts: dict[UUID, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(row["origin"], {})[row["state"]] = row["count"]
    return counts


async def cancel(c: asyncpg.Connection, tenant: TenantId, endpoint: UUID, id: UUID) -> None:
    """It goes no further, and what of it waits is not sent; what was sent stays sent."""
    await c.execute(
        "update replays set state = 'cancelled', ended_at = now() "
        "where tenant = $1 and endpoint = $2 and id = $3 and state in ('waiting', 'running')",
        tenant,
        endpoint,
        id,
    )
    await c.execute(
        "delete from deliveries where tenant = $1 and endpoint = $2 and origin = $3 and state = 'waiting'", tenant, endpoint, id
    )


async def claim(system: asyncpg.Connection, lease: timedelta) -> tuple[TenantId, UUID] | None:
    """Take the oldest open one that nobody works on."""
    row = await system.fetchrow(
        """
        update replays set leased_until = now() + $1::interval where (tenant, id) in (
            select tenant, id from replays where state in ('waiting', 'running') and (leased_until is null or leased_until < now())
            order by created_at limit 1 for update skip locked)
        returning tenant, id
        """,
        lease,
    )
    return None if row is None else (TenantId(row["tenant"]), row["id"])


async def open(c: asyncpg.Connection, tenant: TenantId, id: UUID, *, lease: timedelta | None = None) -> Replay | None:
    """Hold one that is not at its end yet, and its lease for longer; None where somebody has ended it."""
    row = await c.fetchrow(
        "update replays set leased_until = coalesce(now() + $3::interval, leased_until) "  # noqa: S608
        f"where tenant = $1 and id = $2 and state in ('waiting', 'running') returning {_COLUMNS}",
        tenant,
        id,
        lease,
    )
    return None if row is None else _replay(row)


async def begun(c: asyncpg.Connection, tenant: TenantId, id: UUID, *, stream: str, first: int, last: int) -> None:
    """It reads from *first* to *last* of *stream*."""
    await c.execute(
        "update replays set state = 'running', stream = $3, first = $4::bigint, reached = $4::bigint - 1, last = $5 "
        "where tenant = $1 and id = $2",
        tenant,
        id,
        stream,
        first,
        last,
    )


async def went_on(c: asyncpg.Connection, tenant: TenantId, id: UUID, *, reached: int, found: int) -> None:
    """It has dealt with everything up to *reached*, and made *found* deliveries more."""
    await c.execute("update replays set reached = $3, found = found + $4 where tenant = $1 and id = $2", tenant, id, reached, found)


async def ended(c: asyncpg.Connection, tenant: TenantId, id: UUID, error: str | None = None) -> None:
    """It is at its end, or *error* says why it cannot go on."""
    await c.execute(
        "update replays set state = case when $3::text is null then 'done' else 'failed' end, error = $3::text, ended_at = now(), "
        "reached = case when $3::text is null then last else reached end "
        "where tenant = $1 and id = $2 and state in ('waiting', 'running')",
        tenant,
        id,
        error,
    )


async def waiting(c: asyncpg.Connection, tenant: TenantId, endpoint: UUID) -> int:
    """Count what waits for an endpoint, up to 5,000."""
    return int(
        await c.fetchval(
            "select count(*) from (select from deliveries where tenant = $1 and endpoint = $2 and state = 'waiting' limit 5000) as counted",
            tenant,
            endpoint,
        )
    )


def _replay(row: Any) -> Replay:
    values = dict(row)
    devices = values["devices"]
    return Replay(
        **values
        | {
            "tenant": TenantId(values["tenant"]),
            "types": tuple(values["types"]),
            "devices": None if devices is None else frozenset(devices),
            "created_by": UserId(values["created_by"]),
        }
    )
