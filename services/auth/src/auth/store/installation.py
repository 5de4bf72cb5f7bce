"""What belongs to the installation and to no account: signing keys, invitations, failed attempts, settings."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.ids import TenantId
from servicekit.db import Tx
from sqlalchemy import case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql

from auth import keys
from auth.domain import ATTEMPTS_FORGOTTEN, hold
from auth.store.tables import installation, invitations, login_attempts, signing_keys

_FIRST_ACCOUNT = "first-account"
_NEVER = datetime.fromtimestamp(0, UTC)


async def signing(system: Tx, vault: keys.Vault, now: datetime) -> list[keys.SealedKey]:
    """Read the keys that are not retired, and make the first one if there is none: replicas that start together wait for each other."""
    await system.execute(select(func.pg_advisory_xact_lock(func.hashtext("auth.signing_keys"))))
    kept = await _unretired(system, now)
    if not kept:
        kept = [await _make(system, vault, now)]
    return kept


async def rotate(system: Tx, vault: keys.Vault, now: datetime, outlast: timedelta) -> keys.SealedKey:
    """Make a new signing key; those before it are good for *outlast*, in which every token that they signed ends."""
    await system.execute(select(func.pg_advisory_xact_lock(func.hashtext("auth.signing_keys"))))
    await system.execute(update(signing_keys).where(signing_keys.c.retired_at.is_(None)).values(retired_at=now + outlast))
    return await _make(system, vault, now)


async def retired(system: Tx, now: datetime) -> list[str]:
    """Name the keys that are no longer good."""
    return [row.kid for row in await system.execute(select(signing_keys.c.kid).where(signing_keys.c.retired_at <= now))]


async def reseal(system: Tx, vault: keys.Vault) -> int:
    """Seal every signing key anew, and tell how many.  Raises: WrongEncryptionKey."""
    await system.execute(select(func.pg_advisory_xact_lock(func.hashtext("auth.signing_keys"))))
    rows = (await system.execute(select(signing_keys.c.kid, signing_keys.c.private))).all()
    for row in rows:
        sealed = vault.seal(vault.open(row.private, what=row.kid), what=row.kid)
        await system.execute(update(signing_keys).where(signing_keys.c.kid == row.kid).values(private=sealed))
    return len(rows)


async def _make(system: Tx, vault: keys.Vault, now: datetime) -> keys.SealedKey:
    made = keys.make(vault, now)
    values = {"kid": made.kid, "private": made.private, "public": dict(made.public), "created_at": made.created_at}
    await system.execute(insert(signing_keys).values(values))
    return made


async def _unretired(system: Tx, now: datetime) -> list[keys.SealedKey]:
    good = or_(signing_keys.c.retired_at.is_(None), signing_keys.c.retired_at > now)
    rows = await system.execute(select(signing_keys).where(good).order_by(signing_keys.c.created_at))
    return [keys.SealedKey(kid=row.kid, private=row.private, public=row.public, created_at=row.created_at) for row in rows]


async def be_first(tx: Tx, tenant: TenantId, at: datetime) -> bool:
    """Make this account the installation's first; False when another one is."""
    row = postgresql.insert(installation).values(key=_FIRST_ACCOUNT, value=str(tenant), at=at)
    return (await tx.execute(row.on_conflict_do_nothing().returning(installation.c.key))).first() is not None


async def invite(system: Tx, code: bytes, now: datetime, lifetime: timedelta) -> None:
    """Keep the hash of a code that opens one account."""
    await system.execute(insert(invitations).values(code_hash=code, created_at=now, expires_at=now + lifetime))


async def redeem(tx: Tx, code: bytes, now: datetime) -> bool:
    """Use a code up; False when it is unknown, used or too old."""
    statement = (
        update(invitations)
        .where(invitations.c.code_hash == code, invitations.c.used_at.is_(None), invitations.c.expires_at > now)
        .values(used_at=now)
        .returning(invitations.c.code_hash)
    )
    return (await tx.execute(statement)).first() is not None


@dataclass(frozen=True, slots=True)
class Hold:
    """No attempt is taken until then; *first*: this is the first one that learns of it."""

    until: datetime
    first: bool


async def attempt(system: Tx, email: bytes, now: datetime) -> Hold | None:
    """Count an attempt to sign in before it is made; None when it may be.

    Counting first is what holds many guesses at once: the fifth sets the hold, whether or not the four before have been answered.
    """
    new = postgresql.insert(login_attempts).values(email_hash=email, failures=1, at=now, held_until=_NEVER)
    forgotten = login_attempts.c.at < now - ATTEMPTS_FORGOTTEN
    counted = new.on_conflict_do_update(
        index_elements=["email_hash"],
        set_={"failures": case((forgotten, 1), else_=login_attempts.c.failures + 1), "at": now},
        where=login_attempts.c.held_until <= now,
    )
    failures: int | None = (await system.execute(counted.returning(login_attempts.c.failures))).scalar_one_or_none()
    row = login_attempts.c.email_hash == email
    if failures is not None:
        # not set to now where there is no hold: an attempt that began a moment earlier and is counted later would be held
        if held_for := hold(failures):
            await system.execute(update(login_attempts).where(row).values(held_until=now + held_for))
        return None
    untold = login_attempts.c.told_until.is_distinct_from(login_attempts.c.held_until)
    told = update(login_attempts).where(row, untold).values(told_until=login_attempts.c.held_until)
    first = (await system.execute(told.returning(login_attempts.c.failures))).first() is not None
    until: datetime = (await system.execute(select(login_attempts.c.held_until).where(row))).scalar_one()
    return Hold(until, first)


async def touch(system: Tx, email: bytes) -> None:
    """Write a row as it is: for an address that nobody has, a commit that reaches the disk like that of one which somebody has."""
    await system.execute(update(login_attempts).where(login_attempts.c.email_hash == email).values(at=login_attempts.c.at))


async def succeeded(tx: Tx, email: bytes) -> None:
    """Forget the attempts."""
    await tx.execute(delete(login_attempts).where(login_attempts.c.email_hash == email))


async def forget_attempts(tx: Tx, before: datetime) -> None:
    """Delete the counts that nobody added to since *before*."""
    await tx.execute(delete(login_attempts).where(login_attempts.c.at < before))
