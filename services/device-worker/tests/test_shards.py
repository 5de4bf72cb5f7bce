"""Who should own which shard."""

from uuid import UUID, uuid4

from device_worker import shards
from device_worker.shards import LeaseEntry, WorkerEntry
from hypothesis import given
from hypothesis import strategies as st

names = st.sets(st.text("abcdef0123456789", min_size=1, max_size=8), min_size=1, max_size=8)


def entries(names: set[str]) -> dict[str, WorkerEntry]:
    return {name: WorkerEntry(worker=name, incarnation=uuid4()) for name in names}


def test_the_shard_of_a_device_is_fixed_for_good():
    assert shards.shard_of(UUID("0192f0c1-7e3a-7c52-9d10-2b7f6a1c9e44")) == 64
    assert shards.shard_of(UUID(int=0)) == 85


@given(names)
def test_the_workers_together_claim_every_shard_once(names):
    workers = entries(names)
    plans = [shards.plan(me, workers, {}, ()) for me in workers.values()]
    claimed = [shard for plan in plans for shard in plan.claim]
    assert sorted(claimed) == list(shards.EVERY)


@given(names, st.text("ghijk", min_size=1, max_size=5))
def test_a_worker_that_comes_or_goes_moves_its_own_share_only(names, newcomer):
    for shard in shards.EVERY:
        before, after = shards.wanted_owner(shard, names), shards.wanted_owner(shard, names | {newcomer})
        assert after in (before, newcomer)


@given(names)
def test_what_is_held_and_wanted_is_neither_claimed_nor_released(names):
    workers = entries(names)
    me = next(iter(workers.values()))
    mine = shards.plan(me, workers, {}, ()).claim
    settled = shards.plan(me, workers, {shard: LeaseEntry(worker=me.worker, incarnation=me.incarnation) for shard in mine}, mine)
    assert settled == shards.Plan(frozenset(), frozenset(), frozenset())


def test_a_newcomer_is_given_its_share_when_it_is_there():
    workers = entries({"a", "b"})
    plan = shards.plan(workers["a"], workers, {}, shards.EVERY)
    assert plan.release == {shard for shard in shards.EVERY if shards.wanted_owner(shard, {"a", "b"}) == "b"}
    assert 40 < len(plan.release) < 90


def test_one_that_drains_takes_nothing_and_gives_all():
    workers = entries({"a", "b"})
    draining = WorkerEntry(worker="a", incarnation=workers["a"].incarnation, accepting=False)
    assert shards.plan(draining, workers, {}, {1, 2}) == shards.Plan(frozenset(), frozenset(), frozenset({1, 2}))
    assert shards.plan(workers["b"], {"a": draining}, {}, ()).claim == frozenset(shards.EVERY)


def test_one_that_is_full_keeps_what_it_has_and_takes_nothing():
    workers = entries({"a", "b"})
    full = WorkerEntry(worker="a", incarnation=workers["a"].incarnation, full=True)
    plan = shards.plan(full, workers, {}, {1, 2})
    assert (plan.claim, plan.release) == (frozenset(), frozenset())
    assert shards.plan(workers["b"], {"a": full}, {}, ()).claim == frozenset(shards.EVERY)


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
