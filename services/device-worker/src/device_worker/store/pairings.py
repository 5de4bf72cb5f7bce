"""What a pairing shows: the QR of now, or the code for a phone."""

from dataclasses import dataclass
from datetime import datetime

from contracts.ids import DeviceId, TenantId
from servicekit.db import Tx, raw


@dataclass(frozen=True, slots=True)
class Pairing:
    """One pairing under way. *phone* is set when somebody asked for a code for it."""

    qr: str | None
    qr_expires_at: datetime | None
    phone: str | None
    code: str | None
    code_expires_at: datetime | None
    code_error: str | None


async def find(tx: Tx, tenant: TenantId, device: DeviceId) -> Pairing | None:
    """Read it; None when nothing is shown."""
    row = await (await raw(tx)).fetchrow(
        "select qr, qr_expires_at, phone, code, code_expires_at, code_error from pairings where tenant = $1 and device = $2",
        tenant,
        device,
    )
    return None if row is None else Pairing(**row)


async def ask_code(tx: Tx, tenant: TenantId, device: DeviceId, phone: str) -> None:
    """Want a code for *phone*; an older one is forgotten, unless it is for the same phone and still good."""
    await (await raw(tx)).execute(
        "insert into pairings (tenant, device, phone) values ($1, $2, $3) on conflict (tenant, device) do update "
        "set phone = excluded.phone, code = null, code_expires_at = null, code_error = null "
        "where pairings.phone is distinct from excluded.phone or pairings.code_expires_at < now() or pairings.code_error is not null",
        tenant,
        device,
        phone,
    )


async def show_qr(tx: Tx, tenant: TenantId, device: DeviceId, qr: str, expires_at: datetime) -> None:
    """Show this QR from now on."""
    await (await raw(tx)).execute(
        "insert into pairings (tenant, device, qr, qr_expires_at) values ($1, $2, $3, $4) on conflict (tenant, device) do update "
        "set qr = excluded.qr, qr_expires_at = excluded.qr_expires_at",
        tenant,
        device,
        qr,
        expires_at,
    )


async def show_code(
    tx: Tx, tenant: TenantId, device: DeviceId, phone: str, code: str | None, expires_at: datetime | None, error: str | None
) -> None:
    """Answer who asked for a code for *phone*: with the code, or with why there is none."""
    await (await raw(tx)).execute(
        "update pairings set code = $4, code_expires_at = $5, code_error = $6 where tenant = $1 and device = $2 and phone = $3",
        tenant,
        device,
        phone,
        code,
        expires_at,
        error,
    )


async def drop(tx: Tx, tenant: TenantId, device: DeviceId) -> None:
    """Show nothing any more."""
    await (await raw(tx)).execute("delete from pairings where tenant = $1 and device = $2", tenant, device)
