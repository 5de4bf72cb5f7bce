"""What auth makes of the facts that are told: the record of who did what."""

from collections.abc import Sequence
from typing import Any

from contracts import subjects
from contracts.envelope import Envelope
from servicekit.bus import Consumer
from servicekit.db import Database

from auth import store
from auth.domain.activity import BODIES, deed

ACTIVITY = "auth-activity"


def activity(db: Database) -> Consumer:
    """Describe the durable that writes the record. A fact's own id is its line's: a repeat changes nothing."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        deeds = [done for done in map(deed, envelopes) if done is not None]
        if deeds:
            async with db.transaction({done.tenant for done in deeds}) as tx:
                await store.activity.add(tx, deeds)

    return Consumer(durable=ACTIVITY, stream=subjects.EVENTS, bodies=BODIES, handle=handle)
