"""The durable ``conversations-accounts``: what auth says that an account may do."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import subjects
from contracts.envelope import Envelope
from contracts.events.auth import AccountChanged, AccountRegistered
from servicekit import outbox
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from conversations.store import accounts, hours

DURABLE = "conversations-accounts"


def consumer(db: Database) -> Consumer:
    """Describe the durable."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=(AccountRegistered, AccountChanged), handle=handler(db))


def handler(db: Database) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch; an account's revision decides, not the order of arrival."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        async with db.transaction({envelope.tenant for envelope in envelopes}) as tx:
            c = await raw(tx)
            await accounts.learn(c, [(envelope.tenant, envelope.data) for envelope in envelopes])
            await outbox.add(tx, *await hours.retell(c, {envelope.tenant for envelope in envelopes}))

    return handle
