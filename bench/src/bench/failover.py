"""What a dead worker and a drained one cost: how long its numbers are off the line, and what becomes of their messages."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from clarin.client import eventually
from clarin.testing import System
from sim.testing import Api as Network

from bench import figures
from bench.fleet import Fleet, fleet, held_by
from bench.installation import installation
from bench.lines import Lines, watching
from bench.traffic import Heard, Traffic, listening
from bench.truth import Tally, tally

CRASHED = "worker-1"
DRAINED = "worker-2"
_BEFORE = 4.0
_AFTER = 6.0
_OVER_WITHIN = 60.0
_SETTLED_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """All that an accident needs."""

    system: System
    network: Network
    database: asyncpg.Connection
    fleet: Fleet
    lines: Lines
    traffic: Traffic
    rate: float

    async def accident(
        self, name: str, act: Callable[[], None], hits: Callable[[], Awaitable[list[str]]], over: Callable[[], Awaitable[bool]]
    ) -> list[float]:
        """Do *act* under traffic and wait until it is *over*; gives the seconds off the line of each number that *hits* tells of."""
        stopping = asyncio.Event()
        running = asyncio.create_task(self.traffic.run(name, self.rate, stopping))
        try:
            await asyncio.sleep(_BEFORE)
            hit = await hits()
            at = time.monotonic()
            act()
            await eventually(over, _OVER_WITHIN, f"after {name} not every number is back", every=0.2)
            await asyncio.sleep(_AFTER)
            outages = self.lines.outages(hit or await hits(), at)
        finally:
            stopping.set()
            await running
        return list(outages.values())

    async def crash(self) -> list[float]:
        """The worker dies, nobody starts it again, and the others take its numbers over."""
        return await self.accident("crash", partial(self.system.kill, CRASHED), self._crashed, partial(self._left, CRASHED))

    async def come_back(self, gate: ExitStack) -> list[float]:
        """The dead worker is started again, and takes its share from the others."""
        return await self.accident("back", gate.close, self._crashed, self._shared)

    async def restart(self) -> list[float]:
        """The worker dies and is started again at once: it takes its own numbers back."""
        before = self.system.pid(CRASHED)

        async def over() -> bool:
            return self.system.pid(CRASHED) != before and await self._all_online()

        return await self.accident("restart", partial(self.system.kill, CRASHED), self._crashed, over)

    async def drain(self) -> list[float]:
        """A worker is asked to end, and hands its numbers over."""
        end = partial(os.kill, self.system.pid(DRAINED), signal.SIGTERM)
        return await self.accident("drain", end, partial(held_by, self.database, self.fleet, DRAINED), partial(self._left, DRAINED))

    async def _crashed(self) -> list[str]:
        return await held_by(self.database, self.fleet, CRASHED)

    async def _left(self, worker: str) -> bool:
        return not await held_by(self.database, self.fleet, worker) and await self._all_online()

    async def _shared(self) -> bool:
        return bool(await self._crashed()) and await self._all_online()

    async def _all_online(self) -> bool:
        return bool((await self.network.get("/stats"))["online"] >= len(self.fleet.numbers))


async def run(*, sessions: int, workers: int, rate: float, folder: Path | None = None) -> dict[str, Any]:
    """Kill a worker that stays dead, start it again, kill it so that it is started at once, and drain another."""
    async with installation(workers=workers, folder=folder) as system, system.network() as network:
        database = await asyncpg.connect(str(system.ready["postgres"]))
        async with fleet(system, network, sessions) as numbers, listening(numbers) as heard, watching(network) as lines:
            traffic = Traffic(network, numbers)
            await traffic.once_each("warm", rate)
            await traffic.sent()
            scene = Scene(system, network, database, numbers, lines, traffic, rate)
            off: dict[str, list[float]] = {}
            with unattended(system) as gate:
                off["crash"] = await scene.crash()
                off["back"] = await scene.come_back(gate)
            off["restart"] = await scene.restart()
            with unattended(system):
                off["drain"] = await scene.drain()
            records = await traffic.settled(heard, _SETTLED_WITHIN)
        await database.close()

    whole = tally(records)
    return {
        "name": "failover",
        "sessions": sessions,
        "workers": workers,
        "rate": rate,
        **{name: _figures(outages, tally(records, f"{name}-")) | _delays(name, heard, traffic) for name, outages in off.items()},
        **whole.figures(),
        "placeholders": records.placeholders,
        "asked": traffic.asked,
        "done": whole.asked,
    }


@contextmanager
def unattended(system: System) -> Iterator[ExitStack]:
    """Nobody starts dead processes again, until the block or the stack that it gives is closed: who would do it stands still."""
    with ExitStack() as gate:
        system.signal(signal.SIGSTOP)
        gate.callback(system.signal, signal.SIGCONT)
        yield gate


def _figures(outages: list[float], counted: Tally) -> dict[str, Any]:
    shares = {"p50": 0.5, "p95": 0.95, "max": 1.0} if outages else {}
    return {
        "sessions": len(outages),
        **{f"blackout_{name}_s": round(figures.percentile(outages, share), 2) for name, share in shares.items()},
        **counted.figures(),
    }


def _delays(name: str, heard: Heard, traffic: Traffic) -> dict[str, float]:
    """Give the longest time from a customer's phone to the browser in this phase."""
    delays = [heard.texts[text] - at for text, at in traffic.written.items() if text.startswith(f"{name}-") and text in heard.texts]
    return {"slowest_message_s": round(max(delays), 2)} if delays else {}
