"""What a worker carries, as far as it decides who has which shard."""

from collections.abc import Collection, Mapping
from typing import Protocol

from device_worker.shards import CAPACITY, Report


class Load(Protocol):
    """What a worker carries, and how much more it can."""

    @property
    def capacity(self) -> int:
        """How many sessions it may have."""

    def room(self) -> int:
        """Give how many more it may have."""

    def sessions(self, shard: int) -> int:
        """Give how many it has for *shard*."""

    def up(self, shard: int) -> bool:
        """Tell whether none of *shard* is still on its way up."""

    def crowded(self) -> Mapping[int, int]:
        """Give the shards in which numbers wait for room, each with what it would bring to another worker."""

    async def weigh(self, some: Collection[int]) -> Mapping[int, int]:
        """Give how many sessions each of these shards would bring, none left out.  Raises: DatabaseAway, DatabaseBusy."""

    def report(self) -> Report | None:
        """Say how it is."""


class Weightless:
    """No load at all."""

    capacity = CAPACITY

    def room(self) -> int:
        """There is as much as there may ever be."""
        return self.capacity

    def sessions(self, shard: int) -> int:
        """There are none."""
        return 0

    def up(self, shard: int) -> bool:
        """There is nothing to wait for."""
        return True

    def crowded(self) -> Mapping[int, int]:
        """There are none."""
        return {}

    async def weigh(self, some: Collection[int]) -> Mapping[int, int]:
        """They bring nothing."""
        return dict.fromkeys(some, 0)

    def report(self) -> Report | None:
        """There is nothing to say."""
        return None
