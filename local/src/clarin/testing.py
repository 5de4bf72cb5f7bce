"""For journeys and benchmarks: the whole system as a user starts it, its public port, and the loopback network."""

import asyncio
import itertools
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from subprocess import Popen

from sim.testing import Api as Network

from clarin.client import Client

READY_SECONDS = 120.0
STOP_SECONDS = 120.0
_WARNINGS = {"warning", "error", "critical"}
_LINE = 400

_numbers = itertools.count(1)


@dataclass(slots=True)
class System:
    """One running installation; without a *process* somebody else started it, and it cannot be killed from here."""

    folder: Path
    process: Popen[bytes] | None
    ready: dict[str, object]

    @property
    def url(self) -> str:
        """The public port."""
        return str(self.ready["url"])

    @property
    def sim_url(self) -> str:
        """The loopback network's control."""
        return str(self.ready["sim_url"])

    def pid(self, name: str) -> int:
        """The process *name* as it runs now, not as it once started."""
        return self.pids()[name]

    def pids(self) -> dict[str, int]:
        """Every process as it runs now."""
        return {name: int(pid) for name, pid in json.loads((self.folder / "ready.json").read_text())["pids"].items()}

    def kill(self, name: str) -> None:
        """End *name* as a power cut would."""
        os.kill(self.pid(name), signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send *number* to what keeps the processes alive."""
        assert self.process is not None, "somebody else started this installation"  # noqa: S101
        self.process.send_signal(number)

    def warned(self, since: float, most: int = 25) -> str:
        """What the processes warned of after *since* (seconds of the epoch): each warning once, the newest *most* of them."""
        found: dict[tuple[str, str, str], tuple[float, int, str]] = {}
        for path in (self.folder / "data" / "logs").glob("*.log"):
            for line in path.read_text(errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                    at = datetime.fromisoformat(entry.pop("at")).timestamp()
                except (ValueError, KeyError, AttributeError, TypeError):
                    continue  # of PostgreSQL and the like, in words of their own
                if entry.pop("level", "") in _WARNINGS and at >= since:
                    same = (path.stem, str(entry.get("event")), str(entry.get("reason")))
                    first, count, text = found.get(same, (at, 0, json.dumps(entry)[:_LINE]))
                    found[same] = (first, count + 1, text)
        lines = sorted((first, f"{first - since:7.1f} s {count} x {key[0]}: {text}") for key, (first, count, text) in found.items())
        return "\n".join(line for _, line in lines[-most:])

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Client]:
        """The owner of a fresh account."""
        async with Client(self.url) as client:
            await client.register(f"owner-{secrets.token_hex(6)}@example.com", f"correct-horse-{secrets.token_hex(4)}")
            yield client

    @asynccontextmanager
    async def network(self) -> AsyncIterator[Network]:
        """The loopback network's control."""
        async with Network(self.sim_url) as network:
            yield network

    async def phone(self, network: Network, name: str) -> str:
        """The number of a new virtual phone."""
        number = f"52155{os.getpid() % 10_000:04d}{next(_numbers):05d}"
        await network.ask("POST", "/phones", {"number": number, "name": name})
        return number


#: What an installation for tests is given besides: its webhooks go to receivers on this machine.
LOOPBACK = {"CLARIN_WEBHOOK_ALLOW": "127.0.0.0/8"}


def start(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> System:
    """Start an installation, its processes with *environment* besides, and wait until it is ready."""
    ready = folder / "ready.json"
    words = ["up", "--data", str(folder / "data"), "--port", "0", "--sim", "--ready-file", str(ready), *options]
    with (folder / "up.log").open("ab") as log:
        process = Popen(
            [sys.executable, "-m", "clarin", *words], stdout=log, stderr=log, env={**os.environ, **LOOPBACK, **(environment or {})}
        )
    deadline = time.monotonic() + READY_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"`clarin up` is not ready:\n{(folder / 'up.log').read_text()[-4000:]}")
        time.sleep(0.1)
    return System(folder, process, json.loads(ready.read_text()))


def stop(system: System) -> None:
    """End an installation as an operator does, in time; one that somebody else started goes on."""
    if system.process is None:
        return
    system.signal(signal.SIGTERM)
    system.process.wait(STOP_SECONDS)


@dataclass(slots=True)
class Shop:
    """An account with one connected number."""

    client: Client
    network: Network
    system: System
    device: str
    number: str

    async def customer(self, name: str = "Luis") -> str:
        """The number of a new customer's phone."""
        return await self.system.phone(self.network, name)

    async def writes(self, customer: str, text: str) -> str:
        """A customer has written; the id that WhatsApp gave the message."""
        return str((await self.network.ask("POST", f"/phones/{customer}/messages", {"to": self.number, "text": text}))["id"])

    async def inbox(self, customer: str, count: int, within: float = 20.0) -> list[dict[str, object]]:
        """What the customer's phone decrypted, once there are *count* of them."""
        items: list[dict[str, object]] = []
        async with asyncio.timeout(within):
            while len(items) < count:
                after = items[-1]["n"] if items else 0
                items += (await self.network.get(f"/phones/{customer}/inbox?after={after}&wait=5"))["items"]
        return items
