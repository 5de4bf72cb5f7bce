"""The durable ``conversations-media``: how the fetching of files ended."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import subjects
from contracts.envelope import Envelope, wrap
from contracts.events.conversations import MediaChanged
from contracts.events.devices import MediaFailed, MediaStored
from servicekit import outbox
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from conversations import store
from conversations.store import chats, media
from conversations.store.messages import fields

DURABLE = "conversations-media"


def consumer(db: Database) -> Consumer:
    """Describe the durable."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=(MediaStored, MediaFailed), handle=handler(db), batch=100)


def handler(db: Database) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch: the messages show their files. Repeats and late comers change nothing: the attempt decides."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        async def once() -> None:
            async with db.transaction({e.tenant for e in envelopes}) as tx:
                c = await raw(tx)
                await store.by_index(c)
                held = await chats.lock(c, await media.chats_of(c, {(e.tenant, e.data.media) for e in envelopes}))
                settled, told = await media.settle(c, envelopes)
                told += [
                    wrap(row.tenant, MediaChanged(**fields(row)), audience=held[row.chat].audience)  # type: ignore[arg-type]
                    for row in settled
                    if row.chat in held
                ]
                if told:
                    await outbox.add(tx, *told)

        await store.persistently(once)

    return handle
