"""The durable ``conversations-erasures``: what each service says of its part of an erasure."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import subjects
from contracts.envelope import Envelope
from contracts.events import privacy
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from conversations.store import erasing

DURABLE = "conversations-erasures"
BODIES = tuple(privacy.EVERY.values())


def consumer(db: Database, *, wake: Callable[[], None] = lambda: None) -> Consumer:
    """Describe the durable; *wake* is called when an erasure may go on."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=BODIES, handle=handler(db, wake=wake))


def handler(db: Database, *, wake: Callable[[], None] = lambda: None) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch. The part that is done already stays as it is: repeats change nothing."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        for one in sorted(envelopes, key=lambda one: (one.tenant, one.data.erasure)):
            async with db.transaction(one.tenant) as tx:
                fact = one.data
                await erasing.hear(await raw(tx), one.tenant, fact.erasure, fact.topic.service, fact.removed, fact.names)
        wake()

    return handle
