"""Invitations into an account. Those that open one are the installation's."""

from datetime import datetime
from uuid import UUID

from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Role
from servicekit.db import Tx
from sqlalchemy import RowMapping, insert, select, update

from auth.domain import Invitation, InvitationMissing
from auth.store.tables import account_invitations

_open = (account_invitations.c.used_at.is_(None), account_invitations.c.revoked_at.is_(None))


async def add(tx: Tx, invitation: Invitation, code: bytes) -> None:
    """Keep a new invitation with the hash of its code."""
    await tx.execute(
        insert(account_invitations).values(
            tenant=invitation.tenant,
            id=invitation.id,
            code_hash=code,
            email=invitation.email,
            role=invitation.role.value,
            teams=list(invitation.teams),
            devices=None if invitation.devices is None else list(invitation.devices),
            chats=invitation.chats,
            created_by=invitation.created_by,
            created_at=invitation.created_at,
            expires_at=invitation.expires_at,
        )
    )


async def page(tx: Tx, tenant: TenantId, now: datetime, *, after: UUID | None, limit: int) -> list[Invitation]:
    """Read *limit* open invitations in the order of their making, those after *after*."""
    statement = (
        select(account_invitations)
        .where(account_invitations.c.tenant == tenant, *_open, account_invitations.c.expires_at > now)
        .order_by(account_invitations.c.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(account_invitations.c.id > after)
    return [_invitation(row) for row in (await tx.execute(statement)).mappings()]


async def revoke(tx: Tx, tenant: TenantId, id: UUID, now: datetime) -> None:
    """It lets nobody in any more.  Raises: InvitationMissing: none, used, revoked, or another tenant's."""
    statement = update(account_invitations).where(account_invitations.c.tenant == tenant, account_invitations.c.id == id, *_open)
    if (await tx.execute(statement.values(revoked_at=now).returning(account_invitations.c.id))).first() is None:
        raise InvitationMissing("It was used or revoked, or never was.")


async def account_of(system: Tx, code: bytes) -> TenantId | None:
    """Tell which account a code leads into, whatever became of it; *system* sees all tenants."""
    statement = select(account_invitations.c.tenant).where(account_invitations.c.code_hash == code)
    found = (await system.execute(statement)).scalar_one_or_none()
    return None if found is None else TenantId(found)


async def find(tx: Tx, tenant: TenantId, code: bytes) -> Invitation | None:
    """Read the invitation with this code, whatever became of it."""
    statement = select(account_invitations).where(account_invitations.c.tenant == tenant, account_invitations.c.code_hash == code)
    row = (await tx.execute(statement)).mappings().one_or_none()
    return None if row is None else _invitation(row)


async def lock(tx: Tx, tenant: TenantId, code: bytes) -> Invitation | None:
    """Read the invitation with this code and hold its row."""
    statement = select(account_invitations).where(account_invitations.c.tenant == tenant, account_invitations.c.code_hash == code)
    row = (await tx.execute(statement.with_for_update())).mappings().one_or_none()
    return None if row is None else _invitation(row)


async def use(tx: Tx, invitation: Invitation, user: UserId, now: datetime) -> None:
    """It was used by *user*."""
    row = (account_invitations.c.tenant == invitation.tenant) & (account_invitations.c.id == invitation.id)
    await tx.execute(update(account_invitations).where(row).values(used_at=now, used_by=user))


def _invitation(row: RowMapping) -> Invitation:
    values = {name: value for name, value in row.items() if name != "code_hash"}
    devices = None if row["devices"] is None else tuple(DeviceId(id) for id in row["devices"])
    return Invitation(**{**values, "role": Role(row["role"]), "teams": tuple(row["teams"]), "devices": devices})
