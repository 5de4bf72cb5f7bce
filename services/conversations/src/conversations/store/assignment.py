"""Where chats are given out by themselves, how many each may have, and what the assigner looks at."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from contracts.ids import ChatId, DeviceId, TenantId, UserId

CAPACITY = 20
"""Open chats that an agent may be given, where the account says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whether the chats of a number, or of a team's queue, are given out by themselves; a team's rule comes before its number's."""

    device: DeviceId | None = None
    team: UUID | None = None
    automatic: bool


async def rules(c: asyncpg.Connection, tenant: TenantId) -> list[Rule]:
    """List the rules of an account."""
    rows = await c.fetch("select device, team, automatic from assignment_rules where tenant = $1 order by device, team", tenant)
    return [Rule(device=row[0], team=row[1], automatic=row[2]) for row in rows]


async def set_rule(c: asyncpg.Connection, tenant: TenantId, rule: Rule) -> None:
    """The number's (or the team's) chats are given out like this."""
    scope = "device" if rule.device is not None else "team"
    await c.execute(
        f"""
        insert into assignment_rules (tenant, device, team, automatic) values ($1, $2, $3, $4)
        on conflict (tenant, {scope}) where {scope} is not null do update set automatic = excluded.automatic
        """,  # noqa: S608  # one of two words
        tenant,
        rule.device,
        rule.team,
        rule.automatic,
    )


def automatic(rules: Collection[Rule], device: DeviceId, team: UUID | None) -> bool:
    """Tell whether chats of *device* in the queue of *team* are given out by themselves."""
    of_device = False
    for rule in rules:
        if team is not None and rule.team == team:
            return rule.automatic
        if rule.device == device:
            of_device = rule.automatic
    return of_device


async def capacity(c: asyncpg.Connection, tenant: TenantId) -> int:
    """Read how many open chats an agent may be given."""
    said = await c.fetchval("select capacity from assignment_defaults where tenant = $1", tenant)
    return CAPACITY if said is None else int(said)


async def set_capacity(c: asyncpg.Connection, tenant: TenantId, capacity: int) -> None:
    """An agent may be given so many open chats."""
    await c.execute(
        """
        insert into assignment_defaults (tenant, capacity) values ($1, $2)
        on conflict (tenant) do update set capacity = excluded.capacity
        """,
        tenant,
        capacity,
    )


async def hold(c: asyncpg.Connection, tenant: TenantId) -> bool:
    """Nobody else gives out chats of the account until the transaction ends; False when somebody is at it."""
    key = "assigner " + str(UUID(int=tenant.int))
    return bool(await c.fetchval("select pg_try_advisory_xact_lock(hashtextextended($1, 0))", key))


async def loads(c: asyncpg.Connection, tenant: TenantId, users: Collection[UserId]) -> dict[UserId, int]:
    """Count the open chats of each of *users*."""
    rows = await c.fetch(
        """
        select u.id, (select count(*)::int from chats h where h.tenant = $1 and h.assignee = u.id and h.status = 'open')
          from unnest($2::uuid[]) as u (id)
        """,
        tenant,
        list(users),
    )
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A chat that waits for somebody; *holder* has it and is not there."""

    chat: ChatId
    device: DeviceId
    team: UUID | None
    since: datetime
    holder: UserId | None = None


async def queue(c: asyncpg.Connection, tenant: TenantId, *, limit: int, after: tuple[datetime, UUID] | None = None) -> list[Queued]:
    """Read up to *limit* chats of the queue, the longest waiting first, from behind *after*."""
    rows = await c.fetch(
        f"""
        select h.id, h.device, h.team, h.queued_at from chats h
         where h.tenant = $1 and h.queued_at is not null {"and (h.queued_at, h.id) > ($2, $3)" if after else ""}
         order by h.queued_at, h.id limit {int(limit)}
        """,  # noqa: S608  # constants and a number
        tenant,
        *(after or ()),
    )
    return [Queued(chat=row[0], device=row[1], team=row[2], since=row[3]) for row in rows]


async def abandoned(c: asyncpg.Connection, tenant: TenantId, holders: Collection[UserId], *, limit: int) -> list[Queued]:
    """Read chats in which a customer waits for one of *holders*, to whom they were given by themselves."""
    if not holders:
        return []
    rows = await c.fetch(
        f"""
        select h.id, h.device, h.team, h.waiting_since, h.assignee from unnest($2::uuid[]) as u (id)
         cross join lateral (
            select * from chats h where h.tenant = $1 and h.assignee = u.id and h.status = 'open'
               and h.assigned_way = 'auto' and h.waiting_since is not null
         ) h
         order by h.waiting_since, h.id limit {int(limit)}
        """,  # noqa: S608  # a number
        tenant,
        list(holders),
    )
    return [Queued(chat=row[0], device=row[1], team=row[2], since=row[3], holder=row[4]) for row in rows]


async def of_the_gone(c: asyncpg.Connection, tenant: TenantId, *, limit: int) -> list[ChatId]:
    """Read chats that are not closed and whose agent cannot sign in any more."""
    rows = await c.fetch(
        f"""
        select h.id from agents a cross join lateral (
            select h.id from chats h
             where h.tenant = $1 and h.assignee = a.id and h.status = any ('{{open,pending,snoozed}}') limit {int(limit)}
        ) h where a.tenant = $1 and not a.active order by h.id limit {int(limit)}
        """,  # noqa: S608  # a number
        tenant,
    )
    return [row[0] for row in rows]


async def gave(c: asyncpg.Connection, tenant: TenantId, turns: Sequence[tuple[UserId, int]]) -> None:
    """The turn has come to these."""
    if turns:
        await c.execute(
            """
            update agents a set turn = u.turn from unnest($2::uuid[], $3::bigint[]) as u (id, turn) where a.tenant = $1 and a.id = u.id
            """,
            tenant,
            *map(list, zip(*turns, strict=True)),
        )


async def tenants_to_look_at(c: asyncpg.Connection, online: Collection[tuple[TenantId, UserId]]) -> set[TenantId]:
    """Read in which accounts something may be given out, or taken from somebody. As the system role, for all accounts.

    Args:
        online: Who is there: where nobody is, nothing can be given out.
    """
    rows = await c.fetch(
        """
        select r.tenant from assignment_rules r
         where r.automatic and r.tenant = any ($1::uuid[])
           and exists (select from chats h where h.tenant = r.tenant and h.queued_at is not null)
        union
        select a.tenant from agents a
         where a.tenant = any ($1::uuid[]) and not ((a.tenant, a.id) in (select * from unnest($2::uuid[], $3::uuid[])))
           and exists (select from chats h where h.tenant = a.tenant and h.assignee = a.id and h.status = 'open'
                          and h.assigned_way = 'auto' and h.waiting_since is not null)
        union
        select a.tenant from agents a
         where not a.active
           and exists (select from chats h where h.tenant = a.tenant and h.assignee = a.id and h.status = any ('{open,pending,snoozed}'))
        """,
        list({tenant for tenant, _ in online}),
        [tenant for tenant, _ in online],
        [user for _, user in online],
    )
    return {row[0] for row in rows}


async def saw(c: asyncpg.Connection, online: Collection[tuple[TenantId, UserId]], now: datetime) -> None:
    """These were there at *now*; noted every few seconds. As the system role, for all accounts."""
    if online:
        await c.execute(
            """
            update agents a set last_seen_at = $3::timestamptz from unnest($1::uuid[], $2::uuid[]) as u (tenant, id)
             where a.tenant = u.tenant and a.id = u.id and (a.last_seen_at is null or a.last_seen_at < $3::timestamptz - interval '5 s')
            """,
            *map(list, zip(*sorted(online), strict=True)),
            now,
        )
