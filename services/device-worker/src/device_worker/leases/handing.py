"""Giving shards away, a few sessions at a time: the rest goes on until its turn comes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping

from servicekit.bus import BusAway, KeyMoved
from servicekit.bus.keyvalue import KeyValue
from servicekit.timers import first

from device_worker.leases.held import Held
from device_worker.leases.load import Load
from device_worker.leases.view import View, read_lease

#: So many sessions are under way from one worker to others at the same time, or this share of all that it has: each is off the
#: line for that long, and more at once are no faster.
_AT_ONCE = 6
_SHARE_AT_ONCE = 20
_SERVED_WITHIN = 2.0
_ASK_WITHIN = 1.5


class Handing:
    """What is on its way from this worker to others."""

    def __init__(
        self, bucket: KeyValue, held: MutableMapping[int, Held], view: View, load: Load, lost: Callable[[Iterable[int]], Awaitable[None]]
    ) -> None:
        """Take what is given away out of *held*.

        Args:
            lost: Gets shards whose sessions must stop; the lease is given away when it returns.
        """
        self._bucket, self._held, self._view, self._load, self._lost = bucket, held, view, load, lost
        self._waiting: list[int] = []
        self._takers = False
        self._under_way: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.gone = asyncio.Event()

    def __contains__(self, shard: int) -> bool:
        """Tell whether *shard* is on its way."""
        return shard in self._under_way

    def give(self, some: Iterable[int], *, takers: bool) -> None:
        """Give these away and no others, as many as may be under way; each that is served elsewhere makes place for the next.

        Args:
            takers: Somebody can take them. With nobody there is nothing to wait for: all go at once.
        """
        self._takers = takers
        # Taken from the end: those without sessions keep nobody waiting.
        self._waiting = sorted((shard for shard in some if shard not in self), key=self._load.sessions, reverse=True)
        self._go_on()

    async def end(self) -> None:
        """Wait for what is on its way."""
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def abandon(self) -> None:
        """Give nothing away any more, and wait for nothing."""
        self._waiting = []
        for task in self._tasks:
            task.cancel()

    def _go_on(self) -> None:
        most = max(_AT_ONCE, sum(map(self._load.sessions, self._held)) // _SHARE_AT_ONCE)
        while self._waiting:
            weight = self._load.sessions(self._waiting[-1])
            under_way = sum(self._under_way.values())
            if self._takers and under_way and under_way + weight > most:
                return
            shard = self._waiting.pop()
            self._under_way[shard] = weight
            task = asyncio.create_task(self._release(shard, waits=bool(self._takers and weight)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _release(self, shard: int, *, waits: bool) -> None:
        try:
            await self._lost([shard])
            held = self._held.pop(shard, None)
            if held is not None:
                served = self._view.awaited(shard)
                await self._give_away(shard, held)
                if waits:
                    await first(served, timeout=_SERVED_WITHIN)
        finally:
            self._under_way.pop(shard, None)
            self.gone.set()
            self._go_on()

    async def _give_away(self, shard: int, held: Held) -> None:
        """Leave nothing under the shard's key. A renewal that was on its way has moved the entry on: then at its new revision."""
        revision = held.revision
        try:
            while True:
                try:
                    await self._bucket.delete(str(shard), revision, timeout=_ASK_WITHIN)
                    return
                except KeyMoved:
                    entry = await self._bucket.get(str(shard), timeout=_ASK_WITHIN)
                    if entry is None or entry.revision == revision or read_lease(entry.value).incarnation != self._view.incarnation:
                        return
                    revision = entry.revision
        except BusAway:
            return  # it dies by itself
