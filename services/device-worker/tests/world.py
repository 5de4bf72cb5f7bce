"""A worker as a process of its own, attached to the network on loopback, with the API beside it in the test."""

import asyncio
import base64
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from contracts import ids, subjects
from contracts.commands import MarkRead, SendMessage
from contracts.envelope import Envelope, decode, wrap
from contracts.ids import DeviceId, MessageId, TenantId
from contracts.whatsapp import Address
from servicekit.bus import Bus, BusAway
from servicekit.db import Database, raw
from servicekit.testing import eventually
from servicekit.vault import Vault
from sim.launcher import read_info
from sim.testing import Api


class WorkerProcess:
    """``python -m device_worker worker``; `kill` is kill -9."""

    def __init__(self, environment: dict[str, str], data: Path, log: Path) -> None:
        self.environment = environment | {"CLARIN_DATA_DIR": str(data)}
        self.data, self.log = data, log
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "device_worker", "worker", env=self.environment, stdout=log, stderr=log
            )

    async def end(self, number: int) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(number)
        try:
            return await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise

    async def kill(self) -> None:
        await self.end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it, and not its host."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def children(self, module: str) -> list[psutil.Process]:
        """Its living children that run ``python -m device_worker.<module>``."""
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if f"device_worker.{module}" in child.cmdline():
                    found.append(child)
        return found

    @property
    def host(self) -> psutil.Process:
        """The process that its sessions are in."""
        [host] = self.children("host")
        return host

    async def stop(self) -> int:
        return await self.end(signal.SIGTERM)


class Network:
    """The process of the network on loopback, and the power to freeze it."""

    def __init__(self, folder: Path) -> None:
        info = folder / "info.json"
        self.process = subprocess.Popen([sys.executable, "-m", "sim", "--data", str(folder), "--info-file", str(info)])
        until = time.monotonic() + 90
        while not info.exists():
            assert self.process.poll() is None, "the network ended before it was ready"
            assert time.monotonic() < until, "the network is not ready"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        self.info = read_info(info)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.resume()
        self.process.terminate()
        self.process.wait(10)


KEY = os.urandom(32)
#: What the API seals with and the workers open with.
VAULT = Vault(KEY)

_numbers = itertools.count(1)

#: Seconds between two looks at what stays, and at what may be over soon: each is a whole request, and takes a processor from the worker.
_LASTING, _PASSING = 0.1, 0.02


@dataclass
class World:
    tenant: TenantId
    client: httpx.AsyncClient
    db: Database
    system_db: Database
    bus: Bus
    network: Network
    phones: Api
    environment: dict[str, str]
    folder: Path
    shop: str = field(default_factory=lambda: f"521555{next(_numbers):07d}")
    ana: str = field(default_factory=lambda: f"521556{next(_numbers):07d}")
    workers: list[WorkerProcess] = field(default_factory=list)

    async def worker(self, data: str = "data", **more: str) -> WorkerProcess:
        worker = WorkerProcess(self.environment | more, self.folder / data, self.folder / f"worker-{len(self.workers)}.log")
        self.workers.append(worker)
        await worker.start()
        return worker

    async def device(self, name: str = "Sales") -> str:
        made = await self.client.post("/api/devices", json={"name": name})
        return str(made.json()["id"])

    async def show(self, device: str) -> dict[str, Any]:
        return dict((await self.client.get(f"/api/devices/{device}")).json())

    async def until(self, device: str, state: str, timeout: float = 60.0) -> dict[str, Any]:
        async def probe() -> dict[str, Any]:
            shown = await self.show(device)
            assert shown["state"] == state, shown
            return shown

        return await eventually(probe, timeout=timeout, every=_LASTING if state == "connected" else _PASSING)

    async def told(self, device: str, state: str, reason: str) -> None:
        """Everyone was told that the device stands there, even if it has moved on."""

        async def probe() -> None:
            found = [(e.data.state, e.data.reason) for e in await self.events("devices.device.changed") if e.data.id == device]
            assert (state, reason) in found, found

        await eventually(probe, timeout=60, every=0.1)

    async def qr(self, device: str) -> str:
        async def probe() -> str:
            answer = await self.client.get(f"/api/devices/{device}/qr", headers={"Accept": "text/plain"})
            assert answer.status_code == 200, answer.text
            return answer.text

        return await eventually(probe, timeout=90, every=_LASTING)  # a pairing that says nothing for 15 s is started anew

    async def people(self) -> None:
        """The shop and Ana have phones."""
        await self.phones.phone(self.shop, "Shop")
        await self.phones.phone(self.ana, "Ana")

    async def linked(self) -> str:
        """The shop's number is a connected device; Ana has a phone."""
        await self.people()
        return await self.link()

    async def link(self) -> str:
        """The shop's phone has scanned the QR of a new device, which is connected."""
        device = await self.device()
        await self.client.post(f"/api/devices/{device}/connect")
        await self.phones.post(f"/phones/{self.shop}/scan", qr=await self.qr(device))
        await self.until(device, "connected")
        return device

    async def order(self, device: str, to: str | Address, text: str, lives: timedelta = timedelta(minutes=5)) -> MessageId:
        message = MessageId(ids.new())
        body = SendMessage(
            message=message,
            device=inner(device),
            to=to if isinstance(to, Address) else Address("pn", to),
            kind="text",
            text=text,
            expires_at=datetime.now(UTC) + lives,
        )
        await self.bus.publish(wrap(self.tenant, body, id=ids.derived("send", message)))
        return message

    async def read(self, device: str, chat: Address, wa_ids: list[str]) -> None:
        await self.bus.publish(wrap(self.tenant, MarkRead(device=inner(device), chat=chat, wa_ids=wa_ids, at=datetime.now(UTC))))

    async def events(self, *types: str) -> list[Envelope[Any]]:
        """Everything that was told so far, of these types."""
        found: list[Envelope[Any]] = []
        try:
            state = await self.bus.stream_state()
            if not state.messages:
                return found
            reader = await self.bus.ordered(subjects.EVERY_EVENT, state.first_sequence)
        except BusAway as away:
            raise AssertionError("the bus is away") from away
        try:
            async for fact in reader:
                envelope = decode(fact.payload)
                if envelope.type in types:
                    found.append(envelope)
                if fact.sequence >= state.last_sequence:
                    return found
        finally:
            await reader.close()
        return found

    async def some(self, kind: str, count: int = 1, timeout: float = 60.0) -> list[Any]:
        """At least *count* events of this type; their data."""

        async def probe() -> list[Any]:
            found = [envelope.data for envelope in await self.events(kind)]
            assert len(found) >= count, found
            return found

        return await eventually(probe, timeout=timeout, every=0.1)

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        async with self.system_db.system() as tx:
            return list(await (await raw(tx)).fetch(statement, *arguments))

    async def end(self) -> None:
        for worker in self.workers:
            await worker.kill()


def inner(device: str) -> DeviceId:
    return DeviceId(ids.parse(ids.DEVICE, device))


@asynccontextmanager
async def running(run: Any) -> AsyncIterator[None]:
    """A background part while the block lasts."""
    stopping = asyncio.Event()
    task = asyncio.create_task(run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait([task], timeout=5)
        task.cancel()


def base_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLARIN_")}
    return kept | {"CLARIN_LOG_LEVEL": "INFO", "CLARIN_ENCRYPTION_KEY": base64.b64encode(KEY).decode()}
