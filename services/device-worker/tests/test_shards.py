"""Who should own which shard."""

from uuid import UUID, uuid4

from device_worker import shards
from device_worker.shards import LeaseEntry, Orders, Plan, WorkerEntry
from hypothesis import given
from hypothesis import strategies as st

names = st.sets(st.text("abcdef0123456789", min_size=1, max_size=8), min_size=1, max_size=8)


def entry(name: str, **more) -> WorkerEntry:
    return WorkerEntry(worker=name, incarnation=uuid4(), **more)


def entries(names: set[str]) -> dict[str, WorkerEntry]:
    return {name: entry(name) for name in names}


def even(names: set[str]) -> dict[str, int]:
    return dict.fromkeys(names, 400)


def test_the_shard_of_a_device_is_fixed_for_good():
    assert shards.shard_of(UUID("0192f0c1-7e3a-7c52-9d10-2b7f6a1c9e44")) == 64
    assert shards.shard_of(UUID(int=0)) == 85


@given(names)
def test_the_workers_together_claim_every_shard_once(names):
    workers = entries(names)
    plans = [shards.plan(me, workers, {}, ()) for me in workers.values()]
    claimed = [shard for plan in plans for shard in plan.claim]
    assert sorted(claimed) == list(shards.EVERY)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), st.integers(1, 2000), min_size=1, max_size=6), st.integers(1, 2000))
def test_a_worker_that_comes_or_goes_moves_its_own_share_only_whatever_each_can_carry(capacities, more):
    for shard in shards.EVERY:
        before, after = shards.wanted_owner(shard, capacities), shards.wanted_owner(shard, capacities | {"newcomer": more})
        assert after in (before, "newcomer")


def test_one_that_can_carry_three_times_as_much_gets_about_three_times_as_many_shards():
    workers = {f"w{number}": 100 if number % 2 else 300 for number in range(8)}
    owners = [shards.wanted_owner(shard, workers) for shard in shards.EVERY]
    large = sum(workers[owner] == 300 for owner in owners)
    assert 80 <= large <= 112  # 96 of 128 would be exact


@given(names)
def test_what_is_held_and_wanted_is_neither_claimed_nor_released(names):
    workers = entries(names)
    me = next(iter(workers.values()))
    mine = shards.plan(me, workers, {}, ()).claim
    settled = shards.plan(me, workers, {shard: LeaseEntry(worker=me.worker, incarnation=me.incarnation) for shard in mine}, mine)
    assert settled == Plan(frozenset(), frozenset(), frozenset())


def test_a_newcomer_is_given_its_share_when_it_is_there():
    workers = entries({"a", "b"})
    plan = shards.plan(workers["a"], workers, {}, shards.EVERY)
    assert plan.release == {shard for shard in shards.EVERY if shards.wanted_owner(shard, even({"a", "b"})) == "b"}
    assert 40 < len(plan.release) < 90


def test_one_that_ends_takes_nothing_and_gives_all():
    workers = entries({"a", "b"})
    ending = WorkerEntry(worker="a", incarnation=workers["a"].incarnation, accepting=False)
    assert shards.plan(ending, workers, {}, {1, 2}) == Plan(frozenset(), frozenset(), frozenset({1, 2}))
    assert shards.plan(workers["b"], {"a": ending}, {}, ()).claim == frozenset(shards.EVERY)


def test_one_that_was_ordered_to_have_none_gives_all_as_soon_as_there_is_somebody_to_take_it():
    workers, orders = entries({"a", "b"}), Orders(drained=frozenset({"a"}))
    assert shards.plan(workers["a"], {}, {}, {1, 2}, orders) == Plan(frozenset(), frozenset(), frozenset())
    assert shards.plan(workers["a"], {"b": entry("b", full=True)}, {}, {1, 2}, orders).release == frozenset()
    assert shards.plan(workers["a"], workers, {}, {1, 2}, orders).release == {1, 2}
    assert shards.plan(workers["b"], workers, {}, (), orders).claim == frozenset(shards.EVERY)


def test_a_shard_that_was_moved_by_hand_stays_there_while_its_worker_takes_any():
    workers = entries({"a", "b"})
    shard = next(shard for shard in shards.EVERY if shards.wanted_owner(shard, even({"a", "b"})) == "a")
    orders = Orders(moved={shard: "b"})
    assert shard in shards.plan(workers["a"], workers, {}, {shard}, orders).release
    assert shard in shards.plan(workers["b"], workers, {}, (), orders).claim
    without = {"a": workers["a"], "b": entry("b", accepting=False)}
    assert shard in shards.plan(workers["a"], without, {}, (), orders).claim


def test_one_that_is_full_keeps_what_it_has_and_takes_nothing():
    workers = entries({"a", "b"})
    full = WorkerEntry(worker="a", incarnation=workers["a"].incarnation, full=True)
    plan = shards.plan(full, workers, {}, {1, 2})
    assert (plan.claim, plan.release) == (frozenset(), frozenset())
    assert shards.plan(full, workers, {}, {1, 2}, Orders(moved={1: "b"})).release == {1}
    assert shards.plan(workers["b"], {"a": full}, {}, ()).claim == frozenset(shards.EVERY)


def test_where_all_are_full_each_adopts_its_share_of_what_is_free_so_that_its_numbers_are_told_why_they_wait():
    workers = {name: entry(name, full=True) for name in "ab"}
    plans = [shards.plan(me, workers, {}, ()) for me in workers.values()]
    assert not any(plan.claim for plan in plans)
    assert sorted(shard for plan in plans for shard in plan.adopt) == list(shards.EVERY)
    assert not shards.plan(workers["a"], workers | {"c": entry("c")}, {}, ()).adopt  # one that has room takes them


def test_where_numbers_wait_for_room_the_shard_goes_to_who_has_it():
    full, other = entry("a", full=True), entry("b", room=3)
    crowded = {1: 2, 2: 3, 3: 1}
    assert shards.plan(full, {"b": other}, {}, {1, 2, 3}, crowded=crowded).release == {1, 3}
    assert shards.plan(full, {"b": entry("b", room=3, full=True)}, {}, {1, 2, 3}, crowded=crowded).release == frozenset()
    assert shards.plan(full, {"b": entry("b", room=0)}, {}, {1, 2, 3}, crowded=crowded).release == frozenset()
    assert shards.plan(full, {"b": entry("b", capacity=2)}, {}, {1, 2, 3}, crowded=crowded).release == {3}  # it does not tell


def test_only_the_lease_of_a_dead_process_of_our_own_name_is_taken_back():
    me = WorkerEntry(worker="a", incarnation=uuid4())
    leases = {
        1: LeaseEntry(worker="a", incarnation=uuid4(), fence=3),
        2: LeaseEntry(worker="b", incarnation=uuid4(), fence=4),
        3: LeaseEntry(worker="a", incarnation=me.incarnation, fence=5),
    }
    plan = shards.plan(me, {}, leases, {3})
    assert plan.take_back == {1}
    assert 2 not in plan.claim


@st.composite
def histories(draw):
    """A few workers, and in which order they look, come, end and go."""
    steps = st.sampled_from(["look", "look", "look", "come", "end", "die", "fill", "empty", "drain", "undrain"])
    return draw(st.lists(st.tuples(steps, st.sampled_from("abcd")), max_size=40))


@given(histories())
def test_no_shard_ever_has_two_owners_and_all_are_owned_in_the_end(history):
    """Workers look one after the other, at what stands then; the bucket's compare-and-set is a dictionary here."""
    workers: dict[str, WorkerEntry] = {"z": entry("z")}
    leases: dict[int, LeaseEntry] = {}
    drained: set[str] = set()

    def held(name: str) -> set[int]:
        return {shard for shard, lease in leases.items() if lease.incarnation == workers[name].incarnation}

    def look(name: str) -> None:
        me = workers[name]
        plan = shards.plan(me, workers, leases, held(name), Orders(drained=frozenset(drained)))
        for shard in plan.release:
            assert leases.pop(shard).incarnation == me.incarnation
        for shard in plan.claim | plan.adopt:
            assert shard not in leases
            leases[shard] = LeaseEntry(worker=name, incarnation=me.incarnation)
        for shard in plan.take_back:
            leases[shard] = LeaseEntry(worker=name, incarnation=me.incarnation)

    for what, name in history:
        match what:
            case "come":
                workers[name] = entry(name)
            case "die":
                workers.pop(name, None)
            case "drain":
                drained.add(name)
            case "undrain":
                drained.discard(name)
            case _ if name not in workers:
                continue
            case "look":
                look(name)
            case "end":
                workers[name] = WorkerEntry(worker=name, incarnation=workers[name].incarnation, accepting=False)
            case "fill" | "empty":
                workers[name] = WorkerEntry(worker=name, incarnation=workers[name].incarnation, full=what == "fill")
    alive = {one.incarnation for one in workers.values()}
    leases = {shard: lease for shard, lease in leases.items() if lease.incarnation in alive}  # the others' have died
    for _ in range(2):
        for name in sorted(workers):
            look(name)
    assert set(leases) == set(shards.EVERY)
    assert all(lease.worker not in drained for lease in leases.values())
