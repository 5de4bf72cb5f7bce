"""The data folder: everything that one installation on this machine keeps, and what of it is running.

postgres/ nats/ valkey/     the servers
sim/                        the WhatsApp network on loopback
media/ worker-<n>/          files of messages; the journal of each worker
logs/<name>.log             what each process says
secrets/                    passwords, made once; readable by the owner alone
state/ports.json            the port of each process, kept over restarts
state/run.json              what runs now, with process ids; beside it the lock of the one `clarin up`
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from servicekit.embedded import claim, free_port


class AlreadyRuns(Exception):
    """Another `clarin up` runs on this data folder."""


class Running(msgspec.Struct, kw_only=True):
    """What `clarin up` says of itself once all is ready; the addresses are those of who may do everything."""

    url: str
    sim_url: str | None
    postgres: str
    nats: str
    redis: str
    pids: dict[str, int]
    urls: dict[str, str]
    health: dict[str, str] = msgspec.field(default_factory=dict)
    data: str
    pid: int


class Folder:
    """One data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.logs = self.root / "logs"
        self.secrets = self.root / "secrets"
        self.state = self.root / "state"

    def make(self) -> None:
        """Make it where it is missing, closed to others.  Raises: OSError."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in (self.logs, self.secrets, self.state, self.root / "worker"):
            part.mkdir(mode=0o700, exist_ok=True)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one that runs on this folder.  Raises: AlreadyRuns."""
        with (self.state / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRuns(f"Clarin runs on {self.root} already: see `clarin status`, end it with `clarin down`.") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            (self.state / "run.json").unlink(missing_ok=True)
            yield
            (self.state / "run.json").unlink(missing_ok=True)

    def is_locked(self) -> bool:
        """Tell whether a `clarin up` runs on this folder."""
        try:
            with (self.state / "lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def runner(self) -> int | None:
        """Tell the process id of the `clarin up` on this folder, ready or not; None where there is none."""
        text = (self.state / "lock").read_text() if self.is_locked() else ""
        return int(text) if text.isdecimal() else None

    def running(self) -> Running | None:
        """Tell what runs, once it was ready; None where nothing does."""
        try:
            return msgspec.json.decode((self.state / "run.json").read_bytes(), type=Running) if self.is_locked() else None
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def tell(self, running: Running, *also: Path) -> None:
        """Write what runs, here and to the files *also*."""
        for path in (self.state / "run.json", *also):
            write(path, msgspec.json.format(msgspec.json.encode(running)).decode())

    def port(self, name: str) -> int:
        """Give the port that *name* had before where it is still free, else any free one; it is remembered."""
        path = self.state / "ports.json"
        ports: dict[str, int] = _read(path)
        if name not in ports or not claim(ports[name]):
            taken = set(ports.values())
            ports[name] = next(port for port in iter(free_port, None) if port not in taken)
            write(path, json.dumps(ports, indent=2))
        return ports[name]

    def password(self, name: str) -> str:
        """Give a random password, the same at each call for the same *name*."""
        return self._secret(name, lambda: secrets.token_urlsafe(24))

    def key(self, name: str) -> str:
        """Give 32 random bytes in base64, the same at each call for the same *name*."""
        return self._secret(name, lambda: base64.b64encode(secrets.token_bytes(32)).decode())

    def keep(self, name: str, value: str) -> None:
        """Let *value* be what `password` and `key` give for *name*."""
        path = self.secrets / "passwords.json"
        write(path, json.dumps({**_read(path), name: value}, indent=2))

    def _secret(self, name: str, make: Any) -> str:
        path = self.secrets / "passwords.json"
        known: dict[str, str] = _read(path)
        if name not in known:
            known[name] = make()
            write(path, json.dumps(known, indent=2))
        return known[name]


def write(path: Path, text: str) -> None:
    """Put *text* in the place of what stood at *path*, whole or not at all, readable by the owner alone."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return dict(found)
