"""How far every durable is, and the dead letters from their end backwards, on a real server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from contracts import access, subjects
from contracts.envelope import Envelope, wrap
from contracts.errors import Conflict
from contracts.events.devices import DeviceDeleted
from contracts.ids import TenantId
from servicekit.bus import Bus, BusAway, BusRefused, Consumer, Item, Queue, dlq, queues
from servicekit.embedded import Nats
from servicekit.testing import eventually

DURABLE = "test-things"
TENANT = TenantId(uuid4())


def some(count: int) -> list[Envelope[DeviceDeleted]]:
    return [wrap(TENANT, DeviceDeleted(id=str(number))) for number in range(count)]


class Handler:
    """Waits until it is opened; *problem* is what becomes of every batch."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem
        self.open = asyncio.Event()

    async def __call__(self, batch: Sequence[Envelope[Any]]) -> None:
        await self.open.wait()
        if self.problem is not None:
            raise self.problem


@asynccontextmanager
async def consuming(bus: Bus, handler: Handler) -> AsyncIterator[None]:
    consumer = Consumer(durable=DURABLE, stream=subjects.EVENTS, bodies=(DeviceDeleted,), handle=handler, batch=10)
    stopping = asyncio.Event()
    running = asyncio.create_task(bus.consumer(consumer)(stopping))
    try:
        yield
    finally:
        stopping.set()
        handler.open.set()
        await running


async def queue(bus: Bus, durable: str = DURABLE) -> Queue:
    for one in await queues(bus):
        if one.durable == durable:
            return one
    raise AssertionError(f"{durable} is not told of.")


async def letters(bus: Bus, count: int, durable: str = DURABLE) -> None:
    """So many dead letters are there."""
    headers = {dlq.SUBJECT: subjects.of(some(1)[0]), dlq.ERROR: "Conflict", dlq.CODE: "conflict", dlq.ATTEMPTS: "1"}
    dead = subjects.dead(durable.partition("-")[0], durable)
    await bus.publish_items([Item(dead, str(uuid4()), b"{}", headers) for _ in range(count)])


async def numbers(bus: Bus, **which: Any) -> list[int]:
    return [letter.sequence for letter in await dlq.newest(bus, **which)]


async def test_every_durable_that_should_be_there_is_told_of_and_one_that_is_not_says_so(bus: Bus):
    await letters(bus, 2, "webhooks-events")
    told = {(one.stream, one.durable): one for one in await queues(bus)}
    assert list(told) == [durable for mine in access.EVERY.values() for durable in mine.durables]
    assert {one.state for one in told.values()} == {"absent"}
    assert {one.durable: one.dead for one in told.values() if one.dead} == {"webhooks-events": 2}
    await letters(bus, 3)
    last = (await queues(bus))[-1]
    assert (last.durable, last.stream, last.state, last.dead) == (DURABLE, subjects.DLQ, "absent", 3)


async def test_a_durable_says_what_waits_what_is_in_hand_and_what_it_could_not_handle(bus: Bus):
    handler = Handler(Conflict("no"))
    await bus.publish(*some(30))
    async with consuming(bus, handler):

        async def held() -> bool:
            one = await queue(bus)
            return (one.pending, one.in_hand, one.state) == (10, 20, "working") and one.quiet is not None

        await eventually(held)
        handler.open.set()
        await eventually(lambda: letters_of(bus, 30))
        one = await queue(bus)
        assert (one.service, one.stream, one.fetching) == ("test", subjects.EVENTS, True)
        assert (one.state, one.pending, one.in_hand, one.quiet, one.returning) == ("idle", 0, 0, None, 0)
    await bus.publish(*some(5))

    async def left() -> bool:
        one = await queue(bus)
        return (one.pending, one.fetching) == (5, False)

    await eventually(left)


async def letters_of(bus: Bus, count: int) -> bool:
    one = await queue(bus)
    return one.dead == count and one.in_hand == 0


MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"declared": False}, "absent"),
        ({}, "idle"),
        ({"pending": 3, "quiet": SECOND}, "working"),
        ({"pending": 10_001, "quiet": SECOND, "fetching": True}, "behind"),
        ({"pending": 3, "quiet": MINUTE}, "stuck"),
        ({"in_hand": 3, "quiet": MINUTE, "fetching": True}, "stuck"),
        ({"pending": 3, "quiet": MINUTE, "fetching": True}, "working"),
    ],
)
def test_what_has_not_moved_for_a_minute_is_stuck_unless_it_has_only_just_come(changes: dict[str, Any], state: str):
    assert Queue(service="test", durable=DURABLE, stream=subjects.EVENTS, **changes).state == state


async def test_with_the_bus_away_nobody_is_told_anything(bus: Bus, nats: Nats):
    nats.kill()
    try:
        with pytest.raises(BusAway):
            await queues(bus, timeout=2)
        with pytest.raises(BusAway):
            await dlq.newest(bus)
    finally:
        nats.start()


async def test_the_newest_letters_come_first_over_every_page_and_over_long_stretches_of_nothing(bus: Bus):
    await letters(bus, 25)
    await letters(bus, 12, "test-others")
    # Those that are given back stand in the same stream.
    await bus.publish_items([Item(subjects.again("test", DURABLE), str(uuid4()), b"{}", {}) for _ in range(300)])
    await letters(bus, 4)
    everything = [letter.sequence async for letter in dlq.entries(bus)]
    assert len(everything) == 41
    pages: list[int] = []
    while page := await numbers(bus, limit=7, before=pages[-1] if pages else None):
        pages += page
    assert pages == everything[::-1]
    assert await numbers(bus, durable="test-others", limit=50) == list(range(37, 25, -1))
    assert await numbers(bus, durable="test-others", limit=5) == list(range(37, 32, -1))
    assert await numbers(bus, service="nobody") == []
    assert (await dlq.read(bus, 1)) is not None
    assert await dlq.read(bus, 100) is None
    assert await dlq.read(bus, 10_000) is None


async def test_what_is_given_back_is_what_was_there_when_it_was_asked_for(bus: Bus):
    await letters(bus, 8)
    assert await dlq.replay_some(bus, DURABLE, until=6, most=4, seconds=30) == (4, True)
    assert await dlq.replay_some(bus, DURABLE, until=6, most=4, seconds=30) == (2, False)
    assert await numbers(bus) == [8, 7]
    assert await dlq.purge(bus, DURABLE, until=7) == 1
    letter = await dlq.read(bus, 8)
    assert letter is not None
    assert [await dlq.replay(bus, letter), await dlq.replay(bus, letter)] == [1, 0]
    assert (await bus.stream_state(subjects.DLQ)).messages == 7
    assert not await dlq.discard(bus, 8)


async def test_one_service_alone_sees_every_durable_and_settles_dead_letters_of_all(guarded_nats: Nats):
    async with Bus.open(guarded_nats.url, name="migrator") as migrator:
        await letters(migrator, 3, "conversations-whatsapp")
    for user, mine in access.EVERY.items():
        async with Bus.open(guarded_nats.url_as(user), name=user) as bus:
            if not mine.operates:
                with pytest.raises(BusRefused, match="permission"):
                    await bus.publish_items([Item(subjects.again("conversations", "conversations-whatsapp"), "1", b"{}")])
                continue
            assert [one.dead for one in await queues(bus) if one.durable == "conversations-whatsapp"] == [3]
            first, *_ = reversed(await dlq.newest(bus))
            assert await dlq.replay(bus, first) == 1
            assert await dlq.discard(bus, first.sequence + 1)
            assert await dlq.purge(bus, "conversations-whatsapp") == 1
