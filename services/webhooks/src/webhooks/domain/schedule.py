"""When a delivery is tried, and what is made of an endpoint that fails. Pure.

A delivery is tried at once and, while it fails, again after each of `WAITS`: ten times over some 75 hours. An endpoint that fails
several times in a row is left alone as a whole for a while (`Health.held_until`), so that it costs one connection every few minutes
however much waits for it; one success and everything flows again.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Self

#: Before each attempt, counted from the one before.
WAITS = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
#: The share of a wait that it may be longer or shorter, so that what failed together does not come back together.
JITTER = 0.1
LONGEST_RETRY_AFTER = timedelta(hours=24)

#: So many failures in a row, and the endpoint is held.
HOLD_AFTER = 5
FIRST_HOLD = timedelta(seconds=5)
LONGEST_HOLD = timedelta(minutes=5)
#: It is told, once, that it has failed for so long, and disabled after that.
WARN_AFTER = timedelta(days=1)
DISABLE_AFTER = timedelta(days=5)


def wait(step: int, draw: float) -> timedelta | None:
    """Give the wait after the failure of attempt *step* (from 0 on); None after the last one.

    Args:
        draw: Between 0 and 1, by chance.
    """
    if step + 1 >= len(WAITS):
        return None
    return WAITS[step + 1] * (1 + JITTER * (2 * draw - 1))


def retry_after(text: str | None, now: datetime) -> datetime | None:
    """Read a ``Retry-After`` header, seconds or a date; None where there is none that can be read, or it is past."""
    if not text:
        return None
    try:
        until = now + timedelta(seconds=int(text)) if text.strip().isdecimal() else parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(until, now + LONGEST_RETRY_AFTER) if until > now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How an endpoint has fared since its last success.

    Attributes:
        failures: In a row.
        failing_since: The first of them.
        held_until: Nothing is sent before.
        warned_at: When its owners were told.
    """

    failures: int = 0
    failing_since: datetime | None = None
    held_until: datetime | None = None
    warned_at: datetime | None = None

    def failed(self, at: datetime, *, until: datetime | None = None, draw: float = 0.5) -> Self:
        """Count one failure more; with *until*, the endpoint itself asked to be left alone until then."""
        failures = self.failures + 1
        held = until
        if failures >= HOLD_AFTER:
            hold = min(FIRST_HOLD * 2 ** min(failures - HOLD_AFTER, 16), LONGEST_HOLD) * (1 + JITTER * (2 * draw - 1))
            held = max(at + hold, until) if until else at + hold
        return replace(self, failures=failures, failing_since=self.failing_since or at, held_until=held or self.held_until)

    @property
    def probing(self) -> bool:
        """Tell whether one delivery at a time is to show whether it is well again."""
        return self.failures >= HOLD_AFTER

    def held(self, now: datetime) -> bool:
        """Tell whether nothing is to be sent at *now*."""
        return self.held_until is not None and now < self.held_until

    def to_disable(self, at: datetime) -> bool:
        """Tell whether a failure at *at* is the last that is put up with."""
        return self.failing_since is not None and at - self.failing_since >= DISABLE_AFTER

    def to_warn(self, at: datetime) -> bool:
        """Tell whether its owners should be told at *at*."""
        return self.warned_at is None and self.failing_since is not None and at - self.failing_since >= WARN_AFTER


class Bucket:
    """Lets through no more than *per_minute*, evenly: at once at most a second's worth, and never less than one."""

    def __init__(self, per_minute: int | None) -> None:
        self.per_minute = per_minute
        self._full = max(1.0, per_minute / 60) if per_minute else 1.0
        self._tokens = self._full
        self._at = 0.0

    def delay(self, now: float) -> float:
        """Give the seconds until one may go; 0: now."""
        if self.per_minute is None:
            return 0.0
        self._tokens = min(self._full, self._tokens + max(0.0, now - self._at) * self.per_minute / 60)
        self._at = max(now, self._at)
        return 0.0 if self._tokens >= 1 - 1e-9 else (1 - self._tokens) * 60 / self.per_minute

    def take(self) -> None:
        """One goes."""
        self._tokens -= 1
