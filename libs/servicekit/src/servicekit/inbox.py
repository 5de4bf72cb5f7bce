"""The inbox: an envelope has its effect once, however often it comes.

Its ids are kept a day longer than the stream keeps the facts, so that even a durable that is made anew and reads the whole
stream again changes nothing. Where a natural unique key decides already, no inbox is needed.
"""

from collections.abc import Sequence
from datetime import timedelta

from contracts.envelope import B, Envelope

from servicekit.db import Database, Tx, raw

KEEP = timedelta(days=8)
_CHUNK = 10_000


async def fresh(tx: Tx, durable: str, envelopes: Sequence[Envelope[B]]) -> list[Envelope[B]]:
    """Give those of *envelopes* that *durable* has not seen, in their order, and remember them if *tx* commits.

    Belongs into the transaction of the effect. A repeat that another transaction is just working on is waited for.
    """
    if not envelopes:
        return []
    # Sorted by id, so that two processes with the same repeats wait for each other one way round.
    once = sorted({(one.tenant, one.id) for one in envelopes})
    rows = await (await raw(tx)).fetch(
        """
        insert into inbox (tenant, durable, id)
        select tenant, $1, id from unnest($2::uuid[], $3::uuid[]) as new (tenant, id)
        on conflict do nothing
        returning id
        """,
        durable,
        [tenant for tenant, _ in once],
        [id for _, id in once],
    )
    new = {row["id"] for row in rows}
    result = []
    for one in envelopes:
        if one.id in new:
            new.discard(one.id)
            result.append(one)
    return result


async def sweep(db: Database, older: timedelta = KEEP) -> int:
    """Forget what was seen longer ago than *older*, in chunks, and tell how much; *db* has the role ``<service>_system``."""
    total = 0
    while True:
        async with db.system() as tx:
            tag = await (await raw(tx)).execute(
                "delete from inbox where ctid = any(array(select ctid from inbox where seen_at < now() - $1::interval limit $2))",
                older,
                _CHUNK,
            )
        count = int(tag.rpartition(" ")[2])
        total += count
        if count < _CHUNK:
            return total
