"""Traffic for a long time, workers that are recycled meanwhile: what grows, and what gets lost."""

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clarin.testing import System

from bench.fleet import fleet
from bench.footprint import Footprint
from bench.installation import installation
from bench.traffic import Traffic, listening
from bench.truth import tally

_SAMPLE_EVERY = 10.0
_SETTLED_WITHIN = 120.0
_HOUR = 3600.0

Series = dict[str, list[tuple[float, float]]]


async def run(
    *, minutes: float, sessions: int, workers: int, rate: float, recycle_minutes: float, folder: Path | None = None
) -> dict[str, Any]:
    """Both directions at *rate* for so many *minutes*; every *recycle_minutes* one worker is asked to end, and is started again."""
    async with (
        installation(workers=workers, folder=folder) as system,
        system.network() as network,
        fleet(system, network, sessions, paced=True) as numbers,
        listening(numbers) as heard,
    ):
        traffic = Traffic(network, numbers)
        samples: Series = defaultdict(list)
        recycled: list[str] = []
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(minutes * 60, stopping.set)
        async with asyncio.TaskGroup() as beside:
            beside.create_task(traffic.run("soak", rate, stopping))
            beside.create_task(_sample(system, samples, stopping))
            beside.create_task(_recycle(system, workers, recycle_minutes * 60, recycled, stopping))
        records = await traffic.settled(heard, _SETTLED_WITHIN)

    counted = tally(records)
    return {
        "name": "soak",
        "minutes": minutes,
        "sessions": sessions,
        "workers": workers,
        "rate": rate,
        "recycled": len(recycled),
        **counted.figures(),
        "placeholders": records.placeholders,
        "asked": traffic.asked,
        "done": counted.asked,
        "memory": {name: growth(seen) for name, seen in samples.items()},
    }


async def _sample(system: System, samples: Series, stopping: asyncio.Event) -> None:
    """Write down how much memory each process has."""
    while not await _set(stopping, _SAMPLE_EVERY):
        for name, pid in system.pids().items():
            read = Footprint.of_family if name.startswith("worker-") else Footprint.of
            with contextlib.suppress(OSError, KeyError):  # one that is being started again is looked at the next time
                samples[name].append((time.monotonic(), read(pid).rss_mb))


async def _recycle(system: System, workers: int, every: float, recycled: list[str], stopping: asyncio.Event) -> None:
    """Ask one worker after the other to end."""
    for number in itertools.cycle(range(1, workers + 1)):
        if await _set(stopping, every):
            return
        name = f"worker-{number}"
        os.kill(system.pid(name), signal.SIGTERM)
        recycled.append(name)


async def _set(event: asyncio.Event, within: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), within)
    return event.is_set()


def growth(series: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Give the last and the largest value of (seconds, megabytes), and the slope over the second half, in megabytes an hour."""
    half = series[len(series) // 2 :]
    return {"mb": round(series[-1][1], 1), "most_mb": round(max(mb for _, mb in series), 1), "mb_per_hour": round(slope(half) * _HOUR, 1)}


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Give the slope of the straight line nearest to *points*; 0 where they are too few for one."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    middle_x, middle_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    above = sum((x - middle_x) * (y - middle_y) for x, y in points)
    return float(above / sum((x - middle_x) ** 2 for x, _ in points))
