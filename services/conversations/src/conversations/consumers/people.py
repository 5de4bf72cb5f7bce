"""The durable ``conversations-people``: who works in each account, and in which teams."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import subjects
from contracts.envelope import Envelope
from contracts.events.auth import TeamChanged, TeamCreated, TeamDeleted, UserChanged, UserCreated
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from conversations.store import people

DURABLE = "conversations-people"
USERS = (UserCreated, UserChanged)
TEAMS = (TeamCreated, TeamChanged, TeamDeleted)


def consumer(db: Database) -> Consumer:
    """Describe the durable."""
    return Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=(*USERS, *TEAMS), handle=handler(db))


def handler(db: Database) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch; what somebody who cannot sign in any more had in hand, the assigner takes back."""

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        async with db.transaction({envelope.tenant for envelope in envelopes}) as tx:
            c = await raw(tx)
            await people.learn_users(c, [one for one in envelopes if isinstance(one.data, USERS)])
            await people.learn_teams(c, [one for one in envelopes if isinstance(one.data, TEAMS)])

    return handle
