"""How fast and to whom a number may send: a decision about one message, from what is set and what was counted. Pure.

Counts and tokens are a `Meter`, which is stored with each message that goes; so they survive a restart and a move. What
may not go now is held, with a reason and (where it is known) until when: the whole number, or the chat alone, so that a
budget which is used up for strangers keeps nobody from answering customers.
"""

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from device_worker.domain.reasons import NEW_CONTACTS, PACED, PAUSED, QUIET_HOURS, WARM_UP
from device_worker.domain.settings import Pace, Quiet, WarmUpStage

#: Who wrote so lately waits for an answer, which is no message out of the blue.
ANSWER_WITHIN = timedelta(hours=24)
#: How fast a person types, and how long nobody is seen typing.
_SECONDS_A_CHARACTER = 0.06
_LONGEST_TYPING = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What was counted of one number.

    Attributes:
        tokens: Messages that may go at once, as of *counted_at*.
        day: The account's day that the two counts are of.
        new_contacts: People written to on *day* for the first time.
        messages: Messages on *day* to people who had not written within 24 hours.
        not_before: The pause after the last message ends then.
        paused_until: Nothing goes before; with *paused_why*.
    """

    tokens: float
    counted_at: datetime
    day: date
    new_contacts: int = 0
    messages: int = 0
    not_before: datetime | None = None
    paused_until: datetime | None = None
    paused_why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """To whom the message goes.

    Attributes:
        known: They wrote to this number before, or it wrote to them.
        wrote_at: When they wrote last, as far as that is known.
        group: It is a group, which is no stranger.
    """

    known: bool = False
    wrote_at: datetime | None = None
    group: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """The number itself: how it is set, how old it is here, and whose day it lives by."""

    pace: Pace
    linked_at: datetime | None
    time_zone: str

    def day(self, at: datetime) -> date:
        """Give the account's day."""
        return at.astimezone(ZoneInfo(self.time_zone)).date()

    def age(self, at: datetime) -> int:
        """Count the days since the pairing; 1 is the day of it."""
        if self.linked_at is None:
            return 1
        return max(1, (self.day(at) - self.day(self.linked_at)).days + 1)

    def stage(self, at: datetime) -> WarmUpStage | None:
        """Give what holds for a number so young; None: it is grown up."""
        age = self.age(at)
        return self.pace.warm_up[age - 1] if age <= len(self.pace.warm_up) else None

    def new_contacts(self, at: datetime) -> int:
        """Give today's budget of people who never heard of it."""
        stage = self.stage(at)
        return self.pace.new_contacts_per_day if stage is None else min(stage.new_contacts, self.pace.new_contacts_per_day)

    def messages(self, at: datetime) -> int | None:
        """Give today's budget of messages that are no answers; None: there is no limit."""
        stage = self.stage(at)
        return None if stage is None else stage.messages


@dataclass(frozen=True, slots=True)
class Go:
    """It may go, and *meter* is what is counted then."""

    meter: Meter


@dataclass(frozen=True, slots=True)
class Hold:
    """It waits.

    Attributes:
        until: When to ask again.
        chat: It is this chat alone that waits; else nothing of the number goes.
    """

    reason: str
    until: datetime
    chat: bool = False


def fresh(number: Number, at: datetime) -> Meter:
    """Give the meter of a number that has not sent yet."""
    return Meter(tokens=float(number.pace.burst), counted_at=at, day=number.day(at))


def as_of(meter: Meter | None, number: Number, at: datetime) -> Meter:
    """Give *meter* as it stands now: tokens have come in, and on a new day both counts begin again."""
    if meter is None:
        return fresh(number, at)
    passed = max((at - meter.counted_at).total_seconds(), 0.0)
    tokens = min(meter.tokens + passed * number.pace.per_minute / 60, float(number.pace.burst))
    now = replace(meter, tokens=tokens, counted_at=max(at, meter.counted_at))
    if (today := number.day(at)) > meter.day:  # and not on an earlier one: a changed time zone gives nothing twice
        now = replace(now, day=today, new_contacts=0, messages=0)
    if now.paused_until is not None and now.paused_until <= at:
        now = replace(now, paused_until=None, paused_why=None)
    return now


def decide(meter: Meter | None, number: Number, to: Addressee, at: datetime, luck: float) -> Go | Hold:
    """Say whether a message to *to* may go now. *luck*, from 0 to 1, draws the pause after it."""
    pace = number.pace
    now = as_of(meter, number, at)
    if now.paused_until is not None:
        return Hold(PAUSED, now.paused_until)
    answer = to.wrote_at is not None and at - to.wrote_at < ANSWER_WITHIN
    if pace.quiet is not None and not (answer and pace.quiet.answers) and (until := quiet_until(pace.quiet, number.time_zone, at)):
        return Hold(QUIET_HOURS, until, chat=True)
    stranger, unasked = not (to.known or to.group), not (answer or to.group)
    if stranger and now.new_contacts >= number.new_contacts(at):
        return Hold(NEW_CONTACTS, _tomorrow(number, at), chat=True)
    if unasked and (most := number.messages(at)) is not None and now.messages >= most:
        return Hold(WARM_UP, _tomorrow(number, at), chat=True)
    if now.tokens < 1 or (now.not_before is not None and now.not_before > at):
        missing = max(1 - now.tokens, 0) * 60e6 / pace.per_minute
        refilled = at + timedelta(microseconds=math.ceil(missing) + 1)  # rounded up: who comes back then shall not come too early
        return Hold(PACED, max(refilled, now.not_before or refilled))
    gap = pace.gap_min_ms + (pace.gap_max_ms - pace.gap_min_ms) * luck
    return Go(
        replace(
            now,
            tokens=now.tokens - 1,
            new_contacts=now.new_contacts + stranger,
            messages=now.messages + unasked,
            not_before=at + timedelta(milliseconds=gap),
        )
    )


def quiet_until(quiet: Quiet, time_zone: str, at: datetime) -> datetime | None:
    """Give the end of the quiet hours in which *at* lies; None: it is not quiet."""
    zone = ZoneInfo(quiet.time_zone or time_zone)
    local = at.astimezone(zone)
    now, start, end = (_minute(moment) for moment in (local.time(), quiet.start, quiet.end))
    inside = start <= now < end if start < end else now >= start or now < end
    if not inside:
        return None
    day = local.date() + timedelta(days=1) if now >= end else local.date()
    until = datetime.combine(day, time(quiet.end.hour, quiet.end.minute), zone).astimezone(UTC)
    return until if until > at else at + timedelta(minutes=1)  # the clock is being set back over the end


def typing_seconds(text: str, luck: float) -> float:
    """Give for how long somebody is seen typing *text*; *luck*, from 0 to 1, makes it uneven."""
    return min(0.5 + len(text) * _SECONDS_A_CHARACTER, _LONGEST_TYPING) * (0.7 + 0.6 * luck)


def whole_tokens(meter: Meter) -> int:
    """Give how many messages may go at once."""
    return math.floor(meter.tokens + 1e-9)


def _tomorrow(number: Number, at: datetime) -> datetime:
    zone = ZoneInfo(number.time_zone)
    begins = datetime.combine(number.day(at) + timedelta(days=1), time(), zone).astimezone(UTC)
    return max(begins, at + timedelta(seconds=1))


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute
