import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import figures


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_enough_of_them_do_not_exceed(values, share):
    found = figures.percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_nothing_measured_has_no_percentile():
    with pytest.raises(ValueError):
        figures.percentile([], 0.5)


def test_latencies_are_told_in_milliseconds():
    assert figures.latencies([0.001, 0.002, 0.5])["max_ms"] == 500.0
