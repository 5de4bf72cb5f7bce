"""The line in which the sessions of all workers stand, on a real bus."""

import asyncio
import time
from uuid import UUID, uuid4

import msgspec
from contracts import buckets
from device_worker.connects import Connects, Turn
from device_worker.pacing import TRIPS_AT, Line
from servicekit.bus import Bus
from servicekit.testing import eventually


def connects(bus: Bus, *, at_once: int = 4, rate: float = 1000.0, active: dict[UUID, float] | None = None, workers: int = 1) -> Connects:
    known = active or {}
    return Connects(bus, at_once=at_once, rate=rate, active=lambda device: known.get(device, 0.0), workers=lambda: workers)


async def through(one: Connects, turns: list[Turn]) -> list[Turn]:
    """Let every turn through, each over at once; gives them in the order in which they were granted."""
    order: list[Turn] = []

    async def take(turn: Turn) -> None:
        await turn.granted.wait()
        order.append(turn)
        turn.end()

    stopping = asyncio.Event()
    running = asyncio.create_task(one.run(stopping))
    async with asyncio.timeout(30):
        await asyncio.gather(*map(take, turns))
    stopping.set()
    await running
    return order


async def test_the_workers_together_take_no_more_places_than_the_rate(bus):
    began = time.time()
    several = [connects(bus, rate=40.0, workers=3) for _ in range(3)]
    await asyncio.gather(*(through(one, [one.ask(uuid4()) for _ in range(30)]) for one in several))
    entry = await (await bus.bucket(buckets.CONNECTS)).get("line")
    assert entry is not None
    line = msgspec.json.decode(entry.value, type=Line)
    assert line.next - began >= (90 - 40) / 40.0 - 0.01  # one burst lay before the beginning
    assert time.time() - began >= 1.0


async def test_numbers_that_were_in_use_last_come_first(bus):
    devices = [uuid4() for _ in range(6)]
    active = {device: float(at) for at, device in enumerate(devices)}
    one = connects(bus, at_once=1, active=active)
    turns = [one.ask(device) for device in devices]
    assert one.waiting == 6
    assert await through(one, turns) == turns[::-1]


async def test_a_session_that_was_handed_over_waits_in_no_line_while_whatsapp_answers_and_there_is_a_place(bus):
    one = connects(bus, at_once=2, rate=0.001)
    turns = [one.ask(uuid4(), handed=True) for _ in range(3)]
    assert [turn.granted.is_set() for turn in turns] == [True, True, False]
    for turn in turns:
        turn.end()
    for _ in range(TRIPS_AT):
        one.failed(uuid4())
    assert one.state == "away"
    assert not one.ask(uuid4(), handed=True).granted.is_set()


async def test_a_turn_that_nobody_wants_any_more_holds_up_nobody(bus):
    one = connects(bus, at_once=1)
    turns = [one.ask(uuid4()) for _ in range(3)]
    turns[0].end()
    assert await through(one, turns[1:]) == turns[1:]


async def test_while_whatsapp_does_not_answer_one_session_goes_ahead_and_the_rest_follows_it(bus):
    one = connects(bus, at_once=4)
    for _ in range(TRIPS_AT):
        one.failed(uuid4())
    assert one.state == "away"
    turns = [one.ask(uuid4()) for _ in range(8)]
    stopping = asyncio.Event()
    running = asyncio.create_task(one.run(stopping))
    probe = await eventually(lambda: next((turn for turn in turns if turn.granted.is_set()), None))
    assert [turn for turn in turns if turn.granted.is_set()] == [probe]
    assert one.state == "probing"
    one.answered()
    probe.end()
    await eventually(lambda: sum(turn.granted.is_set() for turn in turns) == 3)
    for turn in turns:
        one.answered()
        turn.end()
    stopping.set()
    await running
    assert one.state == "open"


async def test_with_the_bus_away_a_worker_keeps_to_its_share(nats, bus_url):
    async with Bus.open(bus_url, name="t") as bus:
        one = connects(bus, rate=20.0, workers=2)
        await asyncio.to_thread(nats.kill)
        try:
            began = time.monotonic()
            await through(one, [one.ask(uuid4()) for _ in range(8)])
            assert time.monotonic() - began >= 6 / 10.0
        finally:
            await asyncio.to_thread(nats.start)
