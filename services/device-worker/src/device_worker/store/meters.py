"""What was counted of each number: see `domain.governor`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contracts.ids import DeviceId, TenantId
from servicekit.db import Tx, raw

from device_worker.domain.governor import Meter

COLUMNS = ("tokens", "counted_at", "day", "new_contacts", "messages", "not_before", "paused_until", "paused_why")


async def find(tx: Tx, tenant: TenantId, device: DeviceId) -> Meter | None:
    """Read it; None while nothing was counted."""
    row = await (await raw(tx)).fetchrow(
        "select tokens, counted_at, day, new_contacts, messages, not_before, paused_until, paused_why "
        "from meters where tenant = $1 and device = $2",
        tenant,
        device,
    )
    return None if row is None else of(row)


async def save(tx: Tx, tenant: TenantId, device: DeviceId, meter: Meter) -> None:
    """Write what was counted; a pause that somebody set meanwhile stays."""
    await (await raw(tx)).execute(
        "insert into meters (tenant, device, tokens, counted_at, day, new_contacts, messages, not_before) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (tenant, device) do update set tokens = excluded.tokens, "
        "counted_at = excluded.counted_at, day = excluded.day, new_contacts = excluded.new_contacts, messages = excluded.messages, "
        "not_before = excluded.not_before",
        tenant,
        device,
        meter.tokens,
        meter.counted_at,
        meter.day,
        meter.new_contacts,
        meter.messages,
        meter.not_before,
    )


async def pause(tx: Tx, tenant: TenantId, device: DeviceId, at: datetime, until: datetime | None, why: str | None) -> None:
    """Let nothing go before *until*; None ends a pause. Where nothing was counted yet, everything is left: more tokens than any burst."""
    await (await raw(tx)).execute(
        "insert into meters (tenant, device, tokens, counted_at, day, new_contacts, messages, paused_until, paused_why) "
        "values ($1, $2, 1000, $3, ($3 at time zone 'UTC')::date - 2, 0, 0, $4, $5) "
        "on conflict (tenant, device) do update set paused_until = excluded.paused_until, paused_why = excluded.paused_why",
        tenant,
        device,
        at,
        until,
        why,
    )


def of(row: Mapping[str, Any]) -> Meter:
    """Read the columns of a row."""
    return Meter(**{name: row[name] for name in COLUMNS})
