"""A queue that gives every lane its turn. Pure."""

from collections import deque
from collections.abc import Container
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Items wait in lanes; within a lane they leave in the order in which they came."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[T]] = {}  # in the order of their next turn
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, lane: str, item: T) -> None:
        """Put *item* at the end of its lane."""
        waiting = self._lanes.get(lane)
        if waiting is None:
            waiting = self._lanes[lane] = deque()
        waiting.append(item)
        self._size += 1

    def take(self, limit: int, closed: Container[str] = ()) -> list[tuple[str, T]]:
        """Take up to *limit* items from the lanes that are not *closed*.

        While lanes wait, none gets more than an equal share; what they leave over goes to those that have more. Lanes that
        were served go behind those that were not.
        """
        lanes = [lane for lane in self._lanes if lane not in closed]
        taken: list[tuple[str, T]] = []
        served: list[str] = []
        while lanes and len(taken) < limit:
            share = max(1, (limit - len(taken)) // len(lanes))
            rest = []
            for lane in lanes:
                waiting = self._lanes[lane]
                count = min(share, len(waiting), limit - len(taken))
                taken += [(lane, waiting.popleft()) for _ in range(count)]
                if count:
                    served.append(lane)
                if waiting:
                    rest.append(lane)
            lanes = rest
        for lane in dict.fromkeys(served):
            waiting = self._lanes.pop(lane)
            if waiting:
                self._lanes[lane] = waiting
        self._size -= len(taken)
        return taken

    def drain(self) -> list[T]:
        """Take everything."""
        items = [item for waiting in self._lanes.values() for item in waiting]
        self._lanes.clear()
        self._size = 0
        return items
