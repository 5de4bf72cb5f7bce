"""Who waits for news of which phone: long polls and the page's event stream."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

_BACKLOG = 1000


class Feed:
    """Wakes those who wait.  News carries no content: a phone's number and what changed; who is woken reads for himself."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._streams: set[asyncio.Queue[tuple[str, str]]] = set()

    def tell(self, number: str, what: str) -> None:
        """Something of *what* (inbox, receipts, sent, typing, session) changed at the phone."""
        for future in self._waiting.pop(number, ()):
            if not future.done():
                future.set_result(None)
        for stream in self._streams:
            if stream.full():  # a page that stopped reading catches up with its next poll
                continue
            stream.put_nowait((number, what))

    async def news(self, number: str, within: float) -> None:
        """Returns at the next news of the phone, or after *within* seconds."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[number].add(future)
        try:
            await asyncio.wait_for(future, within)
        except TimeoutError:
            pass
        finally:
            waiting = self._waiting.get(number)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._waiting[number]

    @contextmanager
    def stream(self) -> Iterator[asyncio.Queue[tuple[str, str]]]:
        """All news while the block lasts."""
        queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(_BACKLOG)
        self._streams.add(queue)
        try:
            yield queue
        finally:
            self._streams.discard(queue)
