"""The library keeps its clients in plain Go maps. This gate keeps two threads from touching them at once.

Starting and stopping write the maps, every other call reads them in its first instructions. A read beside a write ends
the process (``fatal error: concurrent map read and map write``), and nothing can catch it. So a start and a stop have
the gate alone, calls share it, and whoever comes is served in turn.

A hold has an end even when its call has not: a send may wait 75 s for WhatsApp's answer and a start may dial for as
long, but the maps are touched when they begin (and, for a start, when the connection is up). One slow number must not
stand in the way of all others.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARED_SECONDS = 1.0
ALONE_SECONDS = 5.0
_LOOK_AGAIN = 0.1


class Turn:
    """One thread's place in the queue, and then its hold."""

    __slots__ = ("admitted", "alone", "since")

    def __init__(self, alone: bool) -> None:
        self.alone = alone
        self.admitted = threading.Event()
        self.since = 0.0


class Gate:
    """First come, first served; neighbours that share go together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: deque[Turn] = deque()
        self._alone: Turn | None = None
        self._sharing: set[Turn] = set()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the gate together with other calls."""
        turn = self.enter(alone=False)
        try:
            yield
        finally:
            self.leave(turn)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the gate with nobody else."""
        turn = self.enter(alone=True)
        try:
            yield
        finally:
            self.leave(turn)

    def enter(self, *, alone: bool) -> Turn:
        """Wait for a turn; give it back with `leave`."""
        turn = Turn(alone)
        with self._lock:
            self._queue.append(turn)
            self._admit()
        while not turn.admitted.wait(_LOOK_AGAIN):
            with self._lock:  # a hold may have run out, of which nobody tells
                self._admit()
        return turn

    def leave(self, turn: Turn) -> None:
        """Give the turn back; a second time is nothing."""
        with self._lock:
            if self._alone is turn:
                self._alone = None
            self._sharing.discard(turn)
            self._admit()

    def _admit(self) -> None:
        now = self._clock()
        if self._alone is not None and now - self._alone.since >= ALONE_SECONDS:
            self._alone = None
        while self._queue and self._alone is None:
            turn = self._queue[0]
            if turn.alone:
                self._sharing = {other for other in self._sharing if now - other.since < SHARED_SECONDS}
                if self._sharing:
                    return
                self._alone = turn
            else:
                self._sharing.add(turn)
            self._queue.popleft()
            turn.since = now
            turn.admitted.set()
