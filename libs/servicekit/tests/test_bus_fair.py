from hypothesis import given
from hypothesis import strategies as st
from servicekit.bus.fair import FairQueue


def filled(**lanes: int) -> FairQueue[int]:
    queue: FairQueue[int] = FairQueue()
    for lane, count in lanes.items():
        for number in range(count):
            queue.add(lane, number)
    return queue


def test_a_busy_lane_gets_no_more_than_its_share_while_others_wait():
    taken = filled(loud=1000, quiet=10, calm=10).take(60)
    counts = {lane: sum(1 for name, _ in taken if name == lane) for lane in ("loud", "quiet", "calm")}
    assert counts == {"loud": 40, "quiet": 10, "calm": 10}


def test_a_lane_alone_gets_everything():
    assert len(filled(loud=1000).take(60)) == 60


def test_with_more_lanes_than_places_every_lane_has_its_turn():
    queue = filled(**{f"lane{number}": 5 for number in range(10)})
    first = {lane for lane, _ in queue.take(4)}
    second = {lane for lane, _ in queue.take(4)}
    third = {lane for lane, _ in queue.take(4)}
    assert len(first | second | third) == 10


def test_a_closed_lane_keeps_what_it_has():
    queue = filled(open=3, closed=3)
    assert {lane for lane, _ in queue.take(10, closed={"closed"})} == {"open"}
    assert len(queue) == 3


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=200), st.integers(1, 7))
def test_nothing_is_lost_and_every_lane_keeps_its_order(steps: list[tuple[str, bool]], limit: int):
    queue: FairQueue[int] = FairQueue()
    out: list[tuple[str, int]] = []
    for number, (lane, take) in enumerate(steps):
        queue.add(lane, number)
        if take:
            out += queue.take(limit)
    while queue:
        out += queue.take(limit)
    assert sorted(number for _, number in out) == list(range(len(steps)))
    for lane in "abcde":
        numbers = [number for name, number in out if name == lane]
        assert numbers == sorted(numbers)
