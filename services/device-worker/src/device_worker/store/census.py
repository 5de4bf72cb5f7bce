"""How many numbers there are in which shard."""

from dataclasses import dataclass

from servicekit.db import Tx, raw


@dataclass(frozen=True, slots=True)
class Counted:
    """The numbers of one shard: all, those that should have a session, and those that have one."""

    devices: int = 0
    sessions: int = 0
    connected: int = 0


async def of_shards(tx: Tx) -> dict[int, Counted]:
    """Count them in every shard that has any."""
    rows = await (await raw(tx)).fetch(
        "select shard, count(*) as devices, "
        "count(*) filter (where wanted = 'connected' and (jid is not null or state = 'pairing')) as sessions, "
        "count(*) filter (where state = 'connected') as connected from devices where wanted <> 'deleted' group by shard"
    )
    return {row["shard"]: Counted(row["devices"], row["sessions"], row["connected"]) for row in rows}
