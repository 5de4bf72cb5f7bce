import pytest
from bench.soak import growth, slope


def test_the_slope_of_a_straight_line_is_found():
    assert slope([(0, 5.0), (10, 7.0), (20, 9.0)]) == pytest.approx(0.2)


@pytest.mark.parametrize("points", [[], [(1, 5.0)], [(1, 5.0), (1, 9.0)]])
def test_too_few_points_have_no_slope(points):
    assert slope(points) == 0.0


def test_growth_looks_at_the_second_half_alone():
    found = growth([(0, 100.0), (10, 300.0), (20, 200.0), (30, 200.0), (40, 200.0), (50, 200.0)])
    assert found == {"mb": 200.0, "most_mb": 300.0, "mb_per_hour": 0.0}
