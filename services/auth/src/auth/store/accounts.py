"""Accounts as their owners and the installation's owner see them."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from contracts.ids import TenantId
from servicekit.db import Tx
from sqlalchemy import func, select, update

from auth.domain import Account
from auth.store.tables import accounts, users
from auth.store.users import account_of


@dataclass(frozen=True, slots=True)
class Counted:
    """An account with the number of its active people."""

    account: Account
    agents: int


async def save(tx: Tx, account: Account) -> None:
    """Keep an account's profile, limits and standing."""
    await tx.execute(
        update(accounts)
        .where(accounts.c.tenant == account.id)
        .values(
            name=account.name,
            time_zone=account.time_zone,
            locale=account.locale,
            currency=account.currency,
            suspended_at=account.suspended_at,
            limit_devices=account.limits.devices,
            limit_agents=account.limits.agents,
            limit_messages_per_day=account.limits.messages_per_day,
            revision=account.revision,
        )
    )


async def tenants(system: Tx, *, after: UUID | None, limit: int) -> list[TenantId]:
    """Name *limit* accounts in the order of their making, those after *after*; every account has a person."""
    statement = select(users.c.tenant).distinct().order_by(users.c.tenant).limit(limit)
    if after is not None:
        statement = statement.where(users.c.tenant > after)
    return [TenantId(row.tenant) for row in await system.execute(statement)]


async def read(tx: Tx, some: Collection[TenantId]) -> list[Counted]:
    """Read these accounts in the order of their making."""
    agents = select(func.count()).where(users.c.tenant == accounts.c.tenant, users.c.active).scalar_subquery()
    statement = select(accounts, agents.label("agents")).where(accounts.c.tenant.in_(some)).order_by(accounts.c.tenant)
    return [Counted(account_of(row), row["agents"]) for row in (await tx.execute(statement)).mappings()]
