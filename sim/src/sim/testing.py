"""For tests and benchmarks: the network as a process of its own, and its control API as an object."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp

from sim.launcher import Info, environment, read_info

_READY_SECONDS = 20.0
_STOP_SECONDS = 30.0


class Refusal(Exception):
    """The control API refused; *status* and *code* say why."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code


class Api:
    """The control API of a running network."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Connected when first asked."""
        self._session = aiohttp.ClientSession(self.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closed."""
        if self._session:
            await self._session.close()

    async def ask(self, method: str, path: str, body: Any = None, data: aiohttp.FormData | None = None) -> Any:
        """The answer's JSON.  Raises: Refusal."""
        if self._session is None:
            raise RuntimeError("Use the API inside its `async with`.")
        async with self._session.request(method, path, json=body, data=data) as response:
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise Refusal(response.status, answer["code"], answer["detail"])
            return answer

    async def get(self, path: str) -> Any:
        """Read."""
        return await self.ask("GET", path)

    async def post(self, path: str, **body: Any) -> Any:
        """Do."""
        return await self.ask("POST", path, body)

    async def phone(self, number: str, name: str = "", **settings: Any) -> str:
        """A new phone with these settings; its number."""
        await self.post("/phones", number=number, name=name)
        if settings:
            await self.ask("PATCH", f"/phones/{number}", settings)
        return number

    async def write(self, number: str, to: str, text: str, **more: Any) -> str:
        """The phone writes to a number; the message's id."""
        return str((await self.ask("POST", f"/phones/{number}/messages", {"to": to, "text": text, **more}))["id"])

    async def wait_for(self, number: str, kind: str, count: int, after: int = 0, within: float = 20.0) -> list[dict[str, Any]]:
        """The first *count* items after *after* of a phone's `inbox` or `receipts`.  Raises: TimeoutError."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(within):
            while len(found) < count:
                last = found[-1]["n"] if found else after
                found += (await self.get(f"/phones/{number}/{kind}?after={last}&wait=5"))["items"]
        return found[:count]


class Running:
    """The process of a network: `info`, `api`, and the power to kill it and start it again on the same folder."""

    info: Info
    api: Api

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that is attached to this network."""
        return environment(self.info)

    async def start(self) -> None:
        """The process runs and its control API answers.  Raises: TimeoutError, RuntimeError."""
        info_file = self.folder / "info.json"
        info_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sim", "--data", str(self.folder), "--info-file", str(info_file)]
        self._process = process = await asyncio.create_subprocess_exec(*command)
        async with asyncio.timeout(_READY_SECONDS):
            while not info_file.exists():
                if process.returncode is not None:
                    raise RuntimeError(f"The network ended with {process.returncode} before it was ready.")
                await asyncio.sleep(0.02)
        self.info = read_info(info_file)
        self.api = Api(self.info.control_url)
        await self.api.__aenter__()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """The process has ended; its exit code.  It is killed when it takes longer than 30 s."""
        process, self._process = self._process, None
        if process is None:
            return 0
        await self.api.__aexit__()
        if process.returncode is None:
            process.send_signal(number)
        try:
            return await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def crash(self) -> None:
        """The process was killed, and another one runs on the same folder."""
        await self.stop(signal.SIGKILL)
        await self.start()


@asynccontextmanager
async def running_network(folder: Path) -> AsyncIterator[Running]:
    """A network on *folder* while the block lasts."""
    if os.environ.get("CLARIN_ENV") == "production":
        raise RuntimeError("Not in production.")
    network = Running(folder)
    await network.start()
    try:
        yield network
    finally:
        await network.stop()
