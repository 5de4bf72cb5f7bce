"""Keeps what was started alive: what dies is started again, ever more slowly, and that is said."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
from rich.markup import escape
from servicekit.embedded import Child, StartFailed

from clarin.processes import Process, Stage

EX_CONFIG = 78
_FIRST_DELAY, _LONGEST_DELAY, _CALM = 0.5, 15.0, 30.0
_KEPT_LOGS, _LOG_BYTES = 3, 10 << 20


class Part(Protocol):
    """A server or a program: whatever lives and may die."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def pid(self) -> int: ...  # noqa: D102
    @property
    def alive(self) -> bool: ...  # noqa: D102
    @property
    def returncode(self) -> int | None: ...  # noqa: D102
    def start(self) -> object: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def kill(self) -> None: ...  # noqa: D102
    def log_tail(self, lines: int = ...) -> str: ...  # noqa: D102


class Program:
    """One process of the table."""

    def __init__(self, process: Process, logs: Path) -> None:
        self.name = process.name
        self.process = process
        self.log = logs / f"{process.name}.log"
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The process's id; 0 before the first start."""
        return self._child.pid if self._child else 0

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.alive

    @property
    def returncode(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._child.returncode if self._child else None

    def start(self) -> None:
        """Start it; it is not ready yet."""
        listener = self.process.listener
        passed = () if listener is None else (listener,)
        self._child = Child(self.process.command, log=self.log, environment=self.process.environment, passed=passed)

    def stop(self) -> None:
        """Ask it to end, and wait for that."""
        if self._child:
            self._child.end(signal.SIGTERM, patience=25)

    def kill(self) -> None:
        """End it with kill -9."""
        if self._child:
            self._child.kill()

    def log_tail(self, lines: int = 12) -> str:
        """Give the end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class GaveUp(Exception):
    """A process cannot be started; the text says which and shows the end of its log."""


@dataclass(slots=True)
class Kept:
    """One part under supervision."""

    part: Part
    stage: Stage
    task: asyncio.Task[None]
    stopping: asyncio.Event


class Supervisor:
    """Starts parts, starts them again when they die, stops them in order."""

    def __init__(self, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        """*say* tells a person what happened; *changed* is called when a process id is another one."""
        self._say = say
        self._changed = changed
        self._kept: dict[str, Kept] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each part that runs."""
        return {name: kept.part.pid for name, kept in self._kept.items() if kept.part.alive}

    async def keep(self, part: Part, stage: Stage) -> None:
        """Start *part* and keep it alive.  Raises: StartFailed: the first start failed."""
        await asyncio.to_thread(part.start)
        stopping = asyncio.Event()
        task = asyncio.create_task(self._keep(part, stopping))
        self._kept[part.name] = Kept(part, stage, task, stopping)

    async def replace(self, part: Part, stage: Stage) -> None:
        """Stop the part of this name and keep *part* in its place."""
        await self._end(self._kept.pop(part.name), 10)
        await self.keep(part, stage)
        self._changed()

    async def until_ready(self, *programs: Program, timeout: float) -> None:
        """Wait until each answers that it is ready.  Raises: GaveUp."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as http, asyncio.TaskGroup() as group:
            for program in programs:
                group.create_task(self._until_ready(http, program, timeout))

    async def stop(self, within: float) -> None:
        """Stop everything, stage by stage, within so many seconds; what does not end by itself is killed."""
        end = time.monotonic() + within
        shares = {Stage.EDGE: 5.0, Stage.SERVICE: 8.0, Stage.WORKER: 8.0, Stage.NETWORK: 2.0, Stage.SERVER: 4.0}
        for stage in Stage:
            here = [kept for kept in self._kept.values() if kept.stage is stage]
            patience = max(min(shares[stage], end - time.monotonic()), 0.1)
            await asyncio.gather(*(self._end(kept, patience) for kept in here))
        self._kept.clear()

    async def _end(self, kept: Kept, patience: float) -> None:
        kept.stopping.set()
        with contextlib.suppress(asyncio.CancelledError):
            await kept.task
        stop = asyncio.create_task(asyncio.to_thread(kept.part.stop))
        done, _ = await asyncio.wait([stop], timeout=patience)
        if not done:
            self._say(f"[yellow]{kept.part.name}[/] did not end within {patience:.0f} s and is killed.")
            await asyncio.to_thread(kept.part.kill)
            await stop

    async def _keep(self, part: Part, stopping: asyncio.Event) -> None:
        delay = _FIRST_DELAY
        started = time.monotonic()
        while not stopping.is_set():
            if part.alive:
                await _pause(stopping, 0.1)
                continue
            if time.monotonic() - started > _CALM:
                delay = _FIRST_DELAY
            how = _ending(part.returncode)
            self._say(f"[yellow]{part.name}[/] {how} and is started again in {delay:g} s; see [bold]clarin logs {part.name}[/].")
            await _pause(stopping, delay)
            if stopping.is_set():
                return
            delay = min(delay * 2, _LONGEST_DELAY)
            started = time.monotonic()
            try:
                await asyncio.to_thread(part.start)
            except StartFailed as error:
                self._say(escape(str(error)))
                continue
            self._changed()

    async def _until_ready(self, http: aiohttp.ClientSession, program: Program, timeout: float) -> None:
        end = time.monotonic() + timeout
        deaths, last, pid = 0, "it does not answer", program.pid
        while time.monotonic() < end:
            if program.returncode == EX_CONFIG:
                raise GaveUp(f"{program.name} is not configured.\n{program.log_tail(3)}")
            if program.pid != pid:
                deaths, pid = deaths + 1, program.pid
                if deaths == 3:
                    raise GaveUp(f"{program.name} ends again and again.\n{program.log_tail()}")
            try:
                async with http.get(f"{program.process.health}/health/ready") as response:
                    if response.status == 200:
                        return
                    last = (await response.text())[:500]
            except (OSError, aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.1)
        raise GaveUp(f"{program.name} was not ready within {timeout:.0f} s: {last}\n{program.log_tail()}")


def rotate(logs: Path) -> None:
    """Put every log that has grown too large aside, the oldest of them away."""
    for log in logs.glob("*.log"):
        if log.stat().st_size > _LOG_BYTES:
            for number in range(_KEPT_LOGS - 1, 0, -1):
                older = log.with_name(f"{log.name}.{number}")
                if older.exists():
                    older.rename(log.with_name(f"{log.name}.{number + 1}"))
            log.rename(log.with_name(f"{log.name}.1"))


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def _ending(code: int | None) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code and code < 0 else f"has ended with {code or 0}"
