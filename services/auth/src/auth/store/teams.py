"""Teams and who is in them."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from contracts.ids import TenantId, UserId
from servicekit.db import Tx
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from auth.domain import Team, TeamMissing, TeamNameTaken
from auth.store.tables import team_members, teams


async def add(tx: Tx, team: Team) -> None:
    """Keep a new team with its members.  Raises: TeamNameTaken."""
    row = insert(teams).values(tenant=team.tenant, id=team.id, name=team.name, created_at=team.created_at)
    if (await tx.execute(row.on_conflict_do_nothing(constraint="teams_name_key").returning(teams.c.id))).first() is None:
        raise TeamNameTaken("Take another name.")
    await _fill(tx, team)


async def find(tx: Tx, tenant: TenantId, id: UUID, *, lock: bool = False) -> Team:
    """Read a team; with *lock* hold its row.  Raises: TeamMissing: none, or another tenant's."""
    if lock:
        await tx.execute(select(teams.c.id).where(teams.c.tenant == tenant, teams.c.id == id).with_for_update())
    row = (await tx.execute(_select(tenant).where(teams.c.id == id))).one_or_none()
    if row is None:
        raise TeamMissing("No team of this account has this id.")
    return _team(row)


async def page(tx: Tx, tenant: TenantId, *, after: UUID | None, limit: int) -> list[Team]:
    """Read *limit* teams in the order of their making, those after *after*."""
    statement = _select(tenant).order_by(teams.c.id).limit(limit)
    if after is not None:
        statement = statement.where(teams.c.id > after)
    return [_team(row) for row in await tx.execute(statement)]


async def missing(tx: Tx, tenant: TenantId, ids: Collection[UUID]) -> set[UUID]:
    """Tell which of *ids* no team of the account has; those that are there stay until *tx* ends."""
    known = await tx.execute(select(teams.c.id).where(teams.c.tenant == tenant, teams.c.id.in_(ids)).with_for_update(read=True))
    return set(ids) - {row.id for row in known}


async def save(tx: Tx, team: Team) -> None:
    """Keep a team's name and members.  Raises: TeamNameTaken."""
    try:
        async with tx.begin_nested():
            await tx.execute(update(teams).where(teams.c.tenant == team.tenant, teams.c.id == team.id).values(name=team.name))
    except IntegrityError:
        raise TeamNameTaken("Take another name.") from None
    await tx.execute(delete(team_members).where(team_members.c.tenant == team.tenant, team_members.c.team == team.id))
    await _fill(tx, team)


async def put(tx: Tx, tenant: TenantId, user: UserId, ids: Collection[UUID]) -> None:
    """Somebody is in these teams and in no other."""
    await tx.execute(delete(team_members).where(team_members.c.tenant == tenant, team_members.c.user == user))
    if ids:
        await tx.execute(insert(team_members), [{"tenant": tenant, "team": team, "user": user} for team in sorted(ids)])


async def remove(tx: Tx, tenant: TenantId, id: UUID) -> None:
    """The team is no more."""
    await tx.execute(delete(teams).where(teams.c.tenant == tenant, teams.c.id == id))


async def _fill(tx: Tx, team: Team) -> None:
    if team.members:
        values = [{"tenant": team.tenant, "team": team.id, "user": user} for user in sorted(team.members)]
        await tx.execute(insert(team_members), values)


def _select(tenant: TenantId) -> Select[Any]:
    theirs = select(team_members.c.user).where(team_members.c.tenant == teams.c.tenant, team_members.c.team == teams.c.id)
    ordered = theirs.order_by(team_members.c.user)
    return select(teams, func.array(ordered.scalar_subquery()).label("members")).where(teams.c.tenant == tenant)


def _team(row: Any) -> Team:
    members = tuple(UserId(id) for id in row.members)
    return Team(id=row.id, tenant=TenantId(row.tenant), name=row.name, created_at=row.created_at, members=members)
