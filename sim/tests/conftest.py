"""A running network, and real sessions attached to it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import pytest_asyncio
from sim.testing import Running, running_network

from sim import tokens

_stores = count(1)
_customers = count(573100000000)
PROCESS = Path(__file__).parent / "session_process.py"


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
        assert self._process
        assert self._process.stdin
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

    def texts(self, chat: str = "") -> list[str]:
        """The texts of all messages so far, of one chat or of all."""
        return [told["text"] for told in self.events if told["event"] == "message" and told["chat"].startswith(chat)]


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the sessions' stores, in memory where there is such a thing: the library syncs each of its 812 prekeys to the disk."""
    shm = "/dev/shm"  # noqa: S108 (a fresh folder is made in it)
    if not os.access(shm, os.W_OK):
        yield tmp_path_factory.mktemp("stores")
        return
    with TemporaryDirectory(dir=shm, prefix="sim-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def token_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The token tables, read once for all networks of this run."""
    cache = tmp_path_factory.mktemp("tokens")
    tokens.load(cache)
    return cache


@asynccontextmanager
async def fresh_network(folder: Path, token_cache: Path) -> AsyncIterator[Running]:
    shutil.copytree(token_cache, folder)
    async with running_network(folder) as running:
        yield running


class Sessions:
    """Starts sessions attached to a network; all are gone at the end."""

    def __init__(self, network: Running, folder: Path) -> None:
        self.network, self.folder = network, folder
        self.started: list[Session] = []

    async def start(self) -> Session:
        """A new session, about to show a QR text."""
        session = Session(self.folder / f"{next(_stores)}.db", self.network.environment)
        self.started.append(session)
        await session.start()
        return session

    async def link(self, number: str) -> Session:
        """A new session that is linked to the number's phone, and connected."""
        session = await self.start()
        await self.network.api.post(f"/phones/{number}/scan", qr=(await session.wait_for("qr"))["text"])
        await session.wait_for("connected")
        return session

    async def end(self) -> None:
        for session in self.started:
            await session.kill()


@pytest.fixture
async def network(tmp_path: Path, token_cache: Path) -> AsyncIterator[Running]:
    """A network of the test's own."""
    async with fresh_network(tmp_path / "network", token_cache) as running:
        yield running


@pytest.fixture
async def sessions(network: Running, memory: Path) -> AsyncIterator[Sessions]:
    """Sessions on the test's own network."""
    sessions = Sessions(network, memory)
    yield sessions
    await sessions.end()


@dataclass
class Shop:
    """A network with one linked and connected session of *number*."""

    number: str
    network: Running
    sessions: Sessions
    session: Session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, memory: Path, token_cache: Path) -> AsyncIterator[Shop]:
    """One shop for all tests of a module; they run on the module's loop."""
    folder = tmp_path_factory.mktemp("shop")
    async with fresh_network(folder / "network", token_cache) as network:
        number = await network.api.phone("573001112233", "Tienda")
        sessions = Sessions(network, memory)
        yield Shop(number, network, sessions, await sessions.link(number))
        await sessions.end()


@pytest.fixture
def api(shared: Shop) -> Any:
    """The control of the network that all tests of a module share."""
    return shared.network.api


@pytest.fixture
def shop(shared: Shop) -> Session:
    """The shop's session, which all tests of a module share."""
    return shared.session


@pytest.fixture
def another(api: Any) -> Callable[[str], Awaitable[str]]:
    """Make a phone of the test's own, and give its number."""

    async def make(name: str = "") -> str:
        return str(await api.phone(str(next(_customers)), name))

    return make


@pytest_asyncio.fixture(loop_scope="module")
async def ana(another: Callable[[str], Awaitable[str]]) -> str:
    """A customer of the test's own."""
    return await another("Ana")
