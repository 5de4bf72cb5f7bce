"""A whole auth service on real servers, in the test's own loop, and a caller for it."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from auth.main import main, start
from auth.settings import AuthSettings
from contracts import envelope
from contracts.envelope import Envelope
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.run import Service

MIGRATIONS = Path(__file__).parent.parent / "migrations"
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]
    cookies: Mapping[str, Any]

    @property
    def code(self) -> str | None:
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass
class Caller:
    """An HTTP client that keeps no cookies of its own."""

    url: str
    http: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    def bearing(self, token: str) -> "Caller":
        return Caller(self.url, self.http, {**self.headers, "Authorization": f"Bearer {token}"})

    async def __call__(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, raw: bytes | None = None
    ) -> Answer:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        typed = {"Content-Type": "application/json"} if data is not None else {}
        sent = {**self.headers, **typed, **(headers or {})}
        async with self.http.request(method, self.url + path, data=data, headers=sent) as response:
            text = await response.text()
            read = json.loads(text) if text and "json" in response.headers.get("Content-Type", "") else text
            return Answer(response.status, read, response.headers, dict(response.cookies.items()))

    async def register(self, email: str = "ana@example.com", **changes: Any) -> Answer:
        body = {"email": email, "password": PASSWORD, "name": "Ana Gómez", "account": "Panadería Sol", **changes}
        return await self("POST", "/api/auth/register", body)

    async def login(self, email: str = "ana@example.com", password: str = PASSWORD, **changes: Any) -> Answer:
        return await self("POST", "/api/auth/login", {"email": email, "password": password, **changes})

    async def refresh(self, token: str) -> Answer:
        return await self("POST", "/api/auth/refresh", {"refresh_token": token})


async def let_in(owner: Caller, email: str, role: str = "agent", **changes: Any) -> dict[str, Any]:
    answer = await owner(
        "POST", "/api/auth/users", {"email": email, "name": email.partition("@")[0], "role": role, "password": PASSWORD, **changes}
    )
    assert answer.status == 201, answer
    user: dict[str, Any] = answer.body
    return user


async def signed_in(call: Caller, email: str) -> Caller:
    answer = await call.login(email)
    assert answer.status == 200, answer
    return call.bearing(answer.body["access_token"])


async def an_owner(call: Caller, email: str = "ana@example.com") -> Caller:
    answer = await call.register(email)
    assert answer.status == 201, answer
    return call.bearing(answer.body["access_token"])


def environment(settings: AuthSettings, **changes: str) -> dict[str, str]:
    names = ("database_url", "system_database_url", "nats_url", "redis_url", "cursor_secret", "encryption_key", "bcrypt_cost")
    values = {f"CLARIN_{name.upper()}": str(getattr(settings, name)) for name in names}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLARIN_")}
    return {name: value for name, value in {**kept, **values, **changes}.items() if value}


def surround(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """This process has the variables of *environment*, and of ours no others."""
    for name in [name for name in os.environ if name.startswith("CLARIN_") and name not in environment]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


#: Gives the exit code and what was written, as a process would.
Order = Callable[..., Awaitable[tuple[Any, str, str]]]


@pytest.fixture
def order(settings: AuthSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Order:
    """Do what the operator orders, with some variables changed, in this process: starting one is most of what an order takes."""

    async def give(*arguments: str, **changes: str) -> tuple[Any, str, str]:
        surround(monkeypatch, environment(settings, **changes))
        capsys.readouterr()
        code: Any
        try:
            code = await asyncio.to_thread(main, arguments)
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return give


@pytest.fixture
def settings(provisioned: Callable[..., Any], bus_url: str, redis_url: str) -> AuthSettings:
    urls = provisioned("auth", MIGRATIONS)
    return AuthSettings(
        database_url=urls.service_url,
        system_database_url=urls.system_url,
        database_pool=4,
        nats_url=bus_url,
        redis_url=redis_url,
        cursor_secret="c" * 32,
        encryption_key=base64.b64encode(bytes(range(32))).decode(),
        bcrypt_cost=4,
    )


@pytest_asyncio.fixture
async def started(settings: AuthSettings) -> AsyncIterator[Callable[..., Awaitable[Caller]]]:
    """Start a replica, with some settings changed; it stops after the test."""

    @asynccontextmanager
    async def replica(changes: dict[str, Any]) -> AsyncIterator[Caller]:
        chosen = settings.model_copy(update=changes)
        ports: list[int] = []

        async def begin(service: Service) -> None:
            ports.append(await start(chosen, service))

        async with (
            Service("auth").running(begin),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        ):
            yield Caller(f"http://127.0.0.1:{ports[0]}", http)

    async with AsyncExitStack() as stack:

        async def run(**changes: Any) -> Caller:
            cm: AbstractAsyncContextManager[Caller] = replica(changes)
            return await stack.enter_async_context(cm)

        yield run


@pytest_asyncio.fixture
async def call(started: Callable[..., Awaitable[Caller]]) -> Caller:
    return await started()


@pytest_asyncio.fixture
async def db(settings: AuthSettings) -> AsyncIterator[Database]:
    async with Database.open(settings.database_url, application="test", pool=2) as opened:
        yield opened


@pytest_asyncio.fixture
async def system(settings: AuthSettings) -> AsyncIterator[Database]:
    async with Database.open(settings.system_database_url, application="test", pool=8) as opened:
        yield opened


@pytest_asyncio.fixture
async def told(bus: Bus) -> AsyncIterator[list[Envelope[Any]]]:
    """Every fact that auth tells while the test runs, in order."""
    found: list[Envelope[Any]] = []

    async def take(subject: str, payload: bytes) -> None:
        found.append(envelope.decode(payload))

    subscription = await bus.listen("evt.auth.>", take)
    yield found
    await subscription.close()
