"""What the sessions of this worker weigh, for who decides where shards go."""

from collections.abc import Callable, Collection, Mapping

from servicekit.db import Database

from device_worker.sessions.supervisor import Sessions
from device_worker.shards import Report
from device_worker.store import activity


class SessionLoad:
    """Counts sessions: each weighs the same."""

    def __init__(self, capacity: int, system: Database, sessions: Callable[[], Sessions], report: Callable[[], Report]) -> None:
        """Have room for *capacity* of them."""
        self._capacity, self._system, self._sessions, self._report = capacity, system, sessions, report

    @property
    def capacity(self) -> int:
        """How many there may be."""
        return self._capacity

    def room(self) -> int:
        """Give how many more there may be."""
        return self._capacity - len(self._sessions())

    def sessions(self, shard: int) -> int:
        """Give how many there are of *shard*."""
        return self._sessions().count(shard)

    def up(self, shard: int) -> bool:
        """Tell whether none of *shard* is still on its way up."""
        return self._sessions().up(shard)

    def crowded(self) -> Mapping[int, int]:
        """Give the shards in which numbers wait for room, each with what it would bring to another worker."""
        return self._sessions().crowded()

    async def weigh(self, some: Collection[int]) -> Mapping[int, int]:
        """Count what each of these shards would bring.  Raises: DatabaseAway, DatabaseBusy."""
        async with self._system.system() as tx:
            return await activity.weigh(tx, some)

    def report(self) -> Report:
        """Say how this worker is."""
        return self._report()
