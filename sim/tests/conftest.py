"""A running network, and real sessions attached to it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sim.testing import Api, Running, running_network

PROCESS = Path(__file__).parent / "session_process.py"
_numbers = count(1)


class Session:
    """A process with the real library.  `events` holds all it told; `wait_for` waits for the next of a kind that was not taken yet."""

    def __init__(self, store: Path, environment: dict[str, str]) -> None:
        self.store, self.environment = store, environment
        self.events: list[dict[str, Any]] = []
        self.jid = ""
        self._taken: set[int] = set()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._changed = asyncio.Event()
        self._n = count(1)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(PROCESS), str(self.store), self.jid),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None if "DEBUG" in self.environment else asyncio.subprocess.DEVNULL,
            env=self.environment,
            limit=1 << 26,
        )
        self._reader = asyncio.create_task(self._read(self._process))

    async def kill(self) -> None:
        """The process is gone, as with kill -9."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reader:
            await self._reader

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            what = json.loads(line)
            if "n" in what:
                answer = self._answers.pop(what["n"])
                if "error" in what:
                    answer.set_exception(RuntimeError(what["error"]))
                else:
                    answer.set_result(what["result"])
                continue
            if what["event"] == "paired":
                self.jid = what["jid"]
            self.events.append(what)
            self._changed.set()

    async def do(self, what: str, *args: Any) -> Any:
        assert self._process and self._process.stdin
        n = next(self._n)
        answer = self._answers[n] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"n": n, "do": what, "args": args}).encode() + b"\n")
        return await asyncio.wait_for(answer, 20)

    async def wait_for(self, event: str, within: float = 20.0, **like: Any) -> dict[str, Any]:
        async with asyncio.timeout(within):
            while True:
                for position, told in enumerate(self.events):
                    if position not in self._taken and told["event"] == event and told | like == told:
                        self._taken.add(position)
                        return told
                self._changed.clear()
                await self._changed.wait()

    def texts(self) -> list[str]:
        return [told["text"] for told in self.events if told["event"] == "message"]


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_network(tmp_path / "network") as running:
        yield running


@pytest.fixture
def api(network: Running) -> Api:
    return network.api


@pytest.fixture
async def new_session(network: Running, tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Session]]]:
    """Starts sessions that show a QR text; they are gone after the test."""
    sessions: list[Session] = []

    async def start() -> Session:
        session = Session(tmp_path / f"store-{len(sessions)}.db", network.environment)
        sessions.append(session)
        await session.start()
        return session

    yield start
    for session in sessions:
        await session.kill()


@pytest.fixture
async def shop(api: Api, new_session: Callable[[], Awaitable[Session]]) -> Session:
    """A session linked to the number 573001112233 and connected; 573109998877 is a customer."""
    await api.phone("573001112233", "Tienda")
    await api.phone("573109998877", "Ana")
    session = await new_session()
    qr = (await session.wait_for("qr"))["text"]
    await api.post("/phones/573001112233/scan", qr=qr)
    await session.wait_for("connected")
    return session
