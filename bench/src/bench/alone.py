"""One service as a process over HTTP, with a database and a bus of its own."""

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from clarin.processes import migrations
from contracts import buckets
from servicekit import bus as buses
from servicekit.bus import Bus
from servicekit.bus.permissions import MIGRATOR, permissions
from servicekit.embedded import Child, Nats, Postgres, User, free_port
from servicekit.migrations import provision
from servicekit.testing.identity import SignIn

_READY_SECONDS = 60.0


@dataclass
class Caller:
    """Somebody who asks the service."""

    session: aiohttp.ClientSession
    url: str
    headers: dict[str, str]

    async def ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """The answer to a request.  Raises: RuntimeError: it was refused."""
        async with self.session.request(method, self.url + path, json=body, params=params, headers=self.headers) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()


@dataclass
class Alone:
    """A service that runs, with its servers."""

    name: str
    url: str
    postgres: Postgres
    sign_in: SignIn
    start: Callable[[], Child]
    child: Child

    async def again(self) -> None:
        """The service has ended and runs anew, with new connections."""
        await asyncio.to_thread(self.child.end, patience=6)
        self.child = self.start()
        await self.ready()

    async def ready(self) -> None:
        """Return once it answers.  Raises: RuntimeError: it ended."""
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as session:
            while not await _answers(session, self.url):
                if not self.child.alive:
                    raise RuntimeError(f"{self.name} ended with {self.child.returncode}.")
                await asyncio.sleep(0.05)


@asynccontextmanager
async def alone(name: str) -> AsyncIterator[Alone]:
    """The service *name* runs, with servers of its own; all is gone at the end."""
    with tempfile.TemporaryDirectory(prefix=f"clarin-{name}-", ignore_cleanup_errors=True) as path, ExitStack() as stack:
        folder = Path(path)
        users = {user: User(password=f"{user}-here", permissions=permissions(user)) for user in (MIGRATOR, "auth", name)}
        nats = stack.enter_context(Nats(folder / "nats", durable=False, users=users, admin=MIGRATOR))
        postgres = stack.enter_context(Postgres(folder / "postgres"))
        await buses.declare(nats.url)
        passwords = {role: secrets.token_hex(16) for role in (name, f"{name}_system")}
        await provision(postgres.url, name, migrations(name), passwords)
        database = postgres.url.rpartition("/")[2]
        port = free_port()
        environment = {
            **{variable: value for variable, value in os.environ.items() if not variable.startswith("CLARIN_")},
            "CLARIN_DATABASE_URL": postgres.url_of(database, name, passwords[name]),
            "CLARIN_SYSTEM_DATABASE_URL": postgres.url_of(database, f"{name}_system", passwords[f"{name}_system"]),
            "CLARIN_NATS_URL": nats.url_as(name),
            "CLARIN_CURSOR_SECRET": secrets.token_hex(32),
            "CLARIN_MEDIA_URL": (folder / "media").as_uri(),
            "CLARIN_HTTP_PORT": str(port),
            "CLARIN_LOG_LEVEL": "WARNING",
        }
        sign_in = SignIn()
        async with Bus.open(nats.url_as("auth"), name="bench") as auth:
            await (await auth.bucket(buckets.KEYS)).put(sign_in.kid, sign_in.public_jwk)

        def start() -> Child:
            return Child([sys.executable, "-m", name], log=folder / f"{name}.log", environment=environment)

        service = Alone(name, f"http://127.0.0.1:{port}", postgres, sign_in, start, start())
        stack.callback(lambda: service.child.end(patience=6))
        await service.ready()
        yield service


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
