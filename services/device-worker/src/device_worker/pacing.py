"""How fast sessions may be started: decisions only, no I/O.

Two accidents to prevent. After a crash or an outage hundreds of sessions start at once, and WhatsApp takes that for an
attack: so the whole installation shares one `Line`, in which each start has its place. And while WhatsApp is away every
session tries again and again: so a worker whose starts fail one after the other closes its `Breaker`, sends one session
ahead to look, and lets the rest follow in growing groups.
"""

import random
from collections.abc import Callable
from typing import Self

import msgspec

#: Failures, each of another device and with no success in between, after which WhatsApp counts as away.
TRIPS_AT = 5
#: So long ago, a failure says nothing about now.
REMEMBERS = 30.0
LONGEST_WAIT = 15.0
_SHORTEST_WAIT = 1.0
#: A place so far away is the mistake of a clock, and not a queue.
_FARTHEST = 600.0

Random = Callable[[float, float], float]


def backoff(failures: int, longest: float, draw: Random = random.uniform) -> float:
    """Give how long to wait after so many *failures* in a row: anything up to a limit that doubles (full jitter)."""
    return draw(0.0, min(longest, 2.0 ** min(failures, 16)))


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The queue of the whole installation. *next*: when the next start may be, in seconds since 1970."""

    next: float = 0.0

    def reserve(self, now: float, count: int, rate: float, burst: int) -> tuple[Self, float]:
        """Take *count* places, one every ``1 / rate`` seconds; give the line after that, and the time of the first place.

        Args:
            burst: So many places that nobody took lately may be taken at once.
        """
        first = max(self.next, now - burst / rate)
        if first > now + _FARTHEST:
            first = now
        return msgspec.structs.replace(self, next=first + count / rate), first


class Breaker:
    """Whether starting sessions makes sense now, by what came of the last starts.

    ``open``: as many as there are places. ``away``: none before a time that is drawn anew after each failure. ``probing``:
    one, then twice as many after each success, until as many as ever.
    """

    def __init__(self, most: int, draw: Random = random.uniform) -> None:
        """*most*: how many starts there are at the same time when all is well."""
        self._most, self._draw = most, draw
        self._failed: dict[object, float] = {}
        self._times = 0
        self._until: float | None = None
        self._allowed = most

    @property
    def state(self) -> str:
        """How it stands: ``open``, ``probing`` or ``away``."""
        if self._until is not None:
            return "away"
        return "open" if self._allowed >= self._most else "probing"

    def allowed(self, now: float) -> int:
        """Give how many starts there may be at the same time."""
        if self._until is not None and now >= self._until:
            self._until, self._allowed = None, 1
        return 0 if self._until is not None else self._allowed

    def waits(self, now: float) -> float:
        """Give the seconds until it lets the next one through."""
        return max(0.0, self._until - now) if self._until is not None else 0.0

    def answered(self) -> None:
        """WhatsApp has answered: with a session, or with a refusal of that session alone."""
        self._failed.clear()
        self._times = 0
        if self._until is None:
            self._allowed = min(self._most, self._allowed * 2)

    def failed(self, device: object, now: float) -> None:
        """WhatsApp did not answer *device*."""
        self._failed = {other: at for other, at in self._failed.items() if now - at < REMEMBERS} | {device: now}
        if self._until is not None:
            return
        if self._allowed < self._most or len(self._failed) >= TRIPS_AT:
            self._times += 1
            self._until = now + _SHORTEST_WAIT + backoff(self._times, LONGEST_WAIT - _SHORTEST_WAIT, self._draw)
