"""Objects of the store that nobody may need any more, and how one is deleted while a file of the same content may be coming.

Who puts an object there *holds* it first: it is not deleted before its row of `media` has had time to be written. Who deletes one
*claims* it first, in a transaction of its own that looks whether a row of `media` names it: the two see each other by the row in
`released_objects`. A worker that fetches a file from WhatsApp cannot hold: what was deleted stays known for an hour, and a file that
was fetched in that time is fetched once more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from contracts.ids import TenantId
from servicekit.db import Database, raw
from servicekit.objects import ObjectsAway

#: A file that is being sent here is a row of `media` by then; what is held for longer was never told of.
HELD = timedelta(minutes=15)
#: Who claimed it has died, or waits for a store that is away.
CLAIMED = timedelta(minutes=2)
#: A worker fetches a file and tells of it within this time.
REMEMBERED = timedelta(hours=1)

Key = tuple[TenantId, str]


async def release(c: asyncpg.Connection, tenant: TenantId, objects: Collection[str], erasure: UUID | None = None) -> None:
    """Of the caller's row of `media` nothing is left: these objects go, unless another row names them."""
    if objects:
        await c.execute(
            """
            insert into released_objects as r (tenant, object, erasure)
            select $1, object, $3 from unnest($2::text[]) as u (object)
            on conflict (tenant, object) do update
               set since = now(), erasure = coalesce(excluded.erasure, r.erasure), gone_at = null,
                   claimed_at = case when r.gone_at is null then r.claimed_at end
            """,
            tenant,
            sorted(set(objects)),
            erasure,
        )


async def hold(c: asyncpg.Connection, tenant: TenantId, object: str) -> bool:
    """Nobody deletes the object for a while; False while somebody is just doing so: try again."""
    return bool(
        await c.fetchval(
            """
            insert into released_objects as r (tenant, object, held_until) values ($1, $2, now() + $3::interval)
            on conflict (tenant, object) do update set held_until = excluded.held_until, claimed_at = null, gone_at = null
             where r.claimed_at is null or r.gone_at is not null
            returning true
            """,
            tenant,
            object,
            HELD,
        )
    )


def holder(db: Database) -> Callable[[TenantId, str], Awaitable[None]]:
    """Make what holds an object in a transaction of its own, waiting a moment for who is just deleting it.

    It raises `ObjectsAway` where that takes long.
    """

    async def wait(tenant: TenantId, object: str) -> None:
        for pause in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 0.0):
            async with db.transaction(tenant) as tx:
                if await hold(await raw(tx), tenant, object):
                    return
            await asyncio.sleep(pause)
        raise ObjectsAway("A file of the same content is just being deleted.")

    return wait


async def due(system: asyncpg.Connection, *, limit: int) -> list[Key]:
    """Read what may be deleted, whoever's it is. As the system role."""
    rows = await system.fetch(
        """
        select tenant, object from released_objects
         where gone_at is null and (held_until is null or held_until < now()) and (claimed_at is null or claimed_at < now() - $1::interval)
         order by since limit $2
        """,
        CLAIMED,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def claim(c: asyncpg.Connection, tenant: TenantId, objects: Sequence[str]) -> list[str]:
    """Give those of *objects* that the caller deletes once this is committed; what is needed after all is not released any more."""
    rows = await c.fetch(
        """
        select object from released_objects
         where tenant = $1 and object = any($2::text[]) and gone_at is null and (held_until is null or held_until < now())
           and (claimed_at is null or claimed_at < now() - $3::interval)
         order by object for update skip locked
        """,
        tenant,
        list(objects),
        CLAIMED,
    )
    taken = [row[0] for row in rows]
    # A statement of its own, which sees what was committed before the rows were held.
    needed = {
        row[0] for row in await c.fetch("select distinct object from media where tenant = $1 and object = any($2::text[])", tenant, taken)
    }
    await c.execute("delete from released_objects where tenant = $1 and object = any($2::text[])", tenant, list(needed))
    mine = [object for object in taken if object not in needed]
    await c.execute(
        "update released_objects set claimed_at = now(), held_until = null where tenant = $1 and object = any($2::text[])", tenant, mine
    )
    return mine


async def gone(c: asyncpg.Connection, tenant: TenantId, objects: Sequence[str]) -> None:
    """The objects that the caller claimed are in the store no more."""
    await c.execute(
        "update released_objects set gone_at = now() where tenant = $1 and object = any($2::text[]) and claimed_at is not null",
        tenant,
        list(objects),
    )


async def doubtful(c: asyncpg.Connection, tenant: TenantId, object: str, fetched_at: datetime) -> bool:
    """Tell whether an object that a worker put there by *fetched_at* may have been deleted since."""
    return bool(
        await c.fetchval(
            "select true from released_objects where tenant = $1 and object = $2 and claimed_at is not null "
            "and (gone_at is null or gone_at > $3::timestamptz - interval '5 minutes')",
            tenant,
            object,
            fetched_at,
        )
    )


async def sweep(system: asyncpg.Connection, *, limit: int = 1000) -> int:
    """What was deleted long ago is remembered no more. As the system role."""
    tag = await system.execute(
        "delete from released_objects where (tenant, object) in "
        "(select tenant, object from released_objects where gone_at < now() - $1::interval limit $2)",
        REMEMBERED,
        limit,
    )
    return int(tag.rpartition(" ")[2])


async def left(c: asyncpg.Connection, tenant: TenantId, erasure: UUID) -> int:
    """Count the objects that this erasure still waits for."""
    return int(
        await c.fetchval("select count(*) from released_objects where tenant = $1 and erasure = $2 and gone_at is null", tenant, erasure)
    )
