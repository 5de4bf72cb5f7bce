"""How each device came to stand where it stands: one row for each change of what is wanted of it and what it is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from contracts.events.devices import DeviceState
from contracts.ids import DeviceId, TenantId
from contracts.principal import Actor
from servicekit.db import Tx, raw

from device_worker.domain import Device, Wanted

#: What is worth a row when it changes.
TELLING = ("state", "wanted", "reason", "action", "until")

#: For so long, or until so many newer ones have come, whichever is first.
_LIVES = timedelta(days=90)
_MOST = 1000
_LOOK_EVERY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change. *actor*: who ordered it; None where it came by itself."""

    revision: int
    at: datetime
    state: DeviceState
    wanted: Wanted
    reason: str | None
    action: str | None
    until: datetime | None
    actor_kind: Literal["user", "key"] | None
    actor: UUID | None


async def add(tx: Tx, device: Device, actor: Actor | None) -> None:
    """Keep how *device* stands now, and now and then forget what is more than anybody reads."""
    connection = await raw(tx)
    if device.revision % _LOOK_EVERY == 0:
        await connection.execute(
            "delete from history where tenant = $1 and device = $2 and revision <= (select revision from history "
            "where tenant = $1 and device = $2 order by revision desc offset $3 limit 1)",
            device.tenant,
            device.id,
            _MOST,
        )
    await connection.execute(
        "insert into history (tenant, device, revision, at, state, wanted, reason, action, until, actor_kind, actor) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
        device.tenant,
        device.id,
        device.revision,
        device.changed_at,
        device.state.value,
        device.wanted.value,
        device.reason,
        device.action,
        device.until,
        actor.kind if actor else None,
        actor.id if actor else None,
    )


async def page(tx: Tx, tenant: TenantId, device: DeviceId, before: int | None, limit: int) -> list[Step]:
    """Read up to *limit* changes, the latest first, older than the revision *before*."""
    rows = await (await raw(tx)).fetch(
        "select revision, at, state, wanted, reason, action, until, actor_kind, actor from history "
        "where tenant = $1 and device = $2 and ($3::bigint is null or revision < $3) order by revision desc limit $4",
        tenant,
        device,
        before,
        limit,
    )
    return [Step(**(dict(row) | {"state": DeviceState(row["state"]), "wanted": Wanted(row["wanted"])})) for row in rows]


async def sweep(tx: Tx, limit: int = 1000) -> int:
    """Delete what is old; give how many rows that were."""
    connection = await raw(tx)
    old = await connection.fetch(
        "delete from history where (tenant, device, revision) in "
        "(select tenant, device, revision from history where at < now() - $1::interval limit $2) returning 1",
        _LIVES,
        limit,
    )
    return len(old)
