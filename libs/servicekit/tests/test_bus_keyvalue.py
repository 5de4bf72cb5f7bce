import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from contracts import buckets
from contracts.buckets import Bucket
from servicekit.bus import Bus, BusAway, Entry, KeyMoved, declare
from servicekit.embedded import Nats
from servicekit.testing import eventually


async def test_a_key_is_created_once_and_updated_from_the_revision_that_stands_there(bus: Bus):
    keys = await bus.bucket(buckets.SHARDS)
    first = await keys.create("7", b"mine")
    with pytest.raises(KeyMoved):
        await keys.create("7", b"yours")
    second = await keys.update("7", b"still mine", first)
    with pytest.raises(KeyMoved):
        await keys.update("7", b"yours", first)
    entry = await keys.get("7")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"still mine", second)


async def test_of_twenty_who_create_a_key_one_does(bus: Bus):
    keys = await bus.bucket(buckets.SHARDS)
    results = await asyncio.gather(*(keys.create("8", str(number).encode()) for number in range(20)), return_exceptions=True)
    assert sum(1 for result in results if isinstance(result, int)) == 1
    assert all(isinstance(result, int | KeyMoved) for result in results)


async def test_a_deleted_key_is_gone_and_can_be_created_again(bus: Bus):
    keys = await bus.bucket(buckets.SHARDS)
    revision = await keys.create("1", b"a")
    with pytest.raises(KeyMoved):
        await keys.delete("1", revision + 1)
    await keys.delete("1", revision)
    assert await keys.get("1") is None
    assert await keys.keys() == []
    await keys.create("1", b"b")
    assert await keys.keys() == ["1"]


async def test_an_entry_dies_of_age(bus: Bus, bus_url: str):
    short = Bucket(name="short", ttl=timedelta(seconds=1), writer="test")
    await declare(bus_url, extra=[short])
    keys = await bus.bucket(short)
    await keys.create("a", b"1")

    async def gone() -> bool:
        return await keys.get("a") is None

    await eventually(gone)
    await keys.create("a", b"2")


async def test_a_request_gives_up_in_its_time(bus: Bus, nats: Nats):
    keys = await bus.bucket(buckets.SHARDS)
    nats.pause()
    try:
        started = asyncio.get_running_loop().time()
        with pytest.raises(BusAway):
            await keys.put("1", b"a", timeout=0.3)
        assert asyncio.get_running_loop().time() - started < 2
    finally:
        nats.resume()


class Seen:
    def __init__(self) -> None:
        self.state: dict[str, bytes] = {}

    async def __call__(self, key: str, entry: Entry | None) -> None:
        if entry is None:
            del self.state[key]
        else:
            self.state[key] = entry.value


async def test_a_watch_has_everything_when_it_begins_and_hears_each_change(bus: Bus):
    keys = await bus.bucket(buckets.KEYS)
    wanted = {str(uuid4()): str(number).encode() for number in range(50)}
    for key, value in wanted.items():
        await keys.put(key, value)
    seen = Seen()
    watch = await keys.watch(seen)
    assert seen.state == wanted
    await keys.put("new", b"1")
    await keys.delete(next(iter(wanted)))
    await eventually(lambda: seen.state.get("new") == b"1" and len(seen.state) == 50)
    await watch.close()


async def test_a_watch_hears_over_a_restart_what_was_written_and_what_was_deleted_meanwhile(bus: Bus, bus_url: str, nats: Nats):
    keys = await bus.bucket(buckets.KEYS)
    await keys.put("stays", b"1")
    await keys.put("goes", b"1")
    seen = Seen()
    watch = await keys.watch(seen)
    nats.kill()
    nats.start()
    async with Bus.open(bus_url, name="other") as other:
        theirs = await other.bucket(buckets.KEYS)

        async def written() -> bool:
            await theirs.put("comes", b"1")
            return True

        await eventually(written)
        await theirs.delete("goes")
    await eventually(lambda: seen.state == {"stays": b"1", "comes": b"1"})
    await keys.put("later", b"1")
    await eventually(lambda: "later" in seen.state)
    await watch.close()


async def test_a_watcher_that_fails_is_called_again_with_the_next_change(bus: Bus):
    keys = await bus.bucket(buckets.KEYS)
    called = []

    async def fail(key: str, entry: Entry | None) -> None:
        called.append(key)
        raise RuntimeError("broken")

    watch = await keys.watch(fail)
    await keys.put("a", b"1")
    await keys.put("b", b"1")
    await eventually(lambda: called == ["a", "b"])
    await watch.close()


async def test_a_bucket_that_is_written_while_it_is_read_is_read_whole(bus: Bus):
    keys = await bus.bucket(buckets.PRESENCE)
    names = [f"k{number:04d}" for number in range(2_500)]  # more than the server gives at once
    await asyncio.gather(*(keys.put(name, b"before") for name in names))
    last: dict[str, bytes] = {}

    async def heard(key: str, entry: Entry | None) -> None:
        last[key] = b"" if entry is None else entry.value

    async def rewrite() -> None:
        for name in names[::50]:
            await keys.put(name, b"after")

    rewriting = asyncio.create_task(rewrite())
    watch = await keys.watch(heard)
    entries = await keys.entries()
    await rewriting
    assert sorted(entries) == names
    await eventually(lambda: [name for name in names if last.get(name) == b"after"] == names[::50])
    assert sorted(last) == names
    await watch.close()
