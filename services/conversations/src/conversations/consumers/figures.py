"""The durable ``conversations-figures``: what conversations itself told is counted for the dashboard, a second after it was told.

It recounts what was touched, so that nothing is added twice; whoever recounts an account holds its lock.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import ids, subjects
from contracts.envelope import Envelope
from contracts.events.conversations import MessageConfirmed, MessageReceived
from contracts.ids import ChatId
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from conversations import store
from conversations.store import figures

DURABLE = "conversations-figures"
BODIES = (MessageReceived, MessageConfirmed)
#: A busy hour is recounted once a second and not once a message.
LINGER_SECONDS = 1.0


def consumer(db: Database) -> Consumer:
    """Describe the durable."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=BODIES, handle=handler(db), batch=500, linger=LINGER_SECONDS)


def handler(db: Database) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch, for any number of tenants."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        touched = {(one.tenant, ChatId(ids.parse(ids.CHAT, one.data.chat_id)), one.data.at) for one in envelopes}

        async def once() -> None:
            async with db.transaction({tenant for tenant, _, _ in touched}) as tx:
                c = await raw(tx)
                await store.by_index(c)
                await figures.lock(c, {tenant for tenant, _, _ in touched})
                await figures.recount(c, sorted(touched))

        await store.persistently(once)

    return handle
