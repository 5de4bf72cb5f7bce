"""A fresh database for each test, cloned from a template that was migrated once."""

import asyncio
import hashlib
import itertools
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Urls:
    """One database as the service's role, its system role and the superuser."""

    service_url: str = field(repr=False)
    system_url: str = field(repr=False)
    admin_url: str = field(repr=False)


class Databases:
    """Makes databases on one server and drops what it handed out."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._templates: dict[tuple[str, str], str] = {}
        self._numbers = itertools.count(1)
        self._made: list[str] = []

    def provisioned(self, service: str, folder: Path) -> Urls:
        """Give a database that nobody used before, in which the roles and tables of *service* stand."""
        template = self._template(service, folder)
        name = f"{service}_{next(self._numbers)}"
        _apart(lambda: _execute(self.admin_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'))
        self._made.append(name)
        return Urls(
            service_url=within(self.admin_url, name, service, _password(service)),
            system_url=within(self.admin_url, name, f"{service}_system", _password(f"{service}_system")),
            admin_url=within(self.admin_url, name),
        )

    def empty(self, name: str = "empty") -> str:
        """Give the superuser's DSN of a new database in which nothing stands."""
        name = f"{name}_{next(self._numbers)}"
        _apart(lambda: _execute(self.admin_url, f'CREATE DATABASE "{name}"'))
        self._made.append(name)
        return within(self.admin_url, name)

    def drop(self) -> None:
        """Drop every database that was handed out since the last call, whoever is still connected."""
        made, self._made = self._made, []
        if made:
            _apart(lambda: _execute(self.admin_url, *(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in made)))

    def _template(self, service: str, folder: Path) -> str:
        key = service, _fingerprint(folder)
        if key not in self._templates:
            name = f"template_{service}_{key[1]}"
            _apart(lambda: self._make_template(name, service, folder))
            self._templates[key] = name
        return self._templates[key]

    async def _make_template(self, name: str, service: str, folder: Path) -> None:
        from servicekit import migrations

        await _execute(self.admin_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
        passwords = {role: _password(role) for role in (service, f"{service}_system")}
        await migrations.provision(within(self.admin_url, name), service, folder, passwords)


def within(url: str, database: str, user: str | None = None, password: str | None = None) -> str:
    """Give *url* with another database and, where named, another user."""
    parts = urlsplit(url)
    place = parts.netloc if user is None else f"{quote(user)}:{quote(password or '', safe='')}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=place, path=f"/{database}"))


def _password(role: str) -> str:
    # Roles belong to the whole cluster, so every template must be made with the same ones.
    return f"{role}-of-the-tests"


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run *work* to its end in a loop of its own, whether or not a loop runs here."""
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(asyncio.run(work()))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
