"""Which numbers are on the line, by the network's own news."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from sim.testing import Api as Network


@dataclass(slots=True)
class Lines:
    """What the network said: (monotonic seconds, number, whether a session of it is connected now)."""

    news: list[tuple[float, str, bool]] = field(default_factory=list)

    def outages(self, numbers: Iterable[str], since: float) -> dict[str, float]:
        """Give the longest time that each of *numbers* was off the line since then; of one that is off still, until now."""
        return {
            number: outage([(at, on) for at, name, on in self.news if name == number and at >= since], time.monotonic())
            for number in numbers
        }


def outage(news: Iterable[tuple[float, bool]], now: float) -> float:
    """Give the longest time off the line in one number's news, in seconds; 0 where it never was."""
    longest, off = 0.0, None
    for at, on in [*news, (now, True)]:
        if off is None and not on:
            off = at
        elif off is not None and on:
            longest, off = max(longest, at - off), None
    return longest


@asynccontextmanager
async def watching(network: Network) -> AsyncIterator[Lines]:
    """The news of every number's sessions are written down while the block lasts."""
    lines = Lines()
    opened = asyncio.Event()
    watching = asyncio.create_task(_watch(network, lines, opened))
    try:
        await opened.wait()
        yield lines
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(network: Network, lines: Lines, opened: asyncio.Event) -> None:
    asking: set[asyncio.Task[None]] = set()

    async def ask(at: float, number: str) -> None:
        sessions = (await network.get(f"/phones/{number}"))["sessions"]
        lines.news.append((at, number, any(session["connected"] for session in sessions)))

    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http,
        http.get(f"{network.url}/events") as stream,
    ):
        async for line in stream.content:
            opened.set()
            if line.startswith(b"data: ") and (told := json.loads(line[6:]))["what"] == "session":
                task = asyncio.create_task(ask(time.monotonic(), told["number"]))
                asking.add(task)
                task.add_done_callback(asking.discard)
