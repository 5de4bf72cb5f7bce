"""Replicas of realtime as processes, with a bus and a Valkey of their own and nobody else: what happens is put on the bus."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from contracts import buckets
from servicekit import bus as buses
from servicekit.bus import Bus
from servicekit.bus.permissions import MIGRATOR, permissions
from servicekit.embedded import Child, Nats, User, Valkey, free_port
from servicekit.testing.identity import SignIn

_READY_SECONDS = 60.0
_USERS = (MIGRATOR, "auth", "conversations", "devices", "realtime")


@dataclass
class Replica:
    """One realtime; it keeps its port when it dies."""

    environment: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    _child: Child | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._running().pid

    def start(self) -> None:
        """Run it."""
        own = self.environment | {"CLARIN_HTTP_PORT": str(self.port)}
        self._child = Child([sys.executable, "-m", "realtime"], log=self.log, environment=own)

    def end(self) -> None:
        """End it as an operator does, where it runs."""
        if self._child is not None and self._child.alive:
            self._child.end(patience=6)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._running().kill()

    def _running(self) -> Child:
        if self._child is None:
            raise RuntimeError("It was never started.")
        return self._child

    async def ready(self) -> None:
        """Wait until it takes sockets."""
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{self.url}/health/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                if self._child is not None and not self._child.alive:
                    raise RuntimeError(f"realtime ended:\n{self.log.read_text()[-3000:]}")
                await asyncio.sleep(0.05)


@dataclass
class Arena:
    """All that runs.

    Attributes:
        environment: What a replica is started with, but for its port.
        services: The bus as each service, with its rights.
        sign_in: Makes callers whose tokens are good here.
    """

    nats: Nats
    folder: Path
    environment: dict[str, str]
    replicas: list[Replica]
    services: dict[str, Bus]
    sign_in: SignIn


@asynccontextmanager
async def arena(replicas: int, **settings: object) -> AsyncIterator[Arena]:
    """So many replicas run, with *settings* besides; all is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="clarin-arena-", ignore_cleanup_errors=True) as path, ExitStack() as stack:
        folder = Path(path)
        users = {name: User(password=f"{name}-here", permissions=permissions(name)) for name in _USERS}
        nats = stack.enter_context(Nats(folder / "nats", durable=False, users=users, admin=MIGRATOR))
        valkey = stack.enter_context(Valkey(folder / "valkey"))
        await buses.declare(nats.url)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CLARIN_")},
            "CLARIN_NATS_URL": nats.url_as("realtime"),
            "CLARIN_REDIS_URL": valkey.url,
            "CLARIN_LOG_LEVEL": "WARNING",
            **{f"CLARIN_{name.upper()}": str(value) for name, value in settings.items()},
        }
        async with AsyncExitStack() as buses_open:
            services = {name: await buses_open.enter_async_context(Bus.open(nats.url_as(name), name="bench")) for name in _USERS[1:]}
            sign_in = SignIn()
            await (await services["auth"].bucket(buckets.KEYS)).put(sign_in.kid, sign_in.public_jwk)
            made = [Replica(environment, folder / f"realtime-{number}.log") for number in range(replicas)]
            for replica in made:
                replica.start()
                stack.callback(replica.end)
            for replica in made:
                await replica.ready()
            yield Arena(nats, folder, environment, made, services, sign_in)
