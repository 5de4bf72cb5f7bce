"""Whom each number knows, learned from what is observed: who wrote is no stranger, and waits for an answer.

Kept in the database a moment after it was published, and no earlier: what is observed must never wait for the database.
A process that dies in between forgets a few of them; the worst that follows is that an answer waits as if to a stranger.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from contracts.envelope import Envelope
from contracts.events.devices import MessageObserved
from servicekit.db import Database, is_away, is_busy
from servicekit.timers import first

from device_worker.store import peers

log = structlog.get_logger()

#: So exactly is it known when somebody wrote last.
_GRAIN = timedelta(hours=1)
_REMEMBERED = 100_000
_AT_ONCE = 1_000
_PAUSE = 1.0


class Acquaintances:
    """Those that were seen and are not yet kept."""

    def __init__(self, system: Database) -> None:
        self._system = system
        self._seen: OrderedDict[peers.Peer, datetime | None] = OrderedDict()
        self._pending: dict[peers.Peer, datetime | None] = {}
        self._more = asyncio.Event()

    def note(self, facts: Sequence[Envelope[Any]]) -> None:
        """Keep, soon, who wrote in *facts* and to whom the owner's phone did."""
        for fact in facts:
            body = fact.data
            if isinstance(body, MessageObserved) and body.chat.kind in ("pn", "lid"):
                at = None if body.from_me else body.at
                for address in (body.chat, body.chat_alt):
                    if address is not None:
                        self._note((fact.tenant, body.device, peers.digest(body.device, address)), at)

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep them until *stopping*, and then what is left, if the database takes it."""
        while not stopping.is_set():
            await first(self._more, stopping)
            self._more.clear()
            while self._pending and not await self._keep():
                if stopping.is_set():
                    return
                await first(stopping, timeout=_PAUSE)
        while self._pending and await self._keep():
            pass

    def _note(self, peer: peers.Peer, at: datetime | None) -> None:
        if peer in self._seen:
            before = self._seen[peer]
            self._seen.move_to_end(peer)
            if at is None or (before is not None and at - before < _GRAIN):
                return
        self._seen[peer] = at
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        self._pending[peer] = at
        self._more.set()

    async def _keep(self) -> bool:
        """Keep some; False: the database is away."""
        some = dict(list(self._pending.items())[:_AT_ONCE])
        try:
            async with self._system.system() as tx:
                await peers.wrote(tx, list(some.items()))
        except Exception as error:
            if not (is_away(error) or is_busy(error)):
                log.error("acquaintances.lost", count=len(some), error=type(error).__name__)
                self._drop(some)
            return False
        self._drop(some)
        return True

    def _drop(self, some: dict[peers.Peer, datetime | None]) -> None:
        for peer, at in some.items():
            if self._pending.get(peer) == at:
                del self._pending[peer]
