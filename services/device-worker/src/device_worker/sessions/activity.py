"""When each number was in use last: whoever writes most is missed first, so it connects first."""

import time
from collections.abc import Callable, Iterable
from uuid import UUID

from servicekit.db import Database

from device_worker.store import activity


class Activity:
    """What was heard of the numbers of this worker; kept in the database now and then, for the next owner."""

    def __init__(self, system: Database, clock: Callable[[], float] = time.time) -> None:
        """Know of none yet."""
        self._system, self._clock = system, clock
        self._last: dict[UUID, float] = {}
        self._fresh: set[UUID] = set()

    def heard(self, some: Iterable[UUID]) -> None:
        """Something came of these, right now."""
        now = self._clock()
        for device in some:
            self._last[device] = now
            self._fresh.add(device)

    def last(self, device: UUID) -> float:
        """Give when something came of *device*, in seconds since 1970; 0 when that is not known."""
        return self._last.get(device, 0.0)

    async def load(self, shards: Iterable[int]) -> None:
        """Know what the former owners of *shards* knew.  Raises: DatabaseAway, DatabaseBusy."""
        async with self._system.system() as tx:
            for device, at in (await activity.of_shards(tx, shards)).items():
                self._last[device] = max(at.timestamp(), self.last(device))

    async def keep(self) -> None:
        """What is new stands in the database.  Raises: DatabaseAway, DatabaseBusy."""
        fresh, self._fresh = self._fresh, set()
        if not fresh:
            return
        try:
            async with self._system.system() as tx:
                await activity.touch(tx, fresh)
        except Exception:
            self._fresh |= fresh
            raise
