"""When a number was in use last, to the minute or so."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from servicekit.db import Tx, raw

from device_worker.shards import shard_of


async def of_shards(tx: Tx, shards: Iterable[int]) -> dict[UUID, datetime]:
    """Give when each number of *shards* was in use last, where that is known."""
    rows = await (await raw(tx)).fetch(
        "select id, active_at from devices where shard = any($1::smallint[]) and active_at is not null", list(shards)
    )
    return {UUID(int=row["id"].int): row["active_at"] for row in rows}


async def touch(tx: Tx, some: Iterable[UUID]) -> None:
    """These numbers are in use now."""
    ids = sorted(some)
    await (await raw(tx)).execute(
        "update devices set active_at = now() where shard = any($1::smallint[]) and id = any($2::uuid[])",
        sorted({shard_of(id) for id in ids}),
        ids,
    )


async def weigh(tx: Tx, shards: Iterable[int]) -> dict[int, int]:
    """Count the sessions that each of *shards* brings, none left out."""
    some = list(shards)
    rows = await (await raw(tx)).fetch(
        "select shard, count(*) as sessions from devices where shard = any($1::smallint[]) "
        "and (wanted in ('logged_out', 'deleted') or wanted = 'connected' and (jid is not null or state = 'pairing')) group by shard",
        some,
    )
    return dict.fromkeys(some, 0) | {row["shard"]: row["sessions"] for row in rows}
