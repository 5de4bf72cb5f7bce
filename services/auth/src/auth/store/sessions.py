"""Sessions and their chains of refresh tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.ids import TenantId, UserId
from servicekit.db import Tx
from sqlalchemy import RowMapping, delete, insert, select, update

from auth.domain import RefreshToken, Session
from auth.store.tables import refresh_tokens, sessions


@dataclass(frozen=True, slots=True)
class Closed:
    """A session that has just come to its end."""

    tenant: TenantId
    id: UUID
    user: UserId


async def open(tx: Tx, session: Session, token: bytes) -> None:
    """Keep a new session with the hash of its first refresh token."""
    await tx.execute(
        insert(sessions).values(
            tenant=session.tenant,
            id=session.id,
            user=session.user,
            client=session.client,
            created_at=session.created_at,
            used_at=session.used_at,
            expires_at=session.expires_at,
            address=session.address,
            agent=session.agent,
        )
    )
    await tx.execute(insert(refresh_tokens).values(tenant=session.tenant, hash=token, session=session.id, expires_at=session.expires_at))


async def lock(tx: Tx, tenant: TenantId, token: bytes) -> tuple[RefreshToken, Session] | None:
    """Read a refresh token with its session and hold the session's row, so that of two exchanges one comes after the other."""
    holder = select(refresh_tokens.c.session).where(refresh_tokens.c.tenant == tenant, refresh_tokens.c.hash == token).scalar_subquery()
    statement = select(sessions).where(sessions.c.tenant == tenant, sessions.c.id == holder).with_for_update()
    row = (await tx.execute(statement)).mappings().one_or_none()
    if row is None:
        return None
    # read after the lock: whoever held it before may have used the token
    next_one = refresh_tokens.alias("next_one")
    joined = refresh_tokens.outerjoin(
        next_one, (next_one.c.tenant == refresh_tokens.c.tenant) & (next_one.c.hash == refresh_tokens.c.successor)
    )
    link = (
        await tx.execute(
            select(refresh_tokens, next_one.c.used_at.label("next_used_at"))
            .select_from(joined)
            .where(refresh_tokens.c.tenant == tenant, refresh_tokens.c.hash == token)
        )
    ).one()
    found = RefreshToken(
        hash=link.hash,
        session=link.session,
        expires_at=link.expires_at,
        used_at=link.used_at,
        successor=link.successor,
        successor_used=link.next_used_at is not None,
    )
    return found, _session(row)


async def exchange(tx: Tx, session: Session, token: bytes, successor: bytes) -> None:
    """Mark *token* as used for *successor*, and keep *session* as it is now."""
    await tx.execute(
        insert(refresh_tokens).values(tenant=session.tenant, hash=successor, session=session.id, expires_at=session.expires_at)
    )
    await tx.execute(
        update(refresh_tokens)
        .where(refresh_tokens.c.tenant == session.tenant, refresh_tokens.c.hash == token)
        .values(used_at=session.used_at, successor=successor)
    )
    await tx.execute(
        update(sessions)
        .where(sessions.c.tenant == session.tenant, sessions.c.id == session.id)
        .values(used_at=session.used_at, expires_at=session.expires_at, address=session.address, agent=session.agent)
    )


async def of_user(tx: Tx, tenant: TenantId, user: UserId, now: datetime) -> list[Session]:
    """Read the user's open sessions, the latest first."""
    statement = (
        select(sessions)
        .where(sessions.c.tenant == tenant, sessions.c.user == user, sessions.c.closed_at.is_(None), sessions.c.expires_at > now)
        .order_by(sessions.c.id.desc())
        .limit(100)
    )
    return [_session(row) for row in (await tx.execute(statement)).mappings()]


async def close(tx: Tx, tenant: TenantId, id: UUID, user: UserId, reason: str, at: datetime) -> Closed | None:
    """Close this session of this user; None: it was closed before or is not theirs."""
    return next(iter(await _close(tx, reason, at, sessions.c.tenant == tenant, sessions.c.id == id, sessions.c.user == user)), None)


async def close_all(tx: Tx, tenant: TenantId, user: UserId, reason: str, at: datetime, *, but: UUID | None = None) -> list[Closed]:
    """Close every session of this user, *but* one if it is named."""
    others = [] if but is None else [sessions.c.id != but]
    return await _close(tx, reason, at, sessions.c.tenant == tenant, sessions.c.user == user, *others)


async def expired(system: Tx, now: datetime, limit: int) -> list[tuple[TenantId, UUID]]:
    """Read sessions of any tenant whose last refresh token has run out."""
    statement = (
        select(sessions.c.tenant, sessions.c.id)
        .where(sessions.c.closed_at.is_(None), sessions.c.expires_at <= now)
        .order_by(sessions.c.expires_at)
        .limit(limit)
    )
    return [(TenantId(row.tenant), row.id) for row in await system.execute(statement)]


async def close_expired(tx: Tx, found: Sequence[tuple[TenantId, UUID]], now: datetime) -> list[Closed]:
    """Close those of *found* that still have run out."""
    ids = [id for _, id in found]
    tenants = list({tenant for tenant, _ in found})
    return await _close(tx, "expired", now, sessions.c.tenant.in_(tenants), sessions.c.id.in_(ids), sessions.c.expires_at <= now)


async def forget(system: Tx, before: datetime) -> None:
    """Delete what ended before *before*: sessions with their tokens, and old tokens of sessions that go on."""
    await system.execute(delete(sessions).where(sessions.c.closed_at < before))
    await system.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at < before))


async def _close(tx: Tx, reason: str, at: datetime, *which: Any) -> list[Closed]:
    statement = (
        update(sessions)
        .where(sessions.c.closed_at.is_(None), *which)
        .values(closed_at=at, reason=reason)
        .returning(sessions.c.tenant, sessions.c.id, sessions.c.user)
    )
    return [Closed(TenantId(row.tenant), row.id, UserId(row.user)) for row in await tx.execute(statement)]


def _session(row: RowMapping) -> Session:
    return Session(**row)
