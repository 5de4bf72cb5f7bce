"""Bring a database to where the code needs it, from nothing or from any version, any number of times, by any number at once."""

import asyncio
import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from servicekit.migrations.names import EXTENSIONS, Names, names

_SCRIPTS = Path(__file__).parent / "alembic"
_ALEMBIC = threading.Lock()
_LOCK_SECONDS = 5
_ATTEMPTS = 20
_ITERATIONS = 4096
_LOCK = "select pg_try_advisory_lock(hashtextextended('clarin.migrations', 0))"


async def provision(admin_url: str, service: str, folder: Path, passwords: Mapping[str, str]) -> None:
    """The roles, the schema and every table of *service* are there and up to date.

    Args:
        admin_url: A plain ``postgresql://`` address; a superuser, or a role that may create roles and schemas.
        service: ``auth``, ``device-worker``, …
        folder: Its alembic version files.
        passwords: By role: of ``<name>`` and of ``<name>_system``. They reach the server only as SCRAM verifiers.
    """
    called = names(service)
    for role in (called.service, called.system):
        if not passwords.get(role):
            raise ValueError(f"The role {role} needs a password.")
    engine = create_async_engine(_async_url(admin_url), isolation_level="AUTOCOMMIT", poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:  # the lock is let go when it closes
            # Asked again and again, and not waited for: a session that waits in a statement has a snapshot, and CREATE INDEX
            # CONCURRENTLY of the one that holds the lock would wait for that snapshot to go.
            while not await connection.scalar(sa.text(_LOCK)):  # noqa: ASYNC110 - what is waited for happens in the server
                await asyncio.sleep(0.02)
            superuser = bool(await connection.scalar(sa.text("select usesuper from pg_user where usename = current_user")))
            await _retried(lambda: _roles(connection, called, passwords, superuser))
            await _retried(lambda: _schema(connection, called, superuser))
            await asyncio.to_thread(_upgrade, admin_url, called, folder)
            await _close(connection, called)
    finally:
        await engine.dispose()


async def current(admin_url: str, service: str, folder: Path) -> tuple[str | None, str | None]:
    """Give the version that the schema has and the one that *folder* leads to; None where there is none."""
    called = names(service)
    head = ScriptDirectory.from_config(_config(folder)).get_current_head()
    engine = create_async_engine(_async_url(admin_url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            if await connection.scalar(sa.text("select to_regclass(:name)"), {"name": f"{called.schema}.schema_version"}) is None:
                return None, head
            return await connection.scalar(sa.text(f'select version_num from "{called.schema}".schema_version')), head  # noqa: S608
    finally:
        await engine.dispose()


def versions(folder: Path) -> set[str]:
    """Name every version that *folder* leads to."""
    return {script.revision for script in ScriptDirectory.from_config(_config(folder)).walk_revisions()}


async def _roles(connection: AsyncConnection, called: Names, passwords: Mapping[str, str], superuser: bool) -> None:
    """The three roles exist, with their passwords and search paths.  Roles belong to the whole cluster, so others may be at it."""
    known = {row.rolname: row.rolconfig or [] for row in await connection.execute(_ROLES, {"names": list(called[1:])})}
    stored: dict[str, str] = {}
    if superuser:  # only a superuser may read pg_authid; everyone else writes the verifier anew each time
        stored = {row.rolname: row.rolpassword or "" for row in await connection.execute(_VERIFIERS, {"names": list(called[1:])})}
    if called.owner not in known:
        await connection.exec_driver_sql(f'create role "{called.owner}" nologin')
    if not superuser:
        await connection.exec_driver_sql(f'grant "{called.owner}" to current_user with inherit true, set true')
    path = f"search_path={called.schema}, {EXTENSIONS}"
    for role in (called.service, called.system):
        if role not in known:
            await connection.exec_driver_sql(f"create role \"{role}\" login password '{_verifier(passwords[role])}'")
        elif not _matches(stored.get(role, ""), passwords[role]):
            await connection.exec_driver_sql(f"alter role \"{role}\" login password '{_verifier(passwords[role])}'")
        if path not in known.get(role, []):
            # for the role and not for the role in this database: a database made from a template would lose it
            await connection.exec_driver_sql(f'alter role "{role}" set search_path = "{called.schema}", "{EXTENSIONS}"')


async def _schema(connection: AsyncConnection, called: Names, superuser: bool) -> None:
    """The schema is there, the owner's; whatever he makes in it is open to the service."""
    schema, owner, service, system = (f'"{name}"' for name in called)
    statements = [
        f'create schema if not exists "{EXTENSIONS}"',
        f'grant usage on schema "{EXTENSIONS}" to public',
        f"create schema if not exists {schema} authorization {owner}",
        f"grant usage on schema {schema} to {service}, {system}",
        f"alter default privileges for role {owner} revoke execute on functions from public",
        f"alter default privileges for role {owner} in schema {schema} grant select, insert, update, delete on tables to {service}",
        f"alter default privileges for role {owner} in schema {schema} grant usage, select on sequences to {service}",
        f"alter default privileges for role {owner} in schema {schema} grant execute on functions to {service}, {system}",
    ]
    await connection.exec_driver_sql(f"do $do$ begin {'; '.join(statements)}; end $do$")


async def _close(connection: AsyncConnection, called: Names) -> None:
    """The service cannot rewrite the record of its own version."""
    await connection.exec_driver_sql(
        f"do $do$ begin if to_regclass('{called.schema}.schema_version') is not null then "
        f'revoke all on "{called.schema}".schema_version from "{called.service}"; end if; end $do$'
    )


def _upgrade(admin_url: str, called: Names, folder: Path) -> None:
    """Every version of *folder* is in the schema.

    In a thread and a loop of its own: alembic keeps what it works on in globals of its modules, so that two upgrades that
    take turns in one loop would work on each other's connection.
    """

    async def connect() -> None:
        engine = create_async_engine(_async_url(admin_url), poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade_on, called, folder)

    with _ALEMBIC:
        asyncio.run(connect())


def _upgrade_on(connection: sa.Connection, called: Names, folder: Path) -> None:
    config = _config(folder)
    config.attributes["connection"] = connection
    config.attributes["schema"] = called.schema
    connection.exec_driver_sql(f'set role "{called.owner}"')
    connection.exec_driver_sql(f'set search_path = "{called.schema}", "{EXTENSIONS}"')
    connection.exec_driver_sql(f"set lock_timeout = '{_LOCK_SECONDS}s'")  # behind a waiting ALTER TABLE every reader queues
    connection.exec_driver_sql("set statement_timeout = 0")
    connection.commit()
    command.upgrade(config, "head")


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(folder).replace("%", "%%"))
    return config


async def _retried(run: Callable[[], Awaitable[None]]) -> None:
    """Another database of this cluster may be provisioned right now, and the lock is the database's own: the loser looks again."""
    for attempt in range(_ATTEMPTS):
        try:
            await run()
            return
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", "")
            updated = state == "XX000" and "concurrently" in str(error.orig)
            if attempt == _ATTEMPTS - 1 or not (updated or state in {"23505", "42710", "42P06", "40P01", "55P03"}):
                raise
            await asyncio.sleep(0.01 * (attempt + 1))


def _verifier(password: str, salt: bytes | None = None) -> str:
    """Derive what the server stores for SCRAM-SHA-256 (RFC 5803, RFC 7677), so that the password itself never travels."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_b64(salt)}${_b64(stored)}:{_b64(server)}"


def _matches(verifier: str, password: str) -> bool:
    head, _, rest = verifier.partition("$")
    salt = rest.partition(":")[2].partition("$")[0]
    return head == "SCRAM-SHA-256" and hmac.compare_digest(_verifier(password, base64.b64decode(salt)), verifier)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _async_url(url: str) -> Any:
    return sa.make_url(url).set(drivername="postgresql+asyncpg")


_ROLES = sa.text("select rolname, rolconfig from pg_roles where rolname = any(:names)")
_VERIFIERS = sa.text("select rolname, rolpassword from pg_authid where rolname = any(:names)")
