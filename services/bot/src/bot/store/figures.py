"""What the bot did, counted by day of the account, number and rule; and what no rule knew."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import asyncpg
import msgspec
from contracts.ids import DeviceId, TenantId

#: Longer phrases are no keywords that somebody forgot.
PHRASE_MAX = 80
PHRASES_KEPT = timedelta(days=90)

Line = tuple[TenantId, date, DeviceId, str, str]

#: A phrase that was said so often is nobody's own.
COMMON = 5


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """How often one thing happened."""

    day: date
    device: DeviceId
    what: str
    rule: str
    count: int


class Phrase(msgspec.Struct, frozen=True, kw_only=True):
    """What customers said, folded, and no rule knew."""

    phrase: str
    count: int
    last_at: datetime


async def count(c: asyncpg.Connection, lines: Counter[Line]) -> None:
    """Add *lines* to what was counted."""
    if lines:
        some = sorted(lines)
        await c.execute(
            """
            insert into figures as f (tenant, day, device, what, rule, count)
            select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::text[], $5::text[], $6::bigint[])
            on conflict (tenant, day, device, what, rule) do update set count = f.count + excluded.count
            """,
            *map(list, zip(*some, strict=True)),
            [lines[line] for line in some],
        )


async def remember(c: asyncpg.Connection, phrases: Mapping[tuple[TenantId, str], tuple[int, datetime]]) -> None:
    """Add phrases that no rule knew."""
    if phrases:
        some = sorted(phrases)
        await c.execute(
            """
            insert into phrases as p (tenant, phrase, count, last_at)
            select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[])
            on conflict (tenant, phrase) do update
                set count = p.count + excluded.count, last_at = greatest(p.last_at, excluded.last_at)
            """,
            [tenant for tenant, _ in some],
            [phrase for _, phrase in some],
            [phrases[key][0] for key in some],
            [phrases[key][1] for key in some],
        )


async def between(c: asyncpg.Connection, tenant: TenantId, first: date, last: date) -> list[Figure]:
    """Read what was counted from *first* to *last*."""
    rows = await c.fetch(
        "select day, device, what, rule, count from figures where tenant = $1 and day between $2 and $3 order by day, device, what, rule",
        tenant,
        first,
        last,
    )
    return [Figure(day=r["day"], device=DeviceId(r["device"]), what=r["what"], rule=r["rule"], count=r["count"]) for r in rows]


async def page(c: asyncpg.Connection, tenant: TenantId, *, after: tuple[int, str] | None, limit: int) -> list[Phrase]:
    """Read the phrases that no rule knew, the most frequent first."""
    where, values = "", []
    if after is not None:
        where, values = "and (count, phrase) < ($3, $4)", [*after]
    rows = await c.fetch(
        f"select phrase, count, last_at from phrases where tenant = $1 {where} order by count desc, phrase desc limit $2",  # noqa: S608
        tenant,
        limit,
        *values,
    )
    return [Phrase(phrase=row["phrase"], count=row["count"], last_at=row["last_at"]) for row in rows]


async def forget(c: asyncpg.Connection, tenant: TenantId, phrase: str) -> None:
    """The phrase needs no rule."""
    await c.execute("delete from phrases where tenant = $1 and phrase = $2", tenant, phrase)


async def forget_rare(c: asyncpg.Connection, tenant: TenantId) -> int:
    """Forget the phrases that were not said by many: nobody knows any more who said them, and one of them may name its author."""
    tag: str = await c.execute("delete from phrases where tenant = $1 and count < $2", tenant, COMMON)
    return int(tag.rpartition(" ")[2])


async def sweep(c: asyncpg.Connection) -> int:
    """Forget the phrases that nobody has said for long; asked by the system's role."""
    tag: str = await c.execute("delete from phrases where last_at < now() - $1::interval", PHRASES_KEPT)
    return int(tag.rpartition(" ")[2])
