"""Telling the shard's owner at once that there is something to do. It only wakes: a poll is the truth."""

from uuid import UUID

from servicekit.db import Tx, raw

CHANNEL = "devices_wake"

#: A device's standing or orders changed; there is something to send for it.
DEVICE = "device"
SENDS = "sends"


async def wake(tx: Tx, what: str, shard: int, device: UUID) -> None:
    """Wake the owner of *shard* when *tx* commits."""
    await (await raw(tx)).execute("select pg_notify($1, $2)", CHANNEL, f"{what} {shard} {device}")


def parse(payload: str) -> tuple[str, int, UUID]:
    """Read what `wake` wrote.  Raises: ValueError."""
    what, shard, device = payload.split(" ")
    return what, int(shard), UUID(device)
