"""Who works in each account, and in which teams: what auth told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from contracts.envelope import Envelope
from contracts.events.auth import TeamChanged, TeamCreated, TeamDeleted, UserChanged, UserCreated
from contracts.ids import TenantId, UserId
from contracts.principal import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of an account.

    Attributes:
        capacity: The open chats that he may be given; None: as many as the account says for an agent, none for other roles.
        turn: Grows with each automatic assignment in the account.
    """

    id: UserId
    name: str
    role: Role
    active: bool
    capacity: int | None
    turn: int
    last_seen_at: datetime | None


async def learn_users(c: asyncpg.Connection, facts: Sequence[Envelope[UserCreated | UserChanged]]) -> None:
    """The people stand as the newest fact of each says; a version decides, not the order of arrival."""
    newest: dict[tuple[TenantId, UserId], tuple[str, Role, bool, int]] = {}
    for fact in facts:
        data = fact.data
        key = fact.tenant, data.user
        row = (data.name, data.role, data.active, data.version) if isinstance(data, UserChanged) else (data.name, data.role, True, 0)
        if key not in newest or newest[key][3] < row[3]:
            newest[key] = row
    if not newest:
        return
    keys = sorted(newest)
    await c.execute(
        """
        insert into agents as a (tenant, id, name, role, active, version)
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::bigint[])
        on conflict (tenant, id) do update
           set name = excluded.name, role = excluded.role, active = excluded.active, version = excluded.version
         where a.version < excluded.version
        """,
        *zip(*keys, strict=True),
        *zip(*(newest[key] for key in keys), strict=True),
    )


async def learn_teams(c: asyncpg.Connection, facts: Sequence[Envelope[TeamCreated | TeamChanged | TeamDeleted]]) -> None:
    """The teams stand as the newest fact of each says; one that is no more stays so."""
    for fact in sorted(facts, key=lambda one: (one.tenant, one.data.team, one.occurred_at)):
        gone = isinstance(fact.data, TeamDeleted)
        await c.execute(
            """
            insert into teams as t (tenant, id, name, members, deleted, told_at) values ($1, $2, $3, $4, $5, $6)
            on conflict (tenant, id) do update
               set name = excluded.name, members = excluded.members, deleted = excluded.deleted, told_at = excluded.told_at
             where t.told_at < excluded.told_at and not t.deleted
            """,
            fact.tenant,
            fact.data.team,
            fact.data.name,
            [] if isinstance(fact.data, TeamDeleted) else list(fact.data.members),
            gone,
            fact.occurred_at,
        )


async def every(c: asyncpg.Connection, tenant: TenantId) -> list[Person]:
    """List the active people of an account, by name."""
    rows = await c.fetch(
        "select id, name, role, active, capacity, turn, last_seen_at from agents where tenant = $1 and active order by name, id", tenant
    )
    return [_person(row) for row in rows]


async def active(c: asyncpg.Connection, tenant: TenantId, users: Collection[UserId]) -> dict[UserId, str]:
    """Read the names of those of *users* who can sign in."""
    rows = await c.fetch("select id, name from agents where tenant = $1 and id = any ($2::uuid[]) and active", tenant, list(users))
    return {row[0]: row[1] for row in rows}


async def is_active(c: asyncpg.Connection, tenant: TenantId, user: UserId) -> bool:
    """Tell whether somebody of the account with this id can sign in."""
    return bool(await active(c, tenant, [user]))


async def is_team(c: asyncpg.Connection, tenant: TenantId, team: UUID) -> bool:
    """Tell whether the account has this team."""
    return bool(await c.fetchval("select true from teams where tenant = $1 and id = $2 and not deleted", tenant, team))


async def members(c: asyncpg.Connection, tenant: TenantId) -> dict[UUID, frozenset[UserId]]:
    """Read who is in which team."""
    rows = await c.fetch("select id, members from teams where tenant = $1 and not deleted", tenant)
    return {row[0]: frozenset(row[1]) for row in rows}


async def set_capacity(c: asyncpg.Connection, tenant: TenantId, user: UserId, capacity: int | None) -> bool:
    """Somebody may be given so many open chats; returns whether there is such a person."""
    done = await c.fetchval(
        "update agents set capacity = $3 where tenant = $1 and id = $2 and active returning true", tenant, user, capacity
    )
    return bool(done)


def _person(row: asyncpg.Record) -> Person:
    return Person(id=row[0], name=row[1], role=Role(row[2]), active=row[3], capacity=row[4], turn=row[5], last_seen_at=row[6])
