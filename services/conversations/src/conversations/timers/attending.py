"""The workers know which chats the agents have open: of those, and of no others, WhatsApp is asked who writes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from contracts import ids
from contracts.ephemeral import ChatAttended
from contracts.ids import ChatId, TenantId
from servicekit import timers
from servicekit.bus import Bus
from servicekit.db import Database, raw

from conversations.store import chats
from conversations.timers.presence import Presence, There

EVERY = timedelta(seconds=2)
#: Said again so often: a session may have moved, and what is not repeated is over.
AGAIN = 15

Open = set[tuple[TenantId, ChatId]]


def attending(db: Database, bus: Bus, presence: Presence) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that tells of a chat when it is opened, and again as long as it is."""
    known: Open = set()
    round = 0

    async def run() -> None:
        nonlocal known, round
        there = _open_chats(await presence.read())
        told = there if round % AGAIN == 0 else there - known
        known, round = there, round + 1
        for tenant in sorted({tenant for tenant, _ in told}):
            await _tell(db, bus, tenant, [chat for whose, chat in told if whose == tenant])

    return timers.every(EVERY, run, name="attending")


def _open_chats(there: There) -> Open:
    found: Open = set()
    for (tenant, _), said in there.items():
        for name in {name for present in said for name in present.chats}:
            try:
                found.add((tenant, ChatId(ids.parse(ids.CHAT, name))))
            except ValueError:
                continue
    return found


async def _tell(db: Database, bus: Bus, tenant: TenantId, some: list[ChatId]) -> None:
    async with db.transaction(tenant) as tx:
        places = await chats.places(await raw(tx), tenant, some)
    for device, address in places.values():
        await bus.shout(tenant, ChatAttended(device=device, address=address))
