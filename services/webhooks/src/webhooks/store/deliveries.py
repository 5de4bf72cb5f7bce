"""Deliveries: what is due, what became of it, and the log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from contracts.ids import DeviceId, TenantId

from webhooks.domain.problems import DeliveryMissing, PayloadGone
from webhooks.domain.schedule import Health
from webhooks.store.lanes import HEADS, WAITING, Key

EVENT_ITSELF = UUID(int=0)

Source = Literal["event", "replay", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """An event that an endpoint is to get.

    Attributes:
        data: JSON.
        origin: With the event's id it says what is the same delivery: `EVENT_ITSELF`, the replay, or the test.
    """

    tenant: TenantId
    id: UUID
    endpoint: UUID
    event: UUID
    type: str
    at: datetime
    data: bytes
    device: DeviceId | None = None
    chat: str | None = None
    source: Source = "event"
    origin: UUID = EVENT_ITSELF


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A delivery to be tried, with its event; *data* is None where that is not kept any more."""

    id: UUID
    event: UUID
    type: str
    device: UUID | None
    chat: str | None
    step: int
    attempts: int
    source: Source
    at: datetime | None
    data: bytes | None
    phone: str | None = None
    session: str | None = None
    me: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt and what it makes of its delivery and its endpoint.

    Attributes:
        next_at: None: it is settled.
        health: The endpoint's, where it has changed.
    """

    key: Key
    owner: UUID
    attempt: UUID
    delivery: UUID
    event: UUID
    type: str
    number: int
    step: int
    at: datetime
    status: int | None
    error: str | None
    latency_ms: int
    answer: str
    delivered: bool
    next_at: datetime | None
    health: Health | None


async def enqueue(c: asyncpg.Connection, new: Sequence[New]) -> list[Key]:
    """Keep what is to be delivered, each once however often it comes; give the endpoints for which something is new."""
    if not new:
        return []
    once = {(one.tenant, one.event): one for one in new}
    rows = [once[key] for key in sorted(once)]
    await c.execute(
        "insert into events (tenant, id, type, device, at, data) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::bytea[]) "
        "on conflict (tenant, id) do update set kept_at = now()",
        [one.tenant for one in rows],
        [one.event for one in rows],
        [one.type for one in rows],
        [one.device for one in rows],
        [one.at for one in rows],
        [one.data for one in rows],
    )
    added = await c.fetch(
        "insert into deliveries (tenant, id, endpoint, event, origin, source, type, device, chat, next_at, made_at) "
        "select tenant, id, endpoint, event, origin, source, type, device, chat, now(), now() from unnest($1::uuid[], $2::uuid[], "
        "$3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::uuid[], $9::text[]) with ordinality "
        "as n (tenant, id, endpoint, event, origin, source, type, device, chat, place) order by place "
        "on conflict (tenant, endpoint, event, origin) do nothing returning tenant, endpoint",
        [one.tenant for one in new],
        [one.id for one in new],
        [one.endpoint for one in new],
        [one.event for one in new],
        [one.origin for one in new],
        [one.source for one in new],
        [one.type for one in new],
        [one.device for one in new],
        [one.chat for one in new],
    )
    return sorted({(TenantId(row["tenant"]), row["endpoint"]) for row in added})


async def due(c: asyncpg.Connection, key: Key, *, ordered: bool, besides: Collection[UUID], limit: int, named: bool) -> list[Due]:
    """Read what is due for an endpoint, what was replayed last; *named*: with the names that WAHA's shape has."""
    names = joins = ""
    if named:
        names = ", n.name as session, n.phone as me, p.phone as phone"
        joins = (
            "left join numbers n on n.tenant = d.tenant and n.id = d.device left join threads t on t.tenant = d.tenant and t.chat = d.chat "
            "left join people p on p.tenant = d.tenant and p.id = t.contact"
        )
    rows = await c.fetch(
        f"""
        select d.id, d.event, d.type, d.device, d.chat, d.step, d.attempts, d.source, e.at, e.data{names}
        from deliveries d left join events e on e.tenant = d.tenant and e.id = d.event {joins}
        where {WAITING} and d.next_at <= now() {HEADS if ordered else ""}
        order by (d.source = 'replay'), d.next_at, d.seq limit $4
        """,  # noqa: S608
        *key,
        list(besides),
        limit,
    )
    return [Due(**dict(row)) for row in rows]


async def record(c: asyncpg.Connection, some: Sequence[Tried]) -> None:
    """Attempts are in the log, and their deliveries, endpoints and statistics say what became of them.

    Of what was erased while its attempt was under way only endpoints and statistics speak.
    """
    fared = {one.key: one for one in some if one.health is not None}
    lanes = [fared[key] for key in sorted(fared)]
    if lanes:
        await c.execute(
            """
            update lanes l set failures = n.failures, failing_since = n.failing_since, held_until = n.held_until, warned_at = n.warned_at
            from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[])
                as n (tenant, endpoint, owner, failures, failing_since, held_until, warned_at)
            where l.tenant = n.tenant and l.endpoint = n.endpoint and l.owner = n.owner
            """,
            [one.key[0] for one in lanes],
            [one.key[1] for one in lanes],
            [one.owner for one in lanes],
            [one.health.failures for one in lanes if one.health],
            [one.health.failing_since for one in lanes if one.health],
            [one.health.held_until for one in lanes if one.health],
            [one.health.warned_at for one in lanes if one.health],
        )
    there, told = await _kept(c, some)
    await c.execute(
        """
        insert into attempts (tenant, id, endpoint, delivery, event, type, number, at, status, error, latency_ms, answer)
        select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::int[], $8::timestamptz[],
                             $9::int[], $10::text[], $11::int[], $12::text[])
        on conflict do nothing
        """,
        [one.key[0] for one in told],
        [one.attempt for one in told],
        [one.key[1] for one in told],
        [one.delivery for one in told],
        [one.event for one in told],
        [one.type for one in told],
        [one.number for one in told],
        [one.at for one in told],
        [one.status for one in told],
        [one.error for one in told],
        [one.latency_ms for one in told],
        [one.answer for one in told],
    )
    await c.execute(
        """
        update deliveries d set
            state = case when n.delivered then 'delivered' when n.next_at is null then 'failed' else 'waiting' end,
            step = n.step, attempts = n.number, status = n.status, error = n.error, next_at = coalesce(n.next_at, d.next_at),
            settled_at = case when n.delivered or n.next_at is null then n.at end
        from unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::timestamptz[], $5::int[], $6::int[], $7::int[], $8::text[],
                    $9::timestamptz[]) as n (tenant, id, delivered, next_at, step, number, status, error, at)
        where d.tenant = n.tenant and d.id = n.id and d.state = 'waiting'
        """,
        [one.key[0] for one in there],
        [one.delivery for one in there],
        [one.delivered for one in there],
        [one.next_at for one in there],
        [one.step for one in there],
        [one.number for one in there],
        [one.status for one in there],
        [one.error for one in there],
        [one.at for one in there],
    )
    sums: dict[tuple[TenantId, UUID, datetime], list[int]] = {}
    for one in some:
        line = sums.setdefault((*one.key, one.at.replace(minute=0, second=0, microsecond=0)), [0, 0, 0, 0])
        line[0 if one.delivered else 1] += 1
        line[2] += one.latency_ms
        line[3] = max(line[3], one.latency_ms)
    ordered = sorted(sums)
    await c.execute(
        """
        insert into statistics (tenant, endpoint, hour, delivered, failed, latency_ms, slowest_ms)
        select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::int[], $5::int[], $6::bigint[], $7::int[])
        on conflict (tenant, endpoint, hour) do update set delivered = statistics.delivered + excluded.delivered,
            failed = statistics.failed + excluded.failed, latency_ms = statistics.latency_ms + excluded.latency_ms,
            slowest_ms = greatest(statistics.slowest_ms, excluded.slowest_ms)
        """,
        [key[0] for key in ordered],
        [key[1] for key in ordered],
        [key[2] for key in ordered],
        *([sums[key][place] for key in ordered] for place in range(4)),
    )


async def _kept(c: asyncpg.Connection, some: Sequence[Tried]) -> tuple[list[Tried], list[Tried]]:
    """Tell of which attempts the delivery is there, and which belong into the log; both stay so until the transaction ends.

    Nobody is waited for: who deletes a row deletes what hangs on it last, and so finds what was written meanwhile.
    """
    rows = await c.fetch(
        "select d.id from deliveries d join unnest($1::uuid[], $2::uuid[]) as n (tenant, id) using (tenant, id) "
        "for key share of d skip locked",
        [one.key[0] for one in some],
        [one.delivery for one in some],
    )
    held = {row["id"] for row in rows}
    there = [one for one in some if one.delivery in held]
    if len(there) == len(some):
        return there, there
    # A replay that is cancelled takes its deliveries with it; what was sent of it was sent all the same.
    left = [one for one in some if one.delivery not in held]
    rows = await c.fetch(
        "select e.id from events e join unnest($1::uuid[], $2::uuid[]) as n (tenant, id) using (tenant, id) for key share of e skip locked",
        [one.key[0] for one in left],
        [one.event for one in left],
    )
    held = {row["id"] for row in rows}
    return there, [*there, *(one for one in left if one.event in held)]


async def give_up(c: asyncpg.Connection, key: Key, error: str) -> None:
    """What waits for the endpoint has failed; it can be recovered later."""
    await c.execute(
        "update deliveries set state = 'failed', error = $3, settled_at = now() where tenant = $1 and endpoint = $2 and state = 'waiting'",
        *key,
        error,
    )


async def again(c: asyncpg.Connection, key: Key, id: UUID) -> None:
    """A delivery is due now, with its whole schedule before it.  Raises: DeliveryMissing, PayloadGone."""
    row = await c.fetchrow(
        "select exists (select from events e where e.tenant = d.tenant and e.id = d.event) as kept from deliveries d "
        "where d.tenant = $1 and d.endpoint = $2 and d.id = $3",
        *key,
        id,
    )
    if row is None:
        raise DeliveryMissing("This webhook has no such delivery.")
    if not row["kept"]:
        raise PayloadGone("Replay the time in which it happened instead.")
    await c.execute(
        "update deliveries set state = 'waiting', step = 0, next_at = now(), settled_at = null where tenant = $1 and id = $2", key[0], id
    )


async def recover(c: asyncpg.Connection, key: Key, since: datetime) -> int:
    """Everything that has failed and was made since then is due now; tell how much."""
    tag = await c.execute(
        "update deliveries d set state = 'waiting', step = 0, next_at = now(), settled_at = null "
        "where d.tenant = $1 and d.endpoint = $2 and d.state = 'failed' and d.made_at >= $3 "
        "and exists (select from events e where e.tenant = d.tenant and e.id = d.event)",
        *key,
        since,
    )
    return int(tag.rpartition(" ")[2])


_SHOWN = "id, endpoint, event, source, type, device, chat, state, attempts, next_at, made_at, settled_at, status, error"


async def page(
    c: asyncpg.Connection,
    tenant: TenantId,
    *,
    endpoint: UUID | None = None,
    event: UUID | None = None,
    state: str | None = None,
    type: str | None = None,
    endpoints: Collection[UUID] | None = None,
    before: UUID | None = None,
    limit: int,
) -> list[Any]:
    """Read *limit* deliveries, newest first, before *before*; of one endpoint, of one event, of some *endpoints* alone."""
    where, values = ["tenant = $1"], [tenant]
    for condition, value in (
        ("endpoint = ${}", endpoint),
        ("event = ${}", event),
        ("state = ${}", state),
        ("type = ${}", type),
        ("endpoint = any(${}::uuid[])", None if endpoints is None else list(endpoints)),
        ("id < ${}", before),
    ):
        if value is not None:
            values.append(value)  # type: ignore[arg-type]
            where.append(condition.format(len(values)))
    return list(await c.fetch(f"select {_SHOWN} from deliveries where {' and '.join(where)} order by id desc limit {int(limit)}", *values))  # noqa: S608


async def find(c: asyncpg.Connection, key: Key, id: UUID) -> Any:
    """Read one delivery with its event's content.  Raises: DeliveryMissing."""
    row = await c.fetchrow(
        f"select d.*, e.at, e.data from (select {_SHOWN}, tenant from deliveries where tenant = $1 and endpoint = $2 and id = $3) d "  # noqa: S608
        "left join events e on e.tenant = d.tenant and e.id = d.event",
        *key,
        id,
    )
    if row is None:
        raise DeliveryMissing("This webhook has no such delivery.")
    return row


async def attempts(
    c: asyncpg.Connection,
    tenant: TenantId,
    endpoint: UUID,
    *,
    delivery: UUID | None = None,
    event: UUID | None = None,
    failed: bool | None = None,
    before: UUID | None = None,
    limit: int,
) -> list[Any]:
    """Read *limit* attempts at an endpoint, newest first, before *before*."""
    where, values = ["tenant = $1", "endpoint = $2"], [tenant, endpoint]
    for condition, value in (("delivery = ${}", delivery), ("event = ${}", event), ("id < ${}", before)):
        if value is not None:
            values.append(value)
            where.append(condition.format(len(values)))
    if failed is not None:
        where.append("error is not null" if failed else "error is null")
    columns = "id, delivery, event, type, number, at, status, error, latency_ms, answer"
    return list(await c.fetch(f"select {columns} from attempts where {' and '.join(where)} order by id desc limit {int(limit)}", *values))  # noqa: S608


async def statistics(c: asyncpg.Connection, key: Key, since: datetime) -> tuple[list[Any], int]:
    """Read an endpoint's hours since then, and how much waits."""
    rows = await c.fetch(
        "select hour, delivered, failed, latency_ms, slowest_ms from statistics where tenant = $1 and endpoint = $2 and hour >= $3 "
        "order by hour",
        *key,
        since,
    )
    waiting = await c.fetchval("select count(*) from deliveries where tenant = $1 and endpoint = $2 and state = 'waiting'", *key)
    return list(rows), int(waiting)


async def sweep(system: asyncpg.Connection, table: str, column: str, before: datetime, limit: int) -> int:
    """Delete up to *limit* rows that are older than that, whoever's they are."""
    unless = " and state <> 'waiting'" if table == "deliveries" else ""
    tag = await system.execute(
        f"delete from {table} where ctid = any(array(select ctid from {table} where {column} < $1{unless} limit $2))",  # noqa: S608
        before,
        limit,
    )
    return int(tag.rpartition(" ")[2])
