"""A consumer on a real server: what it handles, in what order, and what becomes of what it cannot handle."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from contracts import subjects
from contracts.envelope import Envelope, wrap
from contracts.errors import Conflict, NotFound, Unavailable
from contracts.events.devices import DeviceDeleted
from contracts.ids import TenantId
from servicekit.bus import Bus, BusRefused, Consumer, Item, declare, dlq
from servicekit.embedded import Nats
from servicekit.testing import eventually

DURABLE = "test-things"
TENANT = TenantId(uuid4())
SOON = tuple(timedelta(milliseconds=wait) for wait in (20, 40))


def some(count: int, tenant: TenantId = TENANT) -> list[Envelope[DeviceDeleted]]:
    return [wrap(tenant, DeviceDeleted(id=str(number))) for number in range(count)]


def numbers(envelopes: Sequence[Envelope[Any]], tenant: TenantId | None = None) -> list[int]:
    return [int(one.data.id) for one in envelopes if tenant in (None, one.tenant)]


class Handler:
    """Keeps what it was given; *fail* may raise for a batch, before anything is kept."""

    def __init__(self, fail: Callable[[Sequence[Envelope[Any]]], None] = lambda batch: None) -> None:
        self.fail = fail
        self.calls = 0
        self.batches: list[list[Envelope[Any]]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, batch: Sequence[Envelope[Any]]) -> None:
        self.calls += 1
        await self.open.wait()
        self.fail(batch)
        self.batches.append(list(batch))

    @property
    def handled(self) -> list[Envelope[Any]]:
        return [one for batch in self.batches for one in batch]


@asynccontextmanager
async def consuming(bus: Bus, handler: Handler, **changes: Any) -> AsyncIterator[asyncio.Event]:
    consumer = Consumer(
        **{"durable": DURABLE, "stream": subjects.EVENTS, "bodies": (DeviceDeleted,), "handle": handler, "retries": SOON, **changes}
    )
    stopping = asyncio.Event()
    running = asyncio.create_task(bus.consumer(consumer)(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        handler.open.set()
        await running


async def info(bus: Bus) -> dict[str, Any]:
    try:
        return await bus.connection.api(f"CONSUMER.INFO.{subjects.EVENTS}.{DURABLE}")
    except BusRefused as problem:
        raise AssertionError("The durable is not declared yet.") from problem


def settled(bus: Bus, count: int):
    """All of *count* messages are acked."""

    async def probe() -> bool:
        state = await info(bus)
        return bool(state["num_ack_pending"] == 0 and state["num_pending"] == 0 and state["delivered"]["stream_seq"] >= count)

    return probe


async def letters(bus: Bus) -> list[dlq.Letter]:
    return [letter async for letter in dlq.entries(bus)]


def lettered(bus: Bus, count: int):
    async def probe() -> bool:
        return len(await letters(bus)) == count

    return probe


async def test_what_was_published_before_and_after_it_began_is_handled_in_order_and_acked(bus: Bus):
    await bus.publish(*some(1000))
    handler = Handler()
    async with consuming(bus, handler):
        await eventually(lambda: len(handler.handled) == 1000)
        await bus.publish(*some(10))
        await eventually(lambda: len(handler.handled) == 1010)
        await eventually(settled(bus, 1010))
    assert numbers(handler.handled) == [*range(1000), *range(10)]
    assert max(map(len, handler.batches)) <= 200


async def test_while_one_tenant_has_a_thousand_waiting_another_is_in_the_next_batch(bus: Bus):
    loud, quiet = TENANT, TenantId(uuid4())
    handler = Handler()
    handler.open.clear()
    await bus.publish(*some(1, loud))
    async with consuming(bus, handler, batch=10):
        await eventually(lambda: handler.calls == 1)
        await bus.publish(*some(15, loud), *some(2, quiet), *some(1000, loud))
        await eventually(lambda: info_pending(bus, 20))
        await bus.ping()
        handler.open.set()
        await eventually(lambda: len(handler.handled) == 1018)
    assert numbers(handler.batches[1], quiet) == [0, 1]
    assert len(handler.batches[1]) == 10
    assert numbers(handler.handled, loud) == [0, *range(15), *range(1000)]


async def info_pending(bus: Bus, count: int) -> bool:
    return bool((await info(bus))["num_ack_pending"] >= count)


async def test_no_more_is_in_hand_than_two_batches(bus: Bus):
    handler = Handler()
    handler.open.clear()
    await bus.publish(*some(1000))
    async with consuming(bus, handler, batch=10):
        await eventually(lambda: info_pending(bus, 20))
        assert (await info(bus))["num_ack_pending"] == 20
        handler.open.set()
        await eventually(settled(bus, 1000))


async def test_batches_at_the_same_time_never_share_a_tenant(bus: Bus):
    tenants = [TenantId(uuid4()) for _ in range(6)]
    working: Counter[TenantId] = Counter()
    most = 0

    async def handle(batch: Sequence[Envelope[Any]]) -> None:
        nonlocal most
        here = {one.tenant for one in batch}
        working.update(here)
        assert all(working[tenant] == 1 for tenant in here)
        most = max(most, len(+working))
        await bus.ping()
        working.subtract(here)
        handled.extend(batch)

    handled: list[Envelope[Any]] = []
    for tenant in tenants:
        await bus.publish(*some(200, tenant))
    async with consuming(bus, Handler(), handle=handle, batch=20, concurrency=3):
        await eventually(lambda: len(handled) == 1200)
    assert await letters(bus) == []
    assert most > 1
    for tenant in tenants:
        assert numbers(handled, tenant) == list(range(200))


async def test_a_slow_handler_keeps_its_messages_and_those_that_wait(bus: Bus):
    handler = Handler()
    handler.open.clear()
    await bus.publish(*some(15))
    async with consuming(bus, handler, batch=10, ack_wait=timedelta(seconds=1)):
        await eventually(lambda: handler.calls == 1)
        began = asyncio.get_running_loop().time()
        await eventually(lambda: asyncio.get_running_loop().time() - began > 2.5)
        assert (await info(bus))["num_redelivered"] == 0
        handler.open.set()
        await eventually(settled(bus, 15))
    assert numbers(handler.handled) == list(range(15))


async def test_of_a_crashed_process_the_next_one_gets_what_was_in_hand(bus: Bus, bus_url: str):
    await bus.publish(*some(30))
    stuck = Handler()
    stuck.open.clear()
    async with Bus.open(bus_url, name="crashing") as other:
        consumer = Consumer(
            durable=DURABLE, stream=subjects.EVENTS, bodies=(DeviceDeleted,), handle=stuck, batch=10, ack_wait=timedelta(seconds=1)
        )
        running = asyncio.create_task(other.consumer(consumer)(asyncio.Event()))
        await eventually(lambda: stuck.calls == 1)
        await other.connection.client.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    handler = Handler()
    async with consuming(bus, handler, ack_wait=timedelta(seconds=1)):
        await eventually(settled(bus, 30))
    assert set(numbers(handler.handled)) == set(range(30))


async def test_at_its_end_what_is_not_handled_goes_to_the_next_process_at_once(bus: Bus):
    await bus.publish(*some(40))
    first = Handler()
    first.open.clear()
    async with consuming(bus, first, batch=10) as stopping:
        await eventually(lambda: first.calls == 1)
        await eventually(lambda: info_pending(bus, 20))
        stopping.set()
        await bus.ping()  # it has seen that by now
        first.open.set()
    second = Handler()
    async with consuming(bus, second, batch=10):  # ack_wait is 30 s: only a nak brings them back in time
        await eventually(settled(bus, 40))
    assert 0 < len(first.handled) <= 10
    assert sorted(numbers(first.handled) + numbers(second.handled)) == list(range(40))


async def test_a_message_that_breaks_the_rules_goes_to_the_dead_letters_and_the_rest_flows(bus: Bus):
    class NotAllowed(Conflict):
        """Never."""

        code = "not-allowed"

    def fail(batch: Sequence[Envelope[Any]]) -> None:
        if 37 in numbers(batch):
            raise NotAllowed("customer wrote: secret")

    handler = Handler(fail)
    handler.open.clear()
    await bus.publish(*some(100))
    async with consuming(bus, handler):
        handler.open.set()
        await eventually(settled(bus, 100))
    assert numbers(handler.handled) == [number for number in range(100) if number != 37]
    (letter,) = await letters(bus)
    assert (letter.service, letter.durable, letter.code, letter.error, letter.attempts) == ("test", DURABLE, "not-allowed", "NotAllowed", 1)
    assert (letter.stream, letter.origin) == (subjects.EVENTS, 38)
    assert letter.subject == f"evt.devices.device.deleted.v1.{TENANT}"
    assert b'"id":"37"' in letter.payload
    raw = await bus.connection.api(f"STREAM.MSG.GET.{subjects.DLQ}", {"seq": letter.sequence})
    assert b"secret" not in base64.b64decode(raw["message"]["hdrs"])
    # With 100 one by one it would be 101 calls; halving finds it in far fewer.
    assert handler.calls < 30


async def test_what_is_no_envelope_goes_to_the_dead_letters(bus: Bus):
    handler = Handler()
    good = some(2)
    subject = subjects.of(good[0])
    await bus.publish(good[0])
    await bus.publish_items([Item(subject, "bad", b"{not json"), Item(subject, "odd", b'{"id": "no"}')])
    await bus.publish(good[1])
    async with consuming(bus, handler):
        await eventually(settled(bus, 4))
    assert numbers(handler.handled) == [0, 1]
    assert [(letter.code, letter.payload) for letter in await letters(bus)] == [
        ("undecodable", b"{not json"),
        ("undecodable", b'{"id": "no"}'),
    ]


async def test_a_fact_about_what_is_no_more_is_acked(bus: Bus):
    def fail(batch: Sequence[Envelope[Any]]) -> None:
        if 1 in numbers(batch):
            raise NotFound("chat")

    handler = Handler(fail)
    await bus.publish(*some(3))
    async with consuming(bus, handler):
        await eventually(settled(bus, 3))
    assert numbers(handler.handled) == [0, 2]
    assert await letters(bus) == []


async def test_a_bug_is_tried_again_in_its_waits_and_then_goes_to_the_dead_letters_while_the_rest_flows(bus: Bus):
    tried: list[float] = []

    def fail(batch: Sequence[Envelope[Any]]) -> None:
        if 1 in numbers(batch):
            if len(batch) == 1:
                tried.append(asyncio.get_running_loop().time())
            raise ZeroDivisionError

    handler = Handler(fail)
    await bus.publish(*some(4))
    async with consuming(bus, handler, retries=(timedelta(seconds=0.3), timedelta(seconds=0.6))):
        await eventually(lambda: len(tried) == 1)
        await bus.publish(*some(3)[2:])
        await eventually(lambda: len(handler.handled) == 4)
        assert len(tried) == 1
        await eventually(lettered(bus, 1))
    assert len(tried) == 3
    assert tried[1] - tried[0] >= 0.3
    assert tried[2] - tried[1] >= 0.6
    (letter,) = await letters(bus)
    assert (letter.code, letter.error, letter.attempts) == ("bug", "ZeroDivisionError", 3)


async def test_a_bug_that_passes_leaves_no_dead_letter(bus: Bus):
    calls = 0

    def fail(batch: Sequence[Envelope[Any]]) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ZeroDivisionError

    handler = Handler(fail)
    await bus.publish(*some(1))
    async with consuming(bus, handler):
        await eventually(settled(bus, 1))
    assert numbers(handler.handled) == [0]
    assert await letters(bus) == []


async def test_a_bug_that_hits_everything_stops_the_fetching_instead_of_filling_the_dead_letters(bus: Bus):
    def fail(batch: Sequence[Envelope[Any]]) -> None:
        raise ZeroDivisionError

    await bus.publish(*some(500))
    async with consuming(bus, handler := Handler(fail), batch=10, retries=(timedelta(hours=1),)):
        await eventually(lambda: handler.calls > 20)
        tried = await eventually(lambda: quiet(handler))
        assert tried
        assert (await info(bus))["num_ack_pending"] <= 20
    assert await letters(bus) == []


_last: dict[int, tuple[int, float]] = {}


def quiet(handler: Handler) -> bool:
    """Nothing was called for a third of a second."""
    now = asyncio.get_running_loop().time()
    calls, since = _last.get(id(handler), (-1, now))
    if calls != handler.calls:
        _last[id(handler)] = (handler.calls, now)
        return False
    return now - since > 0.3


async def test_while_a_dependency_is_away_nothing_is_fetched_and_nothing_counted(bus: Bus):
    away = True

    def fail(batch: Sequence[Envelope[Any]]) -> None:
        if away:
            raise problems[handler.calls % len(problems)]

    problems = [Unavailable("database"), ConnectionRefusedError(), TimeoutError()]
    handler = Handler(fail)
    await bus.publish(*some(200))
    async with consuming(bus, handler, batch=10, retries=(), ack_wait=timedelta(seconds=1)):
        # More failures than any retry would allow, and longer than the ack may take.
        await eventually(lambda: handler.calls >= 5)
        state = await info(bus)
        assert (state["num_ack_pending"], state["num_redelivered"]) == (20, 0)
        assert handler.handled == []
        away = False
        await eventually(settled(bus, 200))
    assert numbers(handler.handled) == list(range(200))
    assert await letters(bus) == []


async def test_it_ends_while_a_dependency_is_away(bus: Bus):
    def fail(batch: Sequence[Envelope[Any]]) -> None:
        raise Unavailable("database")

    await bus.publish(*some(5))
    async with asyncio.timeout(5):
        async with consuming(bus, handler := Handler(fail)):
            await eventually(lambda: handler.calls >= 2)
    again = Handler()
    async with consuming(bus, again):
        await eventually(settled(bus, 5))
    assert sorted(numbers(again.handled)) == list(range(5))


async def test_a_server_killed_under_load_loses_nothing_and_no_tenant_sees_another_order(bus: Bus, nats: Nats):
    tenants = [TenantId(uuid4()) for _ in range(8)]
    handler = Handler()
    total = 8 * 1500

    async def publish() -> None:
        for first in range(0, 1500, 50):
            await bus.publish(*(wrap(tenant, DeviceDeleted(id=str(number))) for number in range(first, first + 50) for tenant in tenants))

    async def handle(batch: Sequence[Envelope[Any]]) -> None:
        await bus.connection.connected.wait()
        await handler(batch)

    async with consuming(bus, handler, handle=handle, batch=50):
        publishing = asyncio.create_task(publish())
        for quarter in (1, 2, 3):
            await eventually(lambda: len(handler.handled) >= quarter * total // 5)  # noqa: B023
            nats.kill()
            nats.start()
        await publishing
        await eventually(lambda: len({one.id for one in handler.handled}) == total)
        await eventually(lambda: settled(bus, total)())
    for tenant in tenants:
        firsts = list(dict.fromkeys(numbers(handler.handled, tenant)))
        assert firsts == list(range(1500))
    assert await letters(bus) == []


async def test_two_processes_share_a_durable_and_over_a_killed_server_nothing_is_lost(bus: Bus, bus_url: str, nats: Nats):
    mine, theirs = Handler(), Handler()
    await bus.publish(*some(1000))
    async with Bus.open(bus_url, name="other") as other, consuming(bus, mine, batch=20), consuming(other, theirs, batch=20):
        await eventually(lambda: mine.handled and theirs.handled)
        nats.kill()
        nats.start()
        await bus.publish(*(wrap(TENANT, DeviceDeleted(id=str(number))) for number in range(1000, 2000)))
        await eventually(lambda: {*numbers(mine.handled), *numbers(theirs.handled)} == set(range(2000)))
        await eventually(settled(bus, 2000))
    assert await letters(bus) == []


async def test_a_durable_deleted_under_way_is_declared_again_and_loses_nothing(bus: Bus):
    handler = Handler()
    await bus.publish(*some(100))
    async with consuming(bus, handler):
        await eventually(settled(bus, 100))
        await bus.connection.api(f"CONSUMER.DELETE.{subjects.EVENTS}.{DURABLE}")
        await bus.publish(*(wrap(TENANT, DeviceDeleted(id=str(number))) for number in range(100, 200)))
        await eventually(lambda: set(numbers(handler.handled)) == set(range(200)))
        await eventually(settled(bus, 200))


async def test_without_its_stream_it_asks_seldom_and_goes_on_when_the_stream_is_back(bus: Bus, bus_url: str):
    asked: list[bytes] = []

    async def hear(subject: str, payload: bytes) -> None:
        asked.append(payload)

    handler = Handler()
    await bus.publish(*some(5))
    async with consuming(bus, handler):
        await eventually(settled(bus, 5))
        listening = await bus.listen(f"$JS.API.CONSUMER.*.{subjects.EVENTS}.{DURABLE}", hear)
        began = asyncio.get_running_loop().time()
        await bus.connection.api(f"STREAM.DELETE.{subjects.EVENTS}")
        await eventually(lambda: asyncio.get_running_loop().time() - began > 2)
        assert len(asked) < 15
        await declare(bus_url)
        await bus.publish(wrap(TENANT, DeviceDeleted(id="7")))
        await eventually(lambda: numbers(handler.handled)[-1:] == [7])
        await listening.close()


async def test_a_replayed_letter_comes_to_its_durable_alone(bus: Bus):
    broken = True

    def fail(batch: Sequence[Envelope[Any]]) -> None:
        if broken and 1 in numbers(batch):
            raise Conflict

    handler, neighbour = Handler(fail), Handler()
    await bus.publish(*some(3))
    async with consuming(bus, handler), consuming(bus, neighbour, durable="test-neighbour"):
        await eventually(lettered(bus, 1))
        (letter,) = await letters(bus)
        await dlq.replay(bus, letter)  # it still fails, and keeps where it came from
        await eventually(lambda: refailed(bus, letter))
        (second,) = await letters(bus)
        assert (second.subject, second.stream, second.origin, second.attempts) == (letter.subject, letter.stream, letter.origin, 2)
        broken = False
        await dlq.replay(bus, second)
        await eventually(lambda: sorted(numbers(handler.handled)) == [0, 1, 2])
        await eventually(lettered(bus, 0))
    assert numbers(neighbour.handled) == [0, 1, 2]
    assert (await bus.stream_state(subjects.EVENTS)).messages == 3


async def refailed(bus: Bus, before: dlq.Letter) -> bool:
    return [letter.sequence > before.sequence for letter in await letters(bus)] == [True]


async def test_letters_are_discarded_one_by_one_or_all_of_a_durable(bus: Bus):
    def fail(batch: Sequence[Envelope[Any]]) -> None:
        raise Conflict

    await bus.publish(*some(3))
    async with consuming(bus, Handler(fail)):
        await eventually(lettered(bus, 3))
    first = (await letters(bus))[0]
    await dlq.discard(bus, first.sequence)
    await dlq.discard(bus, first.sequence)
    assert len(await letters(bus)) == 2
    assert await dlq.purge(bus, "test-other") == 0
    assert await dlq.purge(bus, DURABLE) == 2
    assert await letters(bus) == []
