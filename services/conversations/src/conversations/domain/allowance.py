"""How much an account may write, and when its day is over. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.errors import Forbidden, RateLimited


class AccountSuspended(Forbidden):
    """This account is suspended."""

    code = "account-suspended"


class MessageLimit(RateLimited):
    """The account has written as many messages as it may in one day."""

    code = "message-limit"

    @classmethod
    def until(cls, end: datetime, now: datetime, most: int) -> Self:
        """Say how many there may be, and when the next day begins."""
        seconds = max(1, -int((now - end).total_seconds() // 1))
        return cls(
            f"This account may write {most} messages a day; the next day begins at {end:%Y-%m-%d %H:%M} UTC.",
            headers={"Retry-After": str(seconds)},
            most=most,
            retry_after=seconds,
            opens_at=end.isoformat().replace("+00:00", "Z"),
        )


@dataclass(frozen=True, slots=True)
class Day:
    """One day of an account.

    Attributes:
        ends_at: UTC; the first moment of the next one.
    """

    date: date
    ends_at: datetime

    @classmethod
    def at(cls, now: datetime, zone: str) -> Self:
        """Give the day that it is *now* in *zone*; a zone that is not known here has UTC's days."""
        try:
            where: ZoneInfo | None = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            where = None
        today = now.astimezone(where or UTC).date()
        tomorrow = datetime.combine(today + timedelta(days=1), time.min, tzinfo=where or UTC)
        return cls(today, tomorrow.astimezone(UTC))
