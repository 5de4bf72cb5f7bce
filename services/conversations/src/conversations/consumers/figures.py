"""The durable ``conversations-figures``: what conversations itself told is counted for the dashboard, a second after it was told.

It recounts what was touched, so that nothing is added twice; whoever recounts an account holds its lock. When two contacts turn out to be
one, so are their chats on a number.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import ids, subjects
from contracts.envelope import Envelope
from contracts.events.conversations import ContactChanged, MessageConfirmed, MessageReceived
from contracts.ids import ChatId, ContactId
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from conversations import store
from conversations.store import figures

DURABLE = "conversations-figures"
BODIES = (MessageReceived, MessageConfirmed, ContactChanged)
#: A busy hour is recounted once a second and not once a message.
LINGER_SECONDS = 1.0


def consumer(db: Database) -> Consumer:
    """Describe the durable."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=BODIES, handle=handler(db), batch=500, linger=LINGER_SECONDS)


def handler(db: Database) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch, for any number of tenants."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        changes = [one for one in envelopes if isinstance(one.data, ContactChanged)]
        joined = {(one.tenant, ContactId(ids.parse(ids.CONTACT, one.data.id))) for one in changes if one.data.merged is not None}
        said = [one for one in envelopes if not isinstance(one.data, ContactChanged)]
        touched = {(one.tenant, ChatId(ids.parse(ids.CHAT, one.data.chat_id)), one.data.at) for one in said}
        tenants = {tenant for tenant, *_ in joined | touched}
        if not tenants:
            return

        async def once() -> None:
            async with db.transaction(tenants) as tx:
                c = await raw(tx)
                await store.by_index(c)
                await figures.lock(c, tenants)
                await figures.recount(c, sorted(touched.union(await figures.merged(c, sorted(joined)))))

        await store.persistently(once)

    return handle
