"""Endpoints."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import asyncpg
from contracts.ids import DeviceId, TenantId, UserId

from webhooks.domain.endpoints import Endpoint, State
from webhooks.domain.problems import WebhookMissing

_COLUMNS = (
    "tenant, id, url, description, types, devices, format, ordered, rate_per_minute, concurrency, header_names, headers, secret, "
    "previous_secret, previous_until, state, reason, created_by, created_at, revision"
)


async def add(c: asyncpg.Connection, endpoint: Endpoint) -> None:
    """Keep a new endpoint."""
    places = ", ".join(f"${number}" for number in range(1, _COLUMNS.count(",") + 2))
    await c.execute(f"insert into endpoints ({_COLUMNS}) values ({places})", *_values(endpoint))  # noqa: S608


async def save(c: asyncpg.Connection, endpoint: Endpoint) -> None:
    """Keep an endpoint as it is now."""
    names = [name.strip() for name in _COLUMNS.split(",")][2:]
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(names, 3))
    await c.execute(f"update endpoints set {sets} where tenant = $1 and id = $2", *_values(endpoint))  # noqa: S608


async def find(c: asyncpg.Connection, tenant: TenantId, id: UUID, *, lock: bool = False) -> Endpoint:
    """Read an endpoint; with *lock* hold its row.  Raises: WebhookMissing: none, or another tenant's."""
    row = await get(c, tenant, id, lock=lock)
    if row is None:
        raise WebhookMissing("No webhook of this account has this id.")
    return row


async def get(c: asyncpg.Connection, tenant: TenantId, id: UUID, *, lock: bool = False) -> Endpoint | None:
    """Read an endpoint that may be gone."""
    end = " for update" if lock else ""
    row = await c.fetchrow(f"select {_COLUMNS} from endpoints where tenant = $1 and id = $2{end}", tenant, id)  # noqa: S608
    return None if row is None else _endpoint(row)


async def page(
    c: asyncpg.Connection, tenant: TenantId, *, after: UUID | None, limit: int, devices: Collection[UUID] | None
) -> list[Endpoint]:
    """Read *limit* endpoints in the order of their making; with *devices* those that are for some of these alone."""
    rows = await c.fetch(
        f"select {_COLUMNS} from endpoints where tenant = $1 and id > $2 and ($3::uuid[] is null or devices <@ $3) "  # noqa: S608
        "order by id limit $4",
        tenant,
        after or UUID(int=0),
        None if devices is None else list(devices),
        limit,
    )
    return [_endpoint(row) for row in rows]


async def count(c: asyncpg.Connection, tenant: TenantId) -> int:
    """Count the endpoints of an account, and let nobody else add one until the transaction ends."""
    await c.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"webhooks {tenant}")
    return int(await c.fetchval("select count(*) from endpoints where tenant = $1", tenant))


async def listening(c: asyncpg.Connection, tenants: Collection[TenantId]) -> dict[TenantId, list[Endpoint]]:
    """Read the endpoints of these tenants for which events are kept."""
    found: dict[TenantId, list[Endpoint]] = {}
    rows = await c.fetch(f"select {_COLUMNS} from endpoints where tenant = any($1) and state <> 'disabled'", list(tenants))  # noqa: S608
    for row in rows:
        found.setdefault(TenantId(row["tenant"]), []).append(_endpoint(row))
    return found


async def remove(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """The endpoint is no more, and nothing waits for it; its log goes when it is old."""
    await c.execute("delete from lanes where tenant = $1 and endpoint = $2", tenant, id)
    await c.execute("delete from endpoints where tenant = $1 and id = $2", tenant, id)
    await c.execute("delete from deliveries where tenant = $1 and endpoint = $2 and state = 'waiting'", tenant, id)
    await c.execute(
        "update replays set state = 'cancelled', ended_at = now() where tenant = $1 and endpoint = $2 and state in ('waiting', 'running')",
        tenant,
        id,
    )


async def sealed(system: asyncpg.Connection, after: UUID, limit: int) -> list[Any]:
    """Read what is sealed of *limit* endpoints of whatever account, and hold their rows."""
    return list(
        await system.fetch(
            "select tenant, id, secret, previous_secret, headers from endpoints where id > $1 order by id limit $2 for update", after, limit
        )
    )


async def reseal(system: asyncpg.Connection, tenant: UUID, id: UUID, secret: bytes, previous: bytes | None, headers: bytes | None) -> None:
    """Keep what is sealed of an endpoint, sealed anew."""
    await system.execute(
        "update endpoints set secret = $3, previous_secret = $4, headers = $5 where tenant = $1 and id = $2",
        tenant,
        id,
        secret,
        previous,
        headers,
    )


def _values(endpoint: Endpoint) -> list[Any]:
    return [
        endpoint.tenant,
        endpoint.id,
        endpoint.url,
        endpoint.description,
        list(endpoint.types),
        None if endpoint.devices is None else sorted(endpoint.devices),
        endpoint.format,
        endpoint.ordered,
        endpoint.rate_per_minute,
        endpoint.concurrency,
        list(endpoint.header_names),
        endpoint.headers,
        endpoint.secret,
        endpoint.previous_secret,
        endpoint.previous_until,
        endpoint.state.value,
        endpoint.reason,
        endpoint.created_by,
        endpoint.created_at,
        endpoint.revision,
    ]


def _endpoint(row: Any) -> Endpoint:
    values = dict(row)
    devices = values["devices"]
    return Endpoint(
        **values
        | {
            "tenant": TenantId(values["tenant"]),
            "types": tuple(values["types"]),
            "devices": None if devices is None else frozenset(DeviceId(id) for id in devices),
            "header_names": tuple(values["header_names"]),
            "state": State(values["state"]),
            "created_by": UserId(values["created_by"]),
        }
    )
