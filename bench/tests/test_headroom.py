import pytest
from bench.headroom import Processors, first_to_give, headroom


def test_the_share_that_was_busy_is_told_between_two_readings():
    before = Processors.read("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n")
    after = Processors.read("cpu  160 0 130 900 10 0 0 0 0 0\n")
    assert after.since(before) == pytest.approx(0.45)
    assert after.since(after) == 0.0


def test_what_is_nearest_to_its_end_gives_first():
    used = headroom(rss_mb=1.0, files=1, connections=450, most_connections=500, processors=0.4)
    assert used["database_connections"] == 0.9
    assert first_to_give(used) == "database_connections"
    assert first_to_give(used | {"processors": 0.99}) == "processors"
