import asyncio
import math
from datetime import timedelta

from servicekit.bus import BusAway
from servicekit.health import Health
from servicekit.testing import eventually
from servicekit.timers import every
from structlog.testing import capture_logs

NOW = timedelta(0)


async def test_a_process_is_ready_while_every_probe_passes():
    async def well():
        return None

    async def ill():
        raise ConnectionRefusedError("secret address")

    state = Health()
    state.check("database", well)
    assert await state.ready() == {"database": "ok"}
    state.check("bus", ill)
    assert await state.ready() == {"database": "ok", "bus": "ConnectionRefusedError"}


async def test_a_stopping_process_is_not_ready():
    state = Health()
    state.stopping = True
    assert await state.ready() == {"process": "stopping"}


async def test_many_askers_share_one_probe_and_its_answer():
    calls = 0

    async def probe():
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)

    state = Health(kept=3600)
    state.check("bus", probe)
    await asyncio.gather(*(state.ready() for _ in range(20)))
    await state.ready()
    assert calls == 1
    forgetful = Health(kept=0)
    forgetful.check("bus", probe)
    for _ in range(2):
        await forgetful.ready()
    assert calls == 3


async def test_a_probe_that_hangs_is_away():
    state = Health(limit=0.01)
    state.check("bus", asyncio.Event().wait)
    assert (await state.ready())["bus"] == "no answer within 0.01 s"


async def test_a_timer_comes_round_and_outlives_an_error():
    rounds = 0

    async def work():
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise RuntimeError("once")

    stopping = asyncio.Event()
    task = asyncio.create_task(every(NOW, work, name="work")(stopping))
    await eventually(lambda: rounds >= 4, every=0.001)
    stopping.set()
    await asyncio.wait_for(task, 10)


async def test_a_timer_that_waits_for_a_server_says_so_once_each_time_that_it_goes_away():
    rounds = 0

    async def work():
        nonlocal rounds
        rounds += 1
        if rounds % 10:
            raise BusAway("The bus is away.")

    stopping = asyncio.Event()
    with capture_logs() as lines:
        task = asyncio.create_task(every(NOW, work, name="work")(stopping))
        await eventually(lambda: rounds >= 15, every=0.001)
        stopping.set()
        await asyncio.wait_for(task, 10)
    said = [(line["event"], line["log_level"]) for line in lines]
    assert said == [("timer waits", "warning")] * math.ceil(rounds / 10)


async def test_a_timer_stops_without_waiting_for_its_next_round():
    ran = asyncio.Event()

    async def work():
        ran.set()

    stopping = asyncio.Event()
    task = asyncio.create_task(every(timedelta(hours=1), work, name="work")(stopping))
    await ran.wait()
    stopping.set()
    await asyncio.wait_for(task, 10)
