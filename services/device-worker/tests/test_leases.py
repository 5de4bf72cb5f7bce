"""Leases on a real bus and database, with workers that are objects of this process (and one that is a process, to be fenced)."""

import asyncio
import os
import re
import sys
import textwrap
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from contracts import buckets, ids
from contracts.commands import MarkRead
from contracts.envelope import wrap
from contracts.ephemeral import QrShown
from contracts.events.devices import DeviceDeleted
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address
from device_worker.consumers import DEVICE, DeviceQuestion, answer_device
from device_worker.consumers import orders as orders_of
from device_worker.leases import LIVES, Leases, Load, View, VolumeTaken, Weightless, own_volume
from device_worker.leases.held import Held
from device_worker.shards import EVERY, LeaseEntry, WorkerEntry
from device_worker.store import fences
from servicekit.bus import Bus
from servicekit.bus.keyvalue import Entry
from servicekit.db import Database
from servicekit.testing import eventually

ALL = set(EVERY)


class Peer:
    """A worker that only holds shards."""

    def __init__(self, bus: Bus, system: Database, name: str, load: Load | None = None) -> None:
        self.served: dict[int, int] = {}
        self.handed: set[int] = set()
        self.stopping = asyncio.Event()
        self.leases = Leases(bus, system, name, gained=self.gained, lost=self.lost, load=load)
        self.task = asyncio.create_task(self.leases.run(self.stopping))

    async def gained(self, tokens: Mapping[int, int], handed: Collection[int]) -> None:
        self.handed |= set(handed)
        self.served.update(tokens)

    async def lost(self, some: Iterable[int]) -> None:
        for shard in some:
            self.served.pop(shard, None)

    async def stop(self) -> None:
        self.stopping.set()
        await self.task

    async def die(self) -> None:
        """Stop renewing, as a process does that is killed."""
        self.task.cancel()
        await asyncio.wait([self.task])
        self.leases.held.clear()  # or this process would end itself for it


@asynccontextmanager
async def peer(bus: Bus, system: Database, name: str) -> AsyncIterator[Peer]:
    one = Peer(bus, system, name)
    try:
        yield one
    finally:
        await (one.die() if one.task.done() else one.stop())


async def test_one_worker_has_every_shard_within_seconds_and_a_second_gets_its_share(bus, system_db):
    async with peer(bus, system_db, "a") as a:
        await eventually(lambda: set(a.served) == ALL)
        async with peer(bus, system_db, "b") as b:

            def shared() -> bool:
                return not set(a.served) & set(b.served) and set(a.served) | set(b.served) == ALL and len(b.served) > 30

            await eventually(shared)
            assert all(b.served[shard] > 0 for shard in b.served)
        # It drained: what it had is served again at once, and not when its leases would have died.
        await eventually(lambda: set(a.served) == ALL, timeout=12)


async def test_a_restarted_worker_takes_its_own_leases_back_at_once_with_newer_tokens(bus, system_db):
    async with peer(bus, system_db, "a") as dead:
        await eventually(lambda: set(dead.served) == ALL)
        before = dict(dead.served)
        await dead.die()
        async with peer(bus, system_db, "a") as again:
            await eventually(lambda: set(again.served) == ALL, timeout=12)
            assert all(again.served[shard] > before[shard] for shard in ALL)


async def test_the_shards_of_a_dead_worker_are_served_when_its_leases_have_died(bus, system_db):
    async with peer(bus, system_db, "a") as a, peer(bus, system_db, "b") as b:
        await eventually(lambda: set(a.served) | set(b.served) == ALL and len(b.served) > 30)
        await a.die()
        await eventually(lambda: set(b.served) == ALL)


async def test_what_is_given_away_is_known_as_such_and_what_a_dead_worker_had_is_not(bus, system_db):
    async with peer(bus, system_db, "a") as a:
        await eventually(lambda: set(a.served) == ALL)
        async with peer(bus, system_db, "b") as b:
            await eventually(lambda: len(b.served) > 30 and set(a.served) | set(b.served) == ALL)
            assert b.handed == set(b.served)
            await a.die()
            left = set(a.served)
            await eventually(lambda: set(b.served) == ALL, timeout=60)
            assert not b.handed & left


async def test_who_gave_a_shard_away_hears_when_it_is_served_and_not_when_it_is_merely_claimed():
    view = View(UUID(int=1), lambda: 0.0, lambda: None)
    served = view.awaited(7)
    for lease, told in (
        (LeaseEntry(worker="b", incarnation=UUID(int=2)), False),
        (LeaseEntry(worker="b", incarnation=UUID(int=2), served=True), True),
    ):
        await view._on_lease("7", Entry("7", msgspec.json.encode(lease), 5, datetime.now(UTC)))
        assert served.is_set() == told


async def test_a_new_owner_says_so_when_the_last_session_of_a_shard_is_up(bus, system_db):
    a = Laden(bus, system_db, "a")
    await eventually(lambda: set(a.served) == ALL)
    b = Laden(bus, system_db, "b")
    b.weighs.down = set(EVERY)
    await eventually(lambda: b.handed)
    [shard, *_] = b.handed
    bucket = await bus.bucket(buckets.SHARDS)

    async def says_so() -> bool:
        entry = await bucket.get(str(shard))
        return entry is not None and msgspec.json.decode(entry.value, type=LeaseEntry).served

    b.leases.came_up(shard)
    assert not await says_so()
    b.weighs.down = set()
    b.leases.came_up(shard)
    await eventually(says_so)
    await a.die()
    await b.stop()


class Laden(Peer):
    """A worker with one session in every shard, each of which takes a moment to stop."""

    def __init__(self, bus: Bus, system: Database, name: str) -> None:
        self.weighs = Weighs()
        self.stopping_now = self.most_at_once = 0
        super().__init__(bus, system, name, load=self.weighs)

    async def lost(self, some: Iterable[int]) -> None:
        gone = list(some)
        self.stopping_now += len(gone)
        self.most_at_once = max(self.most_at_once, self.stopping_now)
        await asyncio.sleep(0.01)
        self.stopping_now -= len(gone)
        await super().lost(gone)


class Weighs(Weightless):
    def __init__(self) -> None:
        self.down: set[int] = set()

    def sessions(self, shard: int) -> int:
        return 1

    def up(self, shard: int) -> bool:
        return shard not in self.down


async def test_a_worker_that_ends_goes_on_with_most_of_its_sessions_while_a_few_are_on_their_way(bus, system_db):
    a = Laden(bus, system_db, "a")
    await eventually(lambda: set(a.served) == ALL)
    b = Laden(bus, system_db, "b")
    await eventually(lambda: b.served and len(a.served) + len(b.served) == len(ALL))
    assert a.most_at_once <= 6
    overlap = []

    async def watch() -> None:
        while not a.task.done():
            overlap.append((len(a.served), len(b.served)))
            assert not set(a.served) & set(b.served)
            await asyncio.sleep(0.002)

    watching = asyncio.create_task(watch())
    await a.stop()
    await watching
    assert a.most_at_once <= 6
    # There was a time at which the first that left were served again, and the last were served still.
    before = min(count for _, count in overlap)
    assert any(mine > 10 and theirs > before + 10 for mine, theirs in overlap)
    await eventually(lambda: set(b.served) == ALL)
    await b.stop()


async def test_the_last_worker_ends_all_its_sessions_at_once(bus, system_db):
    a = Laden(bus, system_db, "a")
    await eventually(lambda: set(a.served) == ALL)
    await a.stop()
    assert a.most_at_once == len(ALL)


async def test_a_dead_lease_that_the_bucket_still_shows_does_not_count_as_a_new_one():
    now = 0.0
    view = View(UUID(int=1), lambda: now, lambda: None)
    other = msgspec.json.encode(LeaseEntry(worker="b", incarnation=UUID(int=2)))
    seen = Entry("7", other, 5, datetime.now(UTC))
    await view._on_lease("7", seen)
    assert view.next_end() == LIVES
    now = LIVES + 0.1
    assert not view.leases
    view.found(7, seen)
    assert not view.leases  # so that it is tried again soon, and not after another fifteen seconds
    view.found(7, Entry("7", other, 6, datetime.now(UTC)))
    assert 7 in view.leases


async def test_nobody_writes_with_an_old_token(bus, system_db):
    async with system_db.system() as tx:
        old = (await fences.claim(tx, {5: 10}, "a"))[5]
        await fences.hold(tx, 5, old)
    async with system_db.system() as tx:
        # The bucket was made anew and counts from one again: the token grows all the same.
        new = (await fences.claim(tx, {5: 1}, "b"))[5]
    assert new > old
    with pytest.raises(fences.Fenced):
        async with system_db.system() as tx:
            await fences.hold(tx, 5, old)


async def test_a_renewal_whose_answer_was_lost_is_no_loss(bus, system_db):
    async with peer(bus, system_db, "a") as a:
        await eventually(lambda: set(a.served) == ALL)
        bucket = await bus.bucket(buckets.SHARDS)
        entry = await bucket.get("7")
        assert entry is not None
        await bucket.put("7", entry.value)  # as if our own write had gone through unseen
        moved = a.leases.held[7].since
        await eventually(lambda: a.leases.held[7].since > moved, timeout=12)
        assert 7 in a.served


async def test_a_bus_that_renews_and_is_too_slow_to_say_so_makes_no_lease_look_old(bus, system_db):
    """What stands in the bucket was written after the first renewal that nobody heard of, so the lease is no older than that."""
    leases = Leases(bus, system_db, "a", gained=nothing, lost=nothing, clock=lambda: 104.0)
    leases._shards = bucket = await bus.bucket(buckets.SHARDS)
    value = msgspec.json.encode(LeaseEntry(worker="a", incarnation=leases.incarnation))
    leases.held[7] = held = Held(await bucket.put("7", value), since=100.0)
    held.unanswered = 102.0
    newer = await bucket.put("7", value)
    await leases._renew(7)
    assert (held.revision, held.since, held.unanswered) == (newer, 102.0, None)


async def nothing(*_: object) -> None:
    """Serve nothing."""


async def test_a_lease_that_somebody_else_holds_now_is_let_go_at_once(bus, system_db):
    async with peer(bus, system_db, "a") as a:
        await eventually(lambda: set(a.served) == ALL)
        bucket, registry = await bus.bucket(buckets.SHARDS), await bus.bucket(buckets.WORKERS)
        thief = WorkerEntry(worker="thief", incarnation=a.leases.incarnation.__class__(int=1), full=True)
        await registry.put("thief", msgspec.json.encode(thief))
        await bucket.put("7", msgspec.json.encode(LeaseEntry(worker="thief", incarnation=thief.incarnation)))
        await eventually(lambda: 7 not in a.served, timeout=12)
        assert set(a.served) == ALL - {7}


async def test_the_bus_lets_this_service_do_all_that_it_does(guarded_nats, db, system_db):
    """With the permissions of production: one that is missing would stop the service, silently."""
    tenant, device = TenantId(ids.new()), DeviceId(ids.new())
    question = DeviceQuestion(tenant=tenant, device=device)
    order = MarkRead(device=device, chat=Address("pn", "5215"), wa_ids=["A"], at=datetime.now(UTC))
    taken = asyncio.Event()

    async def take(orders) -> None:
        taken.set()

    async with (
        Bus.open(guarded_nats.url_as("devices"), name="devices") as bus,
        Bus.open(guarded_nats.url_as("conversations"), name="conversations") as other,
        peer(bus, system_db, "a") as a,
    ):
        await eventually(lambda: set(a.served) == ALL)
        consumer = orders_of(db)
        stopping = asyncio.Event()
        consuming = asyncio.create_task(bus.consumer(replace(consumer, handle=take))(stopping))
        await other.publish(wrap(tenant, order))
        await asyncio.wait_for(taken.wait(), 10)
        stopping.set()
        await consuming
        await bus.publish(wrap(tenant, DeviceDeleted(id=ids.public(ids.DEVICE, device))))
        await bus.shout(tenant, QrShown(device_id="dev_1", qr="x", expires_at=datetime.now(UTC)))
        answering = await bus.answer(DEVICE, answer_device(db), queue="devices")
        await bus.ping()  # the server knows of it now
        assert await other.ask(DEVICE, msgspec.json.encode(question)) == b"null"
        await answering.close()


async def test_a_worker_that_cannot_renew_ends_itself_before_its_leases_die(nats, bus_url, urls, tmp_path):
    """The event loop hangs here, which is the worst case: only the guard's own thread can end the process."""
    program = tmp_path / "hangs.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import asyncio, sys, time
            from device_worker.leases import Leases
            from servicekit.bus import Bus
            from servicekit.db import Database

            async def nothing(*_):
                pass

            def host(seconds):
                sys.stderr.write(f"the host is ended first, within {{seconds:.0f}} s\\n")

            async def main():
                async with Bus.open({bus_url!r}, name="t") as bus, Database.open({urls.system_url!r}, application="t") as db:
                    held = Leases(bus, db, "hangs", gained=nothing, lost=nothing, ends_itself_at=1.0, before_end=host)
                    task = asyncio.create_task(held.run(asyncio.Event()))
                    while len(held.held) < 128:
                        await asyncio.sleep(0.01)
                    print("holds", flush=True)
                    time.sleep(60)  # as a loop that hangs

            asyncio.run(main())
            """
        )
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"holds\n"
    _, error = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 70
    assert b"ending before another worker takes over" in error
    assert re.search(rb"the host is ended first, within 1[0-3] s", error), error


def test_of_two_processes_with_one_name_and_volume_the_second_is_refused(tmp_path: Path):
    name, lock = own_volume(tmp_path, "pod-1")
    assert name.startswith("pod-1~")
    with pytest.raises(VolumeTaken):
        own_volume(tmp_path, "pod-1", patience=timedelta(seconds=0.3))
    os.close(lock)
    again, lock = own_volume(tmp_path, "pod-1")
    assert again == name
    os.close(lock)


def test_one_name_on_two_volumes_is_two_workers(tmp_path: Path):
    (one, first), (other, second) = own_volume(tmp_path / "a", "pod-1"), own_volume(tmp_path / "b", "pod-1")
    assert one != other
    os.close(first)
    os.close(second)


def test_a_worker_without_a_name_keeps_the_one_it_got(tmp_path: Path):
    first, lock = own_volume(tmp_path, None)
    second, other = own_volume(tmp_path, None)
    assert first != second
    os.close(lock)
    os.close(other)
    again, lock = own_volume(tmp_path, None)
    assert again == first
    os.close(lock)
