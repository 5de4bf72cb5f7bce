"""API keys."""

from datetime import datetime
from uuid import UUID

from contracts.ids import TenantId
from contracts.principal import Role, Scope
from servicekit.db import Tx
from sqlalchemy import RowMapping, insert, or_, select, update

from auth.domain import ApiKey, KeyMissing
from auth.store.tables import api_keys


async def add(tx: Tx, key: ApiKey) -> None:
    """Keep a new key."""
    await tx.execute(
        insert(api_keys).values(tenant=key.tenant, id=key.id, created_by=key.created_by, created_at=key.created_at, **_own(key))
    )


async def find(tx: Tx, tenant: TenantId, id: UUID, *, lock: bool = False) -> ApiKey:
    """Read a key that is not revoked; with *lock* hold its row.  Raises: KeyMissing: none, revoked, or another tenant's."""
    statement = select(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
    row = (await tx.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    if row is None:
        raise KeyMissing("No key of this account has this id.")
    return _key(row)


async def page(tx: Tx, tenant: TenantId, *, after: UUID | None, limit: int) -> list[ApiKey]:
    """Read *limit* keys that are not revoked in the order of their making, those after *after*."""
    statement = select(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.revoked_at.is_(None)).order_by(api_keys.c.id).limit(limit)
    if after is not None:
        statement = statement.where(api_keys.c.id > after)
    return [_key(row) for row in (await tx.execute(statement)).mappings()]


async def save(tx: Tx, key: ApiKey) -> None:
    """Keep a key as it is now."""
    await tx.execute(update(api_keys).where(api_keys.c.tenant == key.tenant, api_keys.c.id == key.id).values(**_own(key)))


async def by_secret(system: Tx, secret: bytes) -> ApiKey | None:
    """Read the key whose present or previous secret has this hash; *system* sees all tenants."""
    statement = select(api_keys).where(or_(api_keys.c.secret_hash == secret, api_keys.c.previous_hash == secret)).limit(1)
    row = (await system.execute(statement)).mappings().one_or_none()
    return None if row is None else _key(row)


async def note_use(system: Tx, key: ApiKey, now: datetime) -> None:
    """Remember that the key was used now."""
    await system.execute(update(api_keys).where(api_keys.c.tenant == key.tenant, api_keys.c.id == key.id).values(last_used_at=now))


def _own(key: ApiKey) -> dict[str, object]:
    return {
        "name": key.name,
        "prefix": key.prefix,
        "secret_hash": key.secret_hash,
        "previous_hash": key.previous_hash,
        "previous_until": key.previous_until,
        "role": key.role.value,
        "scopes": sorted(scope.value for scope in key.scopes),
        "version": key.version,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(**{**row, "role": Role(row["role"]), "scopes": frozenset(Scope(scope) for scope in row["scopes"])})
