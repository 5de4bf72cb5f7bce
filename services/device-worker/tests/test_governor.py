"""How fast and to whom a number may send, on its own: a day of messages in any order keeps every budget."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from device_worker.domain import DeviceSettings, Pace, Quiet, WarmUpStage
from device_worker.domain.governor import Addressee, Go, Hold, Meter, Number, as_of, decide, fresh, quiet_until, typing_seconds
from device_worker.domain.settings import ProxyInvalid, proxy_address, proxy_shown
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

AT = datetime(2026, 11, 21, 18, tzinfo=UTC)
MEXICO = "America/Mexico_City"
STRANGER = Addressee()
FRIEND = Addressee(known=True)


def a_number(at: datetime = AT, age: int = 100, zone: str = "UTC", **pace: object) -> Number:
    return Number(pace=Pace.model_validate(pace), linked_at=at - timedelta(days=age - 1), time_zone=zone)


def customer(at: datetime = AT) -> Addressee:
    return Addressee(known=True, wrote_at=at - timedelta(minutes=5))


paces = st.builds(
    lambda per_minute, burst, gaps, contacts, warm_up: Pace(
        per_minute=per_minute,
        burst=burst,
        gap_min_ms=min(gaps),
        gap_max_ms=max(gaps),
        new_contacts_per_day=contacts,
        warm_up=tuple(WarmUpStage(new_contacts=n, messages=m) for n, m in warm_up),
    ),
    st.integers(1, 600),
    st.integers(1, 40),
    st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)),
    st.integers(0, 8),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 20)), max_size=4),
)
wishes = st.lists(
    st.tuples(st.integers(0, 40_000_000), st.sampled_from(["stranger", "friend", "customer", "group"]), st.floats(0, 1)), max_size=80
)


@given(pace=paces, wishes=wishes, age=st.integers(1, 8), zone=st.sampled_from(["UTC", MEXICO, "Asia/Kolkata", "Pacific/Apia"]))
@settings(max_examples=150, deadline=None)
def test_whatever_is_asked_no_budget_is_passed_and_nothing_waits_for_ever(pace, wishes, age, zone):
    number = Number(pace=pace, linked_at=AT - timedelta(days=age - 1), time_zone=zone)
    meter: Meter | None = None
    at = AT
    gone: list[tuple[datetime, str]] = []
    for pause_ms, whom, luck in wishes:
        at += timedelta(milliseconds=pause_ms)
        to = {"stranger": STRANGER, "friend": FRIEND, "customer": customer(at), "group": Addressee(group=True)}[whom]
        match decide(meter, number, to, at, luck):
            case Go(after):
                assert after.tokens >= 0
                meter = after
                gone.append((at, whom))
            case Hold(reason, until, chat):
                assert until > at
                assert chat == (reason in {"new-contacts", "warm-up", "quiet-hours"})
                if whom in {"customer", "group"}:
                    assert reason == "paced", "who waits for an answer waits for no budget"
    for day in {number.day(moment) for moment, _ in gone}:
        moments = [(moment, whom) for moment, whom in gone if number.day(moment) == day]
        noon = moments[0][0]
        assert sum(whom == "stranger" for _, whom in moments) <= number.new_contacts(noon)
        if (most := number.messages(noon)) is not None:
            assert sum(whom in {"stranger", "friend"} for _, whom in moments) <= most
    for place, (begin, _) in enumerate(gone):
        for count, (end, _) in enumerate(gone[place:], start=1):
            assert count <= pace.burst + (end - begin).total_seconds() * pace.per_minute / 60 + 1e-6
    for (before, _), (after, _) in pairwise(gone):
        assert after - before >= timedelta(milliseconds=pace.gap_min_ms) - timedelta(microseconds=1)


@given(pace=paces, luck=st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_who_comes_back_when_told_to_may_go(pace, luck):
    number = Number(pace=replace_budget(pace), linked_at=AT - timedelta(days=90), time_zone=MEXICO)
    meter, at = None, AT
    for _ in range(60):
        match decide(meter, number, customer(at), at, luck):
            case Go(meter):
                pass
            case Hold(reason, until):
                assert reason == "paced"
                at = until
                again = decide(meter, number, customer(at), at, luck)
                assert isinstance(again, Go)
                meter = again.meter


def replace_budget(pace: Pace) -> Pace:
    return pace.model_copy(update={"new_contacts_per_day": 100, "warm_up": ()})


def test_a_burst_goes_at_once_and_then_one_for_each_token():
    number = a_number(per_minute=30, burst=3, gap_min_ms=0, gap_max_ms=0)
    meter = None
    for _ in range(3):
        verdict = decide(meter, number, FRIEND, AT, 0.5)
        assert isinstance(verdict, Go)
        meter = verdict.meter
    assert decide(meter, number, FRIEND, AT, 0.5) == Hold("paced", AT + timedelta(seconds=2, microseconds=1))
    assert isinstance(decide(meter, number, FRIEND, AT + timedelta(seconds=2, microseconds=1), 0.5), Go)


def test_a_stranger_over_the_budget_waits_until_the_accounts_tomorrow_and_a_customer_does_not():
    number = a_number(zone=MEXICO, new_contacts_per_day=1)
    first = decide(None, number, STRANGER, AT, 0)
    assert isinstance(first, Go)
    later = AT + timedelta(minutes=1)
    held = decide(first.meter, number, STRANGER, later, 0)
    assert held == Hold("new-contacts", datetime(2026, 11, 22, 6, tzinfo=UTC), chat=True)
    assert isinstance(decide(first.meter, number, customer(later), later, 0), Go)
    assert isinstance(decide(first.meter, number, FRIEND, later, 0), Go)
    assert isinstance(decide(first.meter, number, STRANGER, held.until, 0), Go)


def test_a_young_number_does_a_little_more_each_day_and_answers_as_it_likes():
    stages = [{"new_contacts": 1, "messages": 2}, {"new_contacts": 5, "messages": 50}]
    young = a_number(age=1, warm_up=stages, new_contacts_per_day=3)
    assert (young.age(AT), young.new_contacts(AT), young.messages(AT)) == (1, 1, 2)
    tomorrow = AT + timedelta(days=1)
    assert (young.age(tomorrow), young.new_contacts(tomorrow), young.messages(tomorrow)) == (2, 3, 50)
    grown = AT + timedelta(days=2)
    assert (young.stage(grown), young.new_contacts(grown), young.messages(grown)) == (None, 3, None)

    used = replace(fresh(young, AT), messages=2)
    assert decide(used, young, FRIEND, AT, 0) == Hold("warm-up", datetime(2026, 11, 22, tzinfo=UTC), chat=True)
    assert isinstance(decide(used, young, customer(), AT, 0), Go)
    assert isinstance(decide(used, young, Addressee(group=True), AT, 0), Go)


def test_a_pause_holds_everything_until_its_end():
    number = a_number()
    paused = replace(fresh(number, AT), paused_until=AT + timedelta(hours=2), paused_why="sent-to-too-many-people")
    assert decide(paused, number, customer(), AT, 0) == Hold("paused", AT + timedelta(hours=2))
    over = decide(paused, number, customer(AT + timedelta(hours=2)), AT + timedelta(hours=2), 0)
    assert isinstance(over, Go)
    assert over.meter.paused_until is None


@pytest.mark.parametrize(
    ("hour", "minute", "until"),
    [
        (20, 59, None),
        (21, 0, datetime(2026, 11, 22, 14, 30, tzinfo=UTC)),
        (23, 59, datetime(2026, 11, 22, 14, 30, tzinfo=UTC)),
        (3, 0, datetime(2026, 11, 21, 14, 30, tzinfo=UTC)),
        (8, 29, datetime(2026, 11, 21, 14, 30, tzinfo=UTC)),
        (8, 30, None),
    ],
)
def test_quiet_hours_run_past_midnight_by_the_accounts_clock(hour, minute, until):
    quiet = Quiet(start=time(21), end=time(8, 30))
    local = datetime(2026, 11, 21, hour, minute, tzinfo=UTC) + timedelta(hours=6)  # Mexico City has no other clock in summer
    assert quiet_until(quiet, MEXICO, local) == until


@given(
    start=st.times(),
    end=st.times(),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(["UTC", "America/Sao_Paulo", "America/Santiago", "Europe/Lisbon", "Australia/Lord_Howe"]),
)
@settings(max_examples=200, deadline=None)
def test_quiet_hours_end_within_a_day_whatever_the_clock_does(start, end, at, zone):
    if (start.hour, start.minute) == (end.hour, end.minute):
        return
    until = quiet_until(Quiet(start=start, end=end), zone, at)
    if until is not None:
        assert at < until <= at + timedelta(hours=25)


def test_at_night_an_answer_goes_unless_that_is_switched_off():
    number = a_number(quiet={"start": "17:00", "end": "19:00"})
    assert isinstance(decide(None, number, customer(), AT, 0), Go)
    assert decide(None, number, FRIEND, AT, 0) == Hold("quiet-hours", AT + timedelta(hours=1), chat=True)
    strict = a_number(quiet={"start": "17:00", "end": "19:00", "answers": False})
    assert decide(None, strict, customer(), AT, 0) == Hold("quiet-hours", AT + timedelta(hours=1), chat=True)


def test_counts_begin_again_on_the_accounts_new_day_and_never_on_an_older_one():
    number = a_number(zone=MEXICO)
    used = replace(fresh(number, AT), new_contacts=7, messages=9)
    assert as_of(used, number, AT + timedelta(hours=3)).new_contacts == 7
    assert as_of(used, number, AT + timedelta(hours=12, seconds=1)).new_contacts == 0
    elsewhere = a_number(zone="Pacific/Honolulu")
    ahead = replace(used, day=date(2026, 11, 22))
    assert as_of(ahead, elsewhere, AT).new_contacts == 7, "another time zone gives nothing twice"


def test_nobody_types_for_ever():
    assert 0.3 < typing_seconds("hi", 0) < typing_seconds("hi", 1) < 1.5
    assert typing_seconds("x" * 60_000, 1) < 10


def test_a_part_that_is_changed_leaves_the_rest_as_it_is():
    before = DeviceSettings().changed(pace={"per_minute": 10, "quiet": {"start": "21:00", "end": "08:00"}}, labels=["a", "b", "a"])
    after = before.changed(pace={"quiet": {"answers": False}})
    assert (after.pace.per_minute, after.pace.quiet.start, after.pace.quiet.answers) == (10, time(21), False)
    assert after.labels == ("a", "b")
    assert after.changed(pace={"quiet": None}).pace.quiet is None
    assert DeviceSettings.read(after.written()) == after
    assert DeviceSettings.read('{"pace": {"burst": 7, "of_a_later_version": 1}}').pace.burst == 7


@pytest.mark.parametrize(
    "change",
    [
        {"pace": {"per_minute": 0}},
        {"pace": {"per_minute": 10_000}},
        {"pace": {"gap_min_ms": 500, "gap_max_ms": 100}},
        {"pace": {"quiet": {"start": "21:00", "end": "21:00"}}},
        {"pace": {"quiet": {"start": "21:00", "end": "8", "time_zone": "Mars/Olympus"}}},
        {"pace": {"warm_up": [{"new_contacts": -1, "messages": 1}]}},
        {"labels": [""]},
        {"labels": [str(n) for n in range(21)]},
        {"metadata": {"x": "y" * 5000}},
        {"metadata": {"x": "\x00"}},
        {"shown_as": "x" * 31},
    ],
)
def test_what_makes_no_sense_is_not_set(change):
    with pytest.raises(ValidationError):
        DeviceSettings().changed(**change)


@pytest.mark.parametrize("text", ["http://10.0.0.1:3128", "https://user:se%40cret@proxy.example:443", "socks5://u:p@[2001:db8::1]:1080/"])
def test_a_proxy_is_shown_without_its_password(text):
    shown = proxy_shown(proxy_address(text))
    assert "se" not in shown
    assert "u:p" not in shown
    assert shown.rsplit(":", 1)[1] == text.rstrip("/").rsplit(":", 1)[1]


@pytest.mark.parametrize(
    "text",
    ["", "proxy:3128", "ftp://p:1", "http://p", "http://:80", "http://p:0", "http://p:99999", "http://p:1/x", "http://p :1", "http://ñ:1"],
)
def test_what_is_no_proxy_is_refused(text):
    with pytest.raises(ProxyInvalid):
        proxy_address(text)
