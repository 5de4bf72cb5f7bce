"""When a team answers: weekly hours, holidays and a time zone, read the same way wherever they count. No I/O.

A span belongs to the local day on which it begins and may run past midnight. Where a clock is set back a span keeps all of
its hours: it opens at the first and closes at the last time that the wall clock shows; an hour that is skipped is no hour.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from contracts.ids import DeviceId

#: As far ahead as `next_opening` looks.
HORIZON = timedelta(days=400)

_DAY = timedelta(days=1)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """From *opens* to *closes*, each ``HH:MM`` of the wall clock; a *closes* that is not later is on the next day, ``24:00`` at its end."""

    opens: str
    closes: str

    def __post_init__(self) -> None:
        """Refuse what is no time of day.  Raises: ValueError."""
        if minute(self.opens) == 1440:
            raise ValueError("Nothing opens at 24:00.")
        minute(self.closes)


class Weekly(Span, frozen=True, kw_only=True):
    """A span of every week; *day* is 0 on Mondays and 6 on Sundays."""

    day: int

    def __post_init__(self) -> None:
        """Refuse what is no day.  Raises: ValueError."""
        super().__post_init__()
        if not 0 <= self.day <= 6:
            raise ValueError("A day is 0 (Monday) to 6 (Sunday).")


class Holiday(msgspec.Struct, frozen=True, kw_only=True):
    """A date on which other spans hold than in an ordinary week: without any it is closed all day."""

    date: date
    name: str = ""
    spans: tuple[Span, ...] = ()


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """Service hours; *time_zone* is IANA's name."""

    time_zone: str
    weekly: tuple[Weekly, ...]
    holidays: tuple[Holiday, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a zone that does not exist.  Raises: ValueError."""
        zone(self.time_zone)


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """Hours and where they hold.

    Attributes:
        devices: The numbers that keep them.
        teams: The teams that keep them.
        everywhere: They hold where no others do.
    """

    hours: Hours
    devices: tuple[DeviceId, ...] = ()
    teams: tuple[UUID, ...] = ()
    everywhere: bool = False


def covering(sets: Iterable[Assigned], *, device: UUID | None = None, team: UUID | None = None) -> Hours | None:
    """Give the hours that hold for a chat: its team's, else its number's, else the account's; None: it is always open."""
    of_device = everywhere = None
    for one in sets:
        if team is not None and team in one.teams:
            return one.hours
        if device is not None and device in one.devices:
            of_device = one.hours
        if one.everywhere:
            everywhere = one.hours
    return of_device or everywhere


def is_open(hours: Hours | None, at: datetime) -> bool:
    """Tell whether *at* (aware) lies within *hours*; without any it is always open."""
    if hours is None:
        return True
    today = at.astimezone(zone(hours.time_zone)).date()
    return any(begin <= at < end for begin, end in spans(hours, today - _DAY, today))


def next_opening(hours: Hours | None, at: datetime) -> datetime | None:
    """Give the first time from *at* on at which it is open: *at* itself where it is; None when it never opens within `HORIZON`. UTC."""
    at = at.astimezone(UTC)
    if hours is None or is_open(hours, at):
        return at
    day = at.astimezone(zone(hours.time_zone)).date()
    last = day + HORIZON
    while day <= last:
        begins = [begin for begin, _ in spans(hours, day, day) if begin >= at]
        if begins:
            return min(begins)
        day += _DAY
    return None


def spans(hours: Hours, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    """Give every span that begins on the local days from *first* to *last*, as UTC times; one that the clock skips is left out."""
    where = zone(hours.time_zone)
    holidays = {holiday.date: holiday.spans for holiday in hours.holidays}
    day = first
    while day <= last:
        ordinary: tuple[Span, ...] = tuple(span for span in hours.weekly if span.day == day.weekday())
        for span in holidays.get(day, ordinary):
            opens, closes = minute(span.opens), minute(span.closes)
            if closes <= opens:
                closes += 1440
            begin, end = _utc(where, day, opens, last=False), _utc(where, day, closes, last=True)
            if begin < end:
                yield begin, end
        day += _DAY


def minute(text: str) -> int:
    """Read ``HH:MM`` as the minute of the day, up to ``24:00``.  Raises: ValueError."""
    if len(text) != 5 or text[2] != ":" or not text.isascii() or not (text[:2] + text[3:]).isdecimal():
        raise ValueError("A time of day looks like 09:30.")
    hour, rest = int(text[:2]), int(text[3:])
    if rest > 59 or hour > 24 or (hour == 24 and rest):
        raise ValueError("A time of day looks like 09:30.")
    return hour * 60 + rest


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Give the time zone of this name.  Raises: ValueError: there is none."""
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone.")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone.") from error


def _utc(where: ZoneInfo, day: date, minutes: int, *, last: bool) -> datetime:
    """Give the UTC time of a wall-clock time: of two the first or the last; of none, when the clock jumps over it."""
    local = datetime.combine(day + timedelta(days=minutes // 1440), time(minutes % 1440 // 60, minutes % 60), where)
    early, late = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if early <= late:
        return late if last else early
    # In a gap both folds lie an hour apart, around the moment of the jump, which is what we want: an hour that is skipped is none.
    return _jump(where, late, early)


def _jump(where: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Give the moment between both at which the zone's offset changes, to the second."""
    offset = before.astimezone(where).utcoffset()
    low, high = before, after
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(where).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
