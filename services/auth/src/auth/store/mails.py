"""Mail that waits, and the links to a new password."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts import ids
from contracts.ids import TenantId, UserId
from servicekit.db import Tx
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql

from auth.store.tables import mails, password_resets


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that is to be sent now; *attempts* were made before."""

    id: UUID
    sealed: bytes
    made_at: datetime
    attempts: int


async def add(tx: Tx, sealed: bytes, now: datetime) -> None:
    """Keep a mail: it leaves soon."""
    await tx.execute(insert(mails).values(id=ids.new(), sealed=sealed, made_at=now, next_at=now, attempts=0))


async def take(system: Tx, now: datetime, hold: timedelta, limit: int) -> list[Waiting]:
    """Take mails that are due; nobody else gets them for *hold*, after which one whose sender died is due again."""
    due = select(mails.c.id).where(mails.c.next_at <= now).order_by(mails.c.next_at).limit(limit).with_for_update(skip_locked=True)
    taking = update(mails).where(mails.c.id.in_(due)).values(next_at=now + hold, attempts=mails.c.attempts + 1)
    rows = await system.execute(taking.returning(mails.c.id, mails.c.sealed, mails.c.made_at, mails.c.attempts))
    return [Waiting(row.id, row.sealed, row.made_at, row.attempts - 1) for row in rows]


async def postpone(system: Tx, id: UUID, until: datetime) -> None:
    """Try again then."""
    await system.execute(update(mails).where(mails.c.id == id).values(next_at=until))


async def done(system: Tx, id: UUID) -> None:
    """It was sent, or never will be."""
    await system.execute(delete(mails).where(mails.c.id == id))


async def every(system: Tx) -> list[tuple[UUID, bytes]]:
    """Read all mails as they are sealed, and hold their rows."""
    return [(row.id, row.sealed) for row in await system.execute(select(mails.c.id, mails.c.sealed).with_for_update())]


async def reseal(system: Tx, id: UUID, sealed: bytes) -> None:
    """Keep a mail sealed anew."""
    await system.execute(update(mails).where(mails.c.id == id).values(sealed=sealed))


async def allow_reset(tx: Tx, tenant: TenantId, user: UserId, token: bytes, until: datetime) -> None:
    """Who has the token with this hash may set the user's password until then; said twice it is the same."""
    row = postgresql.insert(password_resets).values(tenant=tenant, hash=token, user=user, expires_at=until)
    await tx.execute(row.on_conflict_do_nothing())


async def redeem_reset(tx: Tx, tenant: TenantId, token: bytes, now: datetime) -> UserId | None:
    """Use a token up, and with it all others of its user; None when it is unknown, used or too old."""
    statement = (
        update(password_resets)
        .where(password_resets.c.tenant == tenant, password_resets.c.hash == token)
        .where(password_resets.c.used_at.is_(None), password_resets.c.expires_at > now)
        .values(used_at=now)
        .returning(password_resets.c.user)
    )
    user = (await tx.execute(statement)).scalar_one_or_none()
    if user is None:
        return None
    await tx.execute(
        update(password_resets)
        .where(password_resets.c.tenant == tenant, password_resets.c.user == user)
        .values(used_at=func.coalesce(password_resets.c.used_at, now))
    )
    return UserId(user)


async def forget_resets(system: Tx, before: datetime) -> None:
    """Delete the tokens that ran out before then."""
    await system.execute(delete(password_resets).where(password_resets.c.expires_at < before))
