import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from contracts import subjects
from contracts.envelope import wrap
from contracts.events.devices import DeviceChanged, DeviceDeleted
from contracts.ids import TenantId
from hypothesis import given
from hypothesis import strategies as st
from servicekit.bus import Bus, Fact, declare
from servicekit.bus.connection import instant
from servicekit.bus.ordered import Ordered
from servicekit.embedded import Nats
from servicekit.testing import eventually

TENANT = TenantId(uuid4())


def some(count: int, tenant: TenantId = TENANT):
    return [wrap(tenant, DeviceDeleted(id=str(number))) for number in range(count)]


async def take(facts: Ordered, count: int) -> list[Fact]:
    async with asyncio.timeout(20):
        return [await anext(facts) for _ in range(count)]


async def test_it_begins_where_it_is_told(bus: Bus):
    await bus.publish(*some(10))
    async with await bus.ordered("evt.>", 4) as facts:
        assert [fact.sequence for fact in await take(facts, 7)] == [4, 5, 6, 7, 8, 9, 10]


async def test_without_a_start_it_gives_what_comes_from_now_on(bus: Bus):
    await bus.publish(*some(10))
    async with await bus.ordered("evt.>") as facts:
        assert facts.sequence == 10
        await bus.publish(*some(2))
        assert [fact.sequence for fact in await take(facts, 2)] == [11, 12]


async def test_it_gives_one_tenant_alone_where_asked(bus: Bus):
    other = TenantId(uuid4())
    await bus.publish(*some(3), *some(3, other), *some(3))
    async with await bus.ordered(subjects.feed(other), 1) as facts:
        found = await take(facts, 3)
    assert {fact.subject for fact in found} == {f"evt.devices.device.deleted.v1.{other}"}
    assert [fact.sequence for fact in found] == [4, 5, 6]
    assert not any(fact.gap for fact in found)


async def test_over_a_restart_nothing_is_missing_and_nothing_comes_twice(bus: Bus, nats: Nats):
    found: list[Fact] = []
    async with await bus.ordered("evt.>", 1) as facts:

        async def read() -> None:
            async for fact in facts:
                found.append(fact)  # noqa: PERF401  # seen while it grows

        reading = asyncio.create_task(read())
        for round in range(6):
            await bus.publish(*some(500))
            if round in {1, 3}:
                nats.kill()
                nats.start()
        await eventually(lambda: len(found) >= 3000)
        reading.cancel()
    assert [fact.sequence for fact in found] == list(range(1, 3001))
    assert not any(fact.gap for fact in found)


async def test_a_reader_that_is_slow_gets_everything(bus: Bus):
    await bus.publish(*some(20_000))
    async with await bus.ordered("evt.>", 1) as facts:
        for fact in await take(facts, 20_000):
            last = fact.sequence
    assert last == 20_000


async def test_what_the_stream_has_thrown_away_is_said(bus: Bus):
    await bus.publish(*some(10))
    await bus.connection.api(f"STREAM.PURGE.{subjects.EVENTS}", {"seq": 6})
    async with await bus.ordered("evt.>", 3) as facts:
        first, second = await take(facts, 2)
    assert (first.sequence, first.gap) == (6, True)
    assert (second.sequence, second.gap) == (7, False)


async def test_a_stream_that_was_made_anew_is_read_from_its_beginning_and_said_to_have_a_gap(bus: Bus, bus_url: str, nats: Nats):
    await bus.publish(*some(10))
    async with await bus.ordered("evt.>", 1) as facts:
        await take(facts, 10)
        old = facts.created
        await bus.connection.api(f"STREAM.DELETE.{subjects.EVENTS}")
        await declare(bus_url)
        await bus.publish(wrap(TENANT, DeviceDeleted(id="new")))
        fact = (await take(facts, 1))[0]
    assert (fact.sequence, fact.gap) == (1, True)
    assert facts.created != old


async def test_other_kinds_of_facts_are_left_out(bus: Bus):
    await bus.publish(*some(3))
    async with await bus.ordered([subjects.every(DeviceChanged)], 1) as facts:
        waiting = asyncio.ensure_future(anext(facts))
        await bus.ping()
        assert not waiting.done()
        waiting.cancel()


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_a_fact_is_never_said_to_be_later_than_it_is(nanoseconds: int):
    said = (instant(nanoseconds) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert 0 <= nanoseconds - said * 1000 < 1000


async def test_it_begins_at_a_time(bus: Bus):
    await bus.publish(*some(4))
    async with await bus.ordered("evt.>", 1) as facts:
        third = (await take(facts, 4))[2]
    async with await bus.ordered("evt.>", third.at) as facts:
        found = await take(facts, facts.pending)
    assert [fact.sequence for fact in found][-2:] == [3, 4]
    assert all(fact.at >= third.at for fact in found)
    assert not any(fact.gap for fact in found)
    async with await bus.ordered("evt.>", datetime.now(UTC)) as facts:
        assert facts.pending == 0
        await bus.publish(wrap(TENANT, DeviceDeleted(id="later")))
        assert [fact.sequence for fact in await take(facts, 1)] == [5]
