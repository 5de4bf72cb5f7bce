"""The databases, through PostgreSQL's own programs."""

import asyncio
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
from servicekit.embedded import StartFailed
from servicekit.embedded.postgres import installation

_FUNCTION = re.compile(r"[\w .,\"\[\]]+\([\w .,\"\[\]]*\)")
#: Objects that come with the server have smaller numbers.
_OWN = 16384


class DumpFailed(Exception):
    """PostgreSQL's program said why."""


async def dump(url: str, path: Path) -> None:
    """The whole database is in the file, as of one moment.  Raises: DumpFailed."""
    await _run("pg_dump", url, "--format=custom", "--compress=gzip:3", f"--file={path}")


async def load(url: str, path: Path) -> None:
    """The database has what was in the other one.  Raises: DumpFailed."""
    await _run("pg_restore", url, "--exit-on-error", "--single-transaction", str(path))


async def schemas(url: str, names: list[str]) -> dict[str, str]:
    """Give the last migration that each schema has seen, where it is there."""
    connection = await asyncpg.connect(url)
    try:
        found = {name: await connection.fetchval("select to_regclass($1)", f"{name}.schema_version") for name in names}
        return {
            name: str(await connection.fetchval(f'select version_num from "{name}".schema_version'))  # noqa: S608  our own names
            for name, table in found.items()
            if table is not None
        }
    finally:
        await connection.close()


async def leakproof(url: str) -> list[str]:
    """Name the server's own functions that are marked leakproof."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("select oid::regprocedure::text as name from pg_proc where proleakproof and oid < $1", _OWN)
    finally:
        await connection.close()
    return sorted(row["name"] for row in rows)


async def trust(url: str, functions: list[str]) -> None:
    """The functions are marked leakproof, which no dump holds, as the server's own functions are in none."""
    missing = set(functions) - set(await leakproof(url))
    connection = await asyncpg.connect(url)
    try:
        for name in sorted(missing):
            if _FUNCTION.fullmatch(name):
                await connection.execute(f"alter function {name} leakproof")
    finally:
        await connection.close()


async def make_roles(url: str, names: list[str]) -> None:
    """The roles that own what is restored are there; their passwords come with the migrations."""
    connection = await asyncpg.connect(url)
    try:
        for name in names:
            if not await connection.fetchval("select 1 from pg_roles where rolname = $1", name):
                await connection.execute(f'create role "{name}" nologin')
    finally:
        await connection.close()


async def _run(program: str, url: str, *words: str) -> None:
    parts = urlsplit(url)
    # A password on the command line is everybody's to read.
    environment = {**os.environ, "PGPASSWORD": unquote(parts.password or ""), "PGCONNECT_TIMEOUT": "10"}
    where = [f"--host={parts.hostname}", f"--port={parts.port or 5432}", f"--username={unquote(parts.username or '')}", "--no-password"]
    process = await asyncio.create_subprocess_exec(
        _program(program),
        *where,
        f"--dbname={parts.path.lstrip('/')}",
        *words,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        raise DumpFailed(f"{program} ended with {process.returncode}: {said.decode(errors='replace')[-1000:]}")


def _program(name: str) -> str:
    try:
        return str(installation() / "bin" / name)
    except StartFailed:
        return name
