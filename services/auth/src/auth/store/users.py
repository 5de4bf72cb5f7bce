"""Accounts and the people in them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from contracts.events.auth import Limits
from contracts.ids import TenantId, UserId
from contracts.principal import Role
from servicekit.db import Tx
from sqlalchemy import RowMapping, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from auth.domain import Account, EmailTaken, User, UserMissing
from auth.store.tables import accounts, api_keys, raised_versions, users


async def open_account(tx: Tx, account: Account, owner: User) -> None:
    """Keep a new account with its first user.  Raises: EmailTaken."""
    await tx.execute(
        insert(accounts).values(
            tenant=account.id,
            name=account.name,
            time_zone=account.time_zone,
            locale=account.locale,
            currency=account.currency,
            created_at=account.created_at,
        )
    )
    await add(tx, owner)


async def add(tx: Tx, user: User) -> None:
    """Keep a new user.  Raises: EmailTaken: somebody of this or any other account has the address."""
    values = {
        "tenant": user.tenant,
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role.value,
        "password_hash": user.password_hash,
        "active": user.active,
        "installation": user.installation,
        "version": user.version,
        "created_at": user.created_at,
    }
    # the constraint sees all tenants; a query under row-level security would not
    statement = insert(users).values(values).on_conflict_do_nothing(constraint="users_email_key").returning(users.c.id)
    if (await tx.execute(statement)).first() is None:
        raise EmailTaken("Sign in instead, or take another one.")


async def account(tx: Tx, tenant: TenantId, *, lock: bool = False) -> Account:
    """Read the account; with *lock* hold its row, so that changes of its people happen one after another."""
    statement = select(accounts).where(accounts.c.tenant == tenant)
    row = (await tx.execute(statement.with_for_update() if lock else statement)).mappings().one()
    return account_of(row)


async def find(tx: Tx, tenant: TenantId, id: UserId, *, lock: bool = False) -> User:
    """Read a user; with *lock* hold the row until *tx* ends.  Raises: UserMissing: none, or another tenant's."""
    statement = select(users).where(users.c.tenant == tenant, users.c.id == id)
    row = (await tx.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    if row is None:
        raise UserMissing("Nobody in this account has this id.")
    return _user(row)


async def by_email(system: Tx, email: str) -> User | None:
    """Read the one user of the installation with this address; *system* sees all tenants."""
    row = (await system.execute(select(users).where(users.c.email == email))).mappings().one_or_none()
    return None if row is None else _user(row)


async def page(tx: Tx, tenant: TenantId, *, after: UUID | None, limit: int) -> list[User]:
    """Read *limit* users of the account in the order of their making, those after *after*."""
    statement = select(users).where(users.c.tenant == tenant).order_by(users.c.id).limit(limit)
    if after is not None:
        statement = statement.where(users.c.id > after)
    return [_user(row) for row in (await tx.execute(statement)).mappings()]


async def active(tx: Tx, tenant: TenantId) -> int:
    """Count the active people of the account."""
    count: int = (await tx.execute(select(func.count()).where(users.c.tenant == tenant, users.c.active))).scalar_one()
    return count


async def missing(tx: Tx, tenant: TenantId, ids: Collection[UserId]) -> set[UserId]:
    """Tell which of *ids* nobody of the account has."""
    known = await tx.execute(select(users.c.id).where(users.c.tenant == tenant, users.c.id.in_(ids)))
    return set(ids) - {UserId(row.id) for row in known}


async def other_owners(tx: Tx, tenant: TenantId, id: UserId) -> bool:
    """Tell whether somebody else is an active owner of the account."""
    owners = select(users.c.id).where(users.c.tenant == tenant, users.c.role == Role.OWNER.value, users.c.active)
    return (await tx.execute(owners.where(users.c.id != id).limit(1))).first() is not None


async def save(tx: Tx, user: User) -> None:
    """Keep a user's name, role, standing, password and version."""
    await tx.execute(
        update(users)
        .where(users.c.tenant == user.tenant, users.c.id == user.id)
        .values(name=user.name, role=user.role.value, active=user.active, version=user.version, password_hash=user.password_hash)
    )


async def raise_version(tx: Tx, tenant: TenantId, id: UserId, at: datetime) -> int:
    """Make every access token of the user that is out now worthless, and give the new version: it leaves with `raised`."""
    statement = (
        update(users).where(users.c.tenant == tenant, users.c.id == id).values(version=users.c.version + 1).returning(users.c.version)
    )
    version: int = (await tx.execute(statement)).scalar_one()
    await announce_version(tx, tenant, id, version, at)
    return version


async def raise_every_version(tx: Tx, tenant: TenantId, at: datetime) -> None:
    """Make every access token of the account's people and keys that is out now worthless."""
    for table in (users, api_keys):
        raising = update(table).where(table.c.tenant == tenant).values(version=table.c.version + 1)
        rows = (await tx.execute(raising.returning(table.c.id, table.c.version))).all()
        if rows:
            fresh = insert(raised_versions)
            keep = {"version": fresh.excluded.version, "at": fresh.excluded.at}
            values = [{"tenant": tenant, "user": row.id, "version": row.version, "at": at} for row in rows]
            await tx.execute(fresh.on_conflict_do_update(index_elements=["tenant", "user"], set_=keep), values)


async def announce_version(tx: Tx, tenant: TenantId, id: UserId, version: int, at: datetime) -> None:
    """Put the user's version on its way to everyone who verifies tokens."""
    fresh = insert(raised_versions).values(tenant=tenant, user=id, version=version, at=at)
    keep = {"version": fresh.excluded.version, "at": fresh.excluded.at}
    await tx.execute(fresh.on_conflict_do_update(index_elements=["tenant", "user"], set_=keep))


async def raised(system: Tx, limit: int) -> list[tuple[TenantId, UserId, int]]:
    """Read the versions that are on their way, oldest first."""
    statement = select(raised_versions).order_by(raised_versions.c.at).limit(limit)
    return [(TenantId(row.tenant), UserId(row.user), row.version) for row in await system.execute(statement)]


async def arrived(system: Tx, versions: list[tuple[TenantId, UserId, int]]) -> None:
    """Forget versions that have reached the bus; one that was raised again meanwhile stays."""
    key = tuple_(raised_versions.c.tenant, raised_versions.c.user, raised_versions.c.version)
    await system.execute(delete(raised_versions).where(key.in_(versions)))


def account_of(row: RowMapping) -> Account:
    """Read an account out of its row."""
    return Account(
        id=TenantId(row["tenant"]),
        name=row["name"],
        time_zone=row["time_zone"],
        locale=row["locale"],
        currency=row["currency"],
        created_at=row["created_at"],
        suspended_at=row["suspended_at"],
        limits=Limits(devices=row["limit_devices"], agents=row["limit_agents"], messages_per_day=row["limit_messages_per_day"]),
        revision=row["revision"],
    )


def _user(row: RowMapping) -> User:
    return User(**{**row, "role": Role(row["role"])})
