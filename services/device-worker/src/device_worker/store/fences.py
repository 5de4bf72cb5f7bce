"""Who may write for a shard. A worker that lost its lease without knowing is refused here, by the database itself."""

from servicekit.db import Tx, raw


class Fenced(Exception):
    """Another worker has the shard now: nothing of this transaction may hold."""


async def claim(tx: Tx, shard: int, revision: int, worker: str) -> int:
    """Take the shard: give the fencing token, higher than any before.

    It is the lease's revision, unless the bucket was made anew and counts from one again.
    """
    fence: int = await (await raw(tx)).fetchval(
        "insert into shards (shard, fence, worker) values ($1, $2, $3) on conflict (shard) do update "
        "set fence = greatest(excluded.fence, shards.fence + 1), worker = excluded.worker returning fence",
        shard,
        revision,
        worker,
    )
    return fence


async def hold(tx: Tx, shard: int, fence: int) -> None:
    """Make sure that *fence* is the shard's newest, until *tx* ends.  Raises: Fenced."""
    newest = await (await raw(tx)).fetchval("select fence from shards where shard = $1 for share", shard)
    if newest != fence:
        raise Fenced(f"Shard {shard} has another owner.")
