"""Waits in buckets say what the waits themselves say, up to 2 % and a second."""

import math

from conversations.domain import waits
from hypothesis import given
from hypothesis import strategies as st

WAIT = st.floats(0, 14 * 86_400)


def bucket(waited: float) -> int:
    return math.ceil(math.log(max(waited, 1.0)) / math.log(waits.GROWTH))


def exact(some: list[float], share: float) -> float:
    some = sorted(some)
    place = share * (len(some) - 1)
    low = int(place)
    return some[low] + (some[min(low + 1, len(some) - 1)] - some[low]) * (place - low)


@given(st.lists(WAIT, min_size=1), st.floats(0, 1))
def test_a_percentile_of_buckets_is_off_by_two_percent_and_a_second_at_most(some, share):
    packed = str(sum(10 ** (waits.DIGITS * bucket(one)) for one in some))
    counts = waits.parse(packed)
    assert sum(counts) == len(some)
    [found], true = waits.percentiles(counts, share), exact(some, share)
    assert abs(found - true) <= 0.02 * true + 1


def test_where_nobody_waited_there_is_no_percentile():
    assert sum(waits.parse("0")) == 0
    assert sum(waits.parse("")) == 0
    assert waits.percentiles(waits.parse("0"), 0.5, 0.9) == [None, None]
    assert waits.percentiles(waits.parse(""), 0.5) == [None]
