"""``python -m servicekit.migrations provision auth=services/auth/migrations …`` for images and installers.

Environment: CLARIN_ADMIN_DATABASE_URL, and for each role its password: CLARIN_PASSWORD_AUTH, CLARIN_PASSWORD_AUTH_SYSTEM, …
``lint FOLDER…`` needs neither.
"""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from servicekit.migrations import lint, names, provision
from servicekit.settings import EX_CONFIG

WAIT_SECONDS = 60.0


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m servicekit.migrations", description="Make and change the services' schemas.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("provision", help="make roles and schemas, and bring the tables up to date")
    one.add_argument("services", nargs="+", metavar="SERVICE=FOLDER")
    two = commands.add_parser("lint", help="refuse version files that would hold up a table in use")
    two.add_argument("folders", nargs="+", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "lint":
        complaints = [complaint for folder in chosen.folders for complaint in lint(folder)]
        sys.stderr.writelines(f"{complaint}\n" for complaint in complaints)
        return 1 if complaints else 0
    return _provision([item.partition("=")[::2] for item in chosen.services])


def _provision(services: list[tuple[str, str]]) -> int:
    admin = os.environ.get("CLARIN_ADMIN_DATABASE_URL")
    if not admin:
        return _refuse("CLARIN_ADMIN_DATABASE_URL is missing: a postgresql:// address of a role that may create roles.")
    todo: list[tuple[str, Path, dict[str, str]]] = []
    for service, folder in services:
        passwords = {}
        for role in names(service)[2:]:
            variable = f"CLARIN_PASSWORD_{role.upper()}"
            if not os.environ.get(variable):
                return _refuse(f"{variable} is missing: the password of the role {role}.")
            passwords[role] = os.environ[variable]
        if not Path(folder).is_dir():
            return _refuse(f"{folder or service!r} is no folder: write SERVICE=FOLDER.")
        todo.append((service, Path(folder), passwords))
    for service, path, passwords in todo:
        asyncio.run(_patiently(admin, service, path, passwords))
        sys.stdout.write(f"{names(service).schema}: up to date\n")
    return 0


async def _patiently(admin: str, service: str, folder: Path, passwords: dict[str, str]) -> None:
    """Wait for a server that has not come up yet."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return await provision(admin, service, folder, passwords)
        except OSError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.5)


def _refuse(line: str) -> int:
    sys.stderr.write(f"clarin migrations: {line}\n")
    return EX_CONFIG


if __name__ == "__main__":
    raise SystemExit(main())
