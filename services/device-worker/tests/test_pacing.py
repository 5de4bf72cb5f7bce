"""How fast sessions may be started, and when not at all."""

import pytest
from device_worker.pacing import LONGEST_WAIT, TRIPS_AT, Breaker, Line, backoff
from hypothesis import given
from hypothesis import strategies as st


def at_most(low: float, high: float) -> float:
    return high


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 20)), min_size=1, max_size=60), st.floats(5, 50), st.integers(0, 30))
def test_whoever_asks_and_when_there_are_never_more_starts_than_the_rate_and_one_burst(asked, rate, burst):
    line, now, starts = Line(), 1_000.0, []
    for pause, count in asked:
        now += pause
        line, first = line.reserve(now, count, rate, burst)
        starts += [max(now, first + place / rate) for place in range(count)]
    starts.sort()
    for index, start in enumerate(starts):
        for later in range(index + 1, len(starts)):
            assert later - index <= burst + (starts[later] - start) * rate + 1.001


def test_a_line_that_nobody_stood_in_gives_its_burst_at_once_and_then_one_after_the_other():
    line, first = Line().reserve(100.0, 10, 2.0, 4)
    assert first == 98.0  # four places lie before now, the next is now, and five follow
    assert line.next == 103.0


def test_a_place_that_a_wrong_clock_has_put_far_ahead_holds_up_nobody():
    _, first = Line(next=1_000_000.0).reserve(100.0, 1, 2.0, 4)
    assert first == 100.0


def test_a_few_failures_of_one_number_say_nothing_about_whatsapp():
    breaker = Breaker(8)
    for second in range(20):
        breaker.failed("one", float(second))
    assert (breaker.state, breaker.allowed(20.0)) == ("open", 8)


def test_failures_of_many_numbers_in_a_row_close_it_and_it_opens_by_one_then_more():
    breaker = Breaker(8, at_most)
    for number in range(TRIPS_AT):
        breaker.failed(number, 100.0)
    assert (breaker.state, breaker.allowed(100.5)) == ("away", 0)
    later = 100.0 + breaker.waits(100.0)
    assert breaker.allowed(later) == 1
    grown = []
    while breaker.state != "open":
        breaker.answered()
        grown.append(breaker.allowed(later))
    assert grown == [2, 4, 8]


def test_a_probe_that_fails_closes_it_for_longer_and_never_for_too_long():
    breaker, now, waits = Breaker(8, at_most), 0.0, []
    for number in range(TRIPS_AT):
        breaker.failed(number, now)
    for _ in range(8):
        waits.append(breaker.waits(now))
        now += waits[-1]
        assert breaker.allowed(now) == 1
        breaker.failed("probe", now)
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_a_success_between_the_failures_means_that_whatsapp_is_there():
    breaker = Breaker(8)
    for number in range(3 * TRIPS_AT):
        breaker.failed(number, 1.0)
        if number % (TRIPS_AT - 1) == 0:
            breaker.answered()
    assert breaker.state == "open"


@pytest.mark.parametrize(("failures", "most"), [(1, 2.0), (3, 8.0), (50, 30.0)])
def test_the_wait_after_a_failure_is_anything_up_to_a_limit_that_doubles(failures, most):
    drawn = [backoff(failures, 30.0) for _ in range(50)]
    assert 0 <= min(drawn) < most / 2 < max(drawn) <= most
