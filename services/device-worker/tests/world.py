"""A worker as a process of its own, attached to the network on loopback, with the API beside it in the test."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from contracts import ids, subjects
from contracts.commands import MarkRead, SendMessage
from contracts.envelope import Envelope, decode, wrap
from contracts.ids import DeviceId, MessageId, TenantId
from contracts.whatsapp import Address
from servicekit.bus import Bus
from servicekit.db import Database, raw
from servicekit.testing import eventually
from sim.testing import Api, Running


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

    async def stop(self) -> int:
        return await self.end(signal.SIGTERM)


@dataclass
class World:
    tenant: TenantId
    client: httpx.AsyncClient
    db: Database
    system_db: Database
    bus: Bus
    network: Running
    environment: dict[str, str]
    folder: Path
    workers: list[WorkerProcess] = field(default_factory=list)

    @property
    def phones(self) -> Api:
        return self.network.api

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

    async def until(self, device: str, state: str, timeout: float = 20.0) -> dict[str, Any]:
        async def probe() -> dict[str, Any]:
            shown = await self.show(device)
            assert shown["state"] == state, shown
            return shown

        return await eventually(probe, timeout=timeout)

    async def qr(self, device: str) -> str:
        async def probe() -> str:
            answer = await self.client.get(f"/api/devices/{device}/qr", headers={"Accept": "text/plain"})
            assert answer.status_code == 200, answer.text
            return answer.text

        return await eventually(probe, timeout=20)

    async def linked(self, number: str, name: str = "Sales") -> str:
        """A connected device with this number."""
        device = await self.device(name)
        await self.client.post(f"/api/devices/{device}/connect")
        await self.phones.phone(number, name)
        await self.phones.post(f"/phones/{number}/scan", qr=await self.qr(device))
        await self.until(device, "connected")
        return device

    async def order(self, device: str, to: str, text: str, lives: timedelta = timedelta(minutes=5)) -> MessageId:
        message = MessageId(ids.new())
        body = SendMessage(
            message=message,
            device=inner(device),
            to=Address("pn", to),
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
        state = await self.bus.stream_state()
        found: list[Envelope[Any]] = []
        if not state.messages:
            return found
        reader = await self.bus.ordered(subjects.EVERY_EVENT, state.first_sequence)
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

    async def some(self, kind: str, count: int = 1, timeout: float = 20.0) -> list[Any]:
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
    return kept | {"CLARIN_LOG_LEVEL": "INFO"}
