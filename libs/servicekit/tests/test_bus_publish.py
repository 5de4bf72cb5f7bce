import asyncio
from uuid import uuid4

import pytest
from contracts import subjects
from contracts.envelope import wrap
from contracts.ephemeral import QrShown
from contracts.events.devices import DeviceDeleted
from contracts.ids import TenantId
from servicekit.bus import Bus, BusAway, BusRefused, Item
from servicekit.embedded import Nats
from servicekit.testing import eventually


def some(count: int, tenant: TenantId | None = None):
    tenant = tenant or TenantId(uuid4())
    return [wrap(tenant, DeviceDeleted(id=str(number))) for number in range(count)]


async def stored(bus: Bus) -> list[str]:
    """The ids of everything in EVENTS, in its order."""
    state = await bus.stream_state(subjects.EVENTS)
    found: list[str] = []
    async with await bus.ordered("evt.>", 1) as facts:
        while len(found) < state.messages:
            fact = await anext(facts)
            found.append(fact.headers["Nats-Msg-Id"])
    return found


async def test_five_thousand_messages_stand_in_the_stream_in_their_order(bus: Bus):
    envelopes = some(5000)
    await bus.publish(*envelopes)
    assert await stored(bus) == [str(one.id) for one in envelopes]


async def test_a_repeat_is_kept_once(bus: Bus):
    envelopes = some(100)
    await bus.publish(*envelopes)
    await bus.publish(*envelopes)
    assert (await bus.stream_state(subjects.EVENTS)).messages == 100


async def test_publishing_goes_on_over_a_server_that_is_killed_and_loses_and_reorders_nothing(bus: Bus, nats: Nats):
    envelopes = some(20_000)

    async def kill() -> None:
        await eventually(at_least(bus, 2000))
        nats.kill()
        nats.start()

    killing = asyncio.create_task(kill())
    for first in range(0, len(envelopes), 1000):
        await bus.publish(*envelopes[first : first + 1000])
    await killing
    assert await stored(bus) == [str(one.id) for one in envelopes]


def at_least(bus: Bus, count: int):
    async def probe() -> bool:
        return (await bus.stream_state(subjects.EVENTS)).messages >= count

    return probe


async def test_a_bus_that_stays_away_is_said_so_in_time(bus: Bus, nats: Nats):
    nats.kill()
    with pytest.raises(BusAway):
        await bus.publish(*some(3), timeout=0.5)
    with pytest.raises(BusAway):
        await bus.ping()
    nats.start()
    await eventually(lambda: bus.connection.connected.is_set())
    await bus.publish(*some(3))
    await bus.ping()


async def test_a_message_with_no_stream_is_not_taken_for_stored(bus: Bus):
    with pytest.raises(BusAway):
        await bus.publish_items([Item("nowhere.at.all", "1", b"{}")], timeout=0.3)


async def test_a_message_that_is_too_large_is_refused_at_once(bus: Bus):
    with pytest.raises(BusRefused):
        await bus.publish_items([Item("evt.a.b.c.v1.x", "1", b"x" * (2 << 20))])


async def test_what_is_shouted_is_heard_and_without_a_server_nothing_is_raised(bus: Bus, nats: Nats):
    tenant = TenantId(uuid4())
    heard: list[tuple[str, bytes]] = []

    async def hear(subject: str, payload: bytes) -> None:
        heard.append((subject, payload))

    subscription = await bus.listen("eph.>", hear)
    shown = QrShown(device_id="dev", qr="2@abc", expires_at=wrap(tenant, DeviceDeleted(id="")).occurred_at)
    await bus.shout(tenant, shown)
    await eventually(lambda: heard)
    assert heard[0][0] == f"eph.devices.qr.{tenant}"
    nats.kill()
    await bus.shout(tenant, shown)
    nats.start()

    async def heard_again() -> bool:
        await bus.shout(tenant, shown)
        return len(heard) > 1

    await eventually(heard_again)
    await subscription.close()


async def test_a_question_is_answered_by_one_of_a_queue(bus: Bus):
    answered = []

    async def answer(payload: bytes) -> bytes:
        answered.append(payload)
        return payload.upper()

    both = [await bus.answer("ask.test.loud", answer, queue="test") for _ in range(2)]
    assert await bus.ask("ask.test.loud", b"hello") == b"HELLO"
    assert answered == [b"hello"]
    for one in both:
        await one.close()


async def test_a_question_that_nobody_hears_or_that_fails_is_a_bus_that_is_away(bus: Bus):
    async def fail(payload: bytes) -> bytes:
        raise RuntimeError("broken")

    with pytest.raises(BusAway):
        await bus.ask("ask.test.nobody", b"")
    subscription = await bus.answer("ask.test.broken", fail, queue="test")
    with pytest.raises(BusAway):
        await bus.ask("ask.test.broken", b"")
    await subscription.close()


async def test_a_slow_question_does_not_hold_up_the_next(bus: Bus):
    release = asyncio.Event()

    async def answer(payload: bytes) -> bytes:
        if payload == b"slow":
            await release.wait()
        return payload

    subscription = await bus.answer("ask.test.slow", answer, queue="test")
    slow = asyncio.create_task(bus.ask("ask.test.slow", b"slow", timeout=10))
    assert await bus.ask("ask.test.slow", b"fast") == b"fast"
    release.set()
    assert await slow == b"slow"
    await subscription.close()
