import pytest
from bench.lines import Lines, outage


@pytest.mark.parametrize(
    ("news", "longest"),
    [
        ([], 0.0),
        ([(1.0, True)], 0.0),
        ([(1.0, False), (3.5, True)], 2.5),
        ([(1.0, False), (2.0, False), (4.0, True), (5.0, False), (6.0, True)], 3.0),
        ([(1.0, False)], 9.0),
    ],
)
def test_the_longest_time_off_the_line_is_told(news, longest):
    assert outage(news, 10.0) == longest


def test_each_number_has_its_own_outage_since_the_accident():
    lines = Lines([(1.0, "a", False), (2.0, "a", True), (5.0, "b", False), (6.0, "a", False), (6.5, "a", True), (8.0, "b", True)])
    assert lines.outages(["a", "b", "c"], 4.0) == {"a": 0.5, "b": 3.0, "c": 0.0}
