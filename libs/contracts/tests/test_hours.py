from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from contracts import hours
from contracts.hours import Assigned, Holiday, Hours, Span, Weekly
from hypothesis import given
from hypothesis import strategies as st

ZONES = ("America/Sao_Paulo", "America/Santiago", "Europe/Madrid", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")


def a_week(*days: int, opens: str = "09:00", closes: str = "18:00", zone: str = "America/Santiago", **more) -> Hours:
    return Hours(time_zone=zone, weekly=tuple(Weekly(day=day, opens=opens, closes=closes) for day in days), **more)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_it_is_open_from_the_first_to_before_the_last_minute_of_the_wall_clock():
    week = a_week(0, zone="America/Sao_Paulo")  # three hours behind UTC
    assert [
        hours.is_open(week, utc(t)) for t in ("2026-11-23T11:59:59", "2026-11-23T12:00", "2026-11-23T20:59:59", "2026-11-23T21:00")
    ] == [
        False,
        True,
        True,
        False,
    ]
    assert not hours.is_open(week, utc("2026-11-24T15:00"))


def test_without_hours_it_is_always_open():
    assert hours.is_open(None, utc("2026-11-23T03:00"))
    assert hours.next_opening(None, utc("2026-11-23T03:00")) == utc("2026-11-23T03:00")


def test_a_span_past_midnight_belongs_to_the_day_on_which_it_begins():
    friday = a_week(4, opens="20:00", closes="02:00", zone="UTC")
    assert hours.is_open(friday, utc("2026-11-28T01:59"))
    assert not hours.is_open(friday, utc("2026-11-27T01:59"))
    assert hours.is_open(a_week(4, opens="00:00", closes="24:00", zone="UTC"), utc("2026-11-27T23:59"))
    assert hours.is_open(a_week(4, opens="08:00", closes="08:00", zone="UTC"), utc("2026-11-28T07:59"))


def test_a_holiday_takes_the_place_of_its_weekday():
    free = Holiday(date=date(2026, 12, 25), name="Navidad")
    short = Holiday(date=date(2026, 12, 24), spans=(Span(opens="09:00", closes="12:00"),))
    week = a_week(*range(7), zone="UTC", holidays=(free, short))
    assert not hours.is_open(week, utc("2026-12-25T10:00"))
    assert hours.is_open(week, utc("2026-12-24T11:00"))
    assert not hours.is_open(week, utc("2026-12-24T12:00"))
    assert hours.next_opening(week, utc("2026-12-24T12:00")) == utc("2026-12-26T09:00")


def test_the_hours_follow_the_wall_clock_when_it_is_changed():
    # Madrid: on 2026-03-29 02:00 becomes 03:00, on 2026-10-25 03:00 becomes 02:00.
    night = a_week(6, opens="01:30", closes="02:30", zone="Europe/Madrid")
    assert hours.next_opening(night, utc("2026-03-28T12:00")) == utc("2026-03-29T00:30")
    assert hours.is_open(night, utc("2026-03-29T00:59"))
    assert not hours.is_open(night, utc("2026-03-29T01:00"))
    times = ("24T23:29", "24T23:30", "25T01:29", "25T01:30")
    assert [hours.is_open(night, utc(f"2026-10-{time}")) for time in times] == [False, True, True, False]
    skipped = a_week(6, opens="02:15", closes="02:45", zone="Europe/Madrid")
    assert hours.next_opening(skipped, utc("2026-03-28T12:00")) == utc("2026-04-05T00:15")


def test_what_never_opens_has_no_next_opening():
    assert hours.next_opening(a_week(), utc("2026-11-23T03:00")) is None
    closed = tuple(Holiday(date=date(2026, 1, 1) + timedelta(days=n)) for n in range(800))
    assert hours.next_opening(a_week(0, holidays=closed), utc("2026-01-01T00:00")) is None


def test_a_teams_hours_come_before_its_numbers_and_the_accounts_last():
    device, team = uuid4(), uuid4()
    night, day, default = a_week(0), a_week(1), a_week(2)
    sets = [
        Assigned(hours=default, everywhere=True),
        Assigned(hours=day, devices=(device,)),
        Assigned(hours=night, teams=(team,)),
    ]
    assert hours.covering(sets, device=device, team=team) is night
    assert hours.covering(sets, device=device, team=uuid4()) is day
    assert hours.covering(sets, device=uuid4()) is default
    assert hours.covering(sets[1:], device=uuid4()) is None


@pytest.mark.parametrize("text", ["9:00", "24:01", "12:60", "aa:bb", "١٢:٠٠", "", "12:00:00"])
def test_what_is_no_time_of_day_is_refused(text):
    with pytest.raises(ValueError):
        Span(opens="09:00", closes=text)


def test_what_is_no_zone_or_day_is_refused_also_when_read_from_the_wire():
    for body in (
        b'{"time_zone": "Mars/Olympus", "weekly": []}',
        b'{"time_zone": "../../etc/passwd", "weekly": []}',
        b'{"time_zone": "UTC", "weekly": [{"day": 7, "opens": "09:00", "closes": "18:00"}]}',
        b'{"time_zone": "UTC", "weekly": [{"day": 0, "opens": "24:00", "closes": "18:00"}]}',
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=Hours)


clock = st.integers(0, 1439).map(lambda n: f"{n // 60:02}:{n % 60:02}")
weeks = st.builds(
    Hours,
    time_zone=st.sampled_from(ZONES),
    weekly=st.lists(st.builds(Weekly, day=st.integers(0, 6), opens=clock, closes=clock), max_size=5).map(tuple),
    holidays=st.lists(st.builds(Holiday, date=st.dates(date(2026, 1, 1), date(2026, 12, 31))), max_size=5).map(tuple),
)
moments = st.integers(0, 365 * 1440).map(lambda n: utc("2026-01-01T00:00") + timedelta(minutes=n))


@given(weeks, moments)
def test_the_next_opening_is_open_and_nothing_before_it_is(week, at):
    opening = hours.next_opening(week, at)
    if opening is None:
        assert not any(hours.is_open(week, at + timedelta(hours=n)) for n in range(24 * 8))
        return
    assert opening >= at
    assert hours.is_open(week, opening)
    step = (opening - at) / 20
    assert all(not hours.is_open(week, at + step * n) for n in range(20)) or opening == at
    assert opening == at or not hours.is_open(week, opening - timedelta(seconds=1))
