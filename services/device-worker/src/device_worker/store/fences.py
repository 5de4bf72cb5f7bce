"""Who may write for a shard. A worker that lost its lease without knowing is refused here, by the database itself."""

from collections.abc import Mapping

from servicekit.db import Tx, raw


class Fenced(Exception):
    """Another worker has the shard now: nothing of this transaction may hold."""


async def claim(tx: Tx, revisions: Mapping[int, int], worker: str) -> dict[int, int]:
    """Take the shards: give the fencing token of each, higher than any before.

    It is the lease's revision, unless the bucket was made anew and counts from one again.
    """
    rows = await (await raw(tx)).fetch(
        "insert into shards (shard, fence, worker) select shard, fence, $3 from unnest($1::smallint[], $2::bigint[]) as new (shard, fence) "
        "order by shard on conflict (shard) do update "
        "set fence = greatest(excluded.fence, shards.fence + 1), worker = excluded.worker returning shard, fence",
        list(revisions),
        list(revisions.values()),
        worker,
    )
    return {row["shard"]: row["fence"] for row in rows}


async def hold(tx: Tx, shard: int, fence: int) -> None:
    """Make sure that *fence* is the shard's newest, until *tx* ends.  Raises: Fenced."""
    newest = await (await raw(tx)).fetchval("select fence from shards where shard = $1 for share", shard)
    if newest != fence:
        raise Fenced(f"Shard {shard} has another owner.")
