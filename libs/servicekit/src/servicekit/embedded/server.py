"""What the three servers have in common: a folder, a port that stays, and a life."""

import abc
import contextlib
import signal
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psutil

from servicekit.embedded.child import Child
from servicekit.embedded.ports import free_port


class StartFailed(RuntimeError):
    """A server did not start; the text ends with the last lines of its log."""


class Server(abc.ABC):
    """One server over one folder. It is started once made ``with`` it, or by ``start``.

    Attributes:
        folder: What it keeps; made where missing, closed to others.
        port: Its loopback port; 0 until the first start where none was asked for, and the same from then on.
        log: The file that its output is appended to.
    """

    name: str
    patience: ClassVar[float] = 60.0

    def __init__(self, folder: Path, *, port: int = 0, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log = (log or self.folder / "log").absolute()
        self._any_port = port == 0
        self._child: Child | None = None

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """Where, and as whom, the one who may do everything connects."""

    @abc.abstractmethod
    def _launch(self) -> Child:
        """Start the program on ``self.port``."""

    @abc.abstractmethod
    def _ready(self) -> bool:
        """Tell whether it serves."""

    @property
    def pid(self) -> int:
        """The process's id.  Raises: StartFailed: it was never started."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether its process is there, be it paused."""
        return self._child is not None and self._child.alive

    @property
    def returncode(self) -> int | None:
        """What its process ended with, a signal's number below zero; None while it runs."""
        return self._child.returncode if self._child else None

    def start(self) -> Self:
        """Start it and wait until it serves; nothing where it runs.  Raises: StartFailed."""
        if self.alive:
            return self
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # A free port may be taken by the time the server binds it; one that was given or used before is kept.
        for attempt in reversed(range(5)):
            self.port = self.port or free_port()
            self._child = self._launch()
            if self._comes_up(self._child):
                self._any_port = False
                return self
            self._child.kill()
            if not self._any_port or not attempt:
                break
            self.port = 0
        raise StartFailed(f"{self.name} did not start on port {self.port}.{'' if self.log_tail() == '' else chr(10)}{self.log_tail()}")

    def stop(self) -> None:
        """End it in order; nothing where it does not run."""
        if self._child is not None:
            self._child.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with kill -9, as a crash does."""
        if self._child is not None:
            self._child.kill()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._running().freeze()

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._running().signal(signal.SIGCONT, descendants=True)

    def restart(self) -> Self:
        """Stop and start it on the same port and folder."""
        self.stop()
        return self.start()

    def log_tail(self, lines: int = 12) -> str:
        """Give the end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _running(self) -> Child:
        if self._child is None:
            raise StartFailed(f"{self.name} was not started.")
        return self._child

    def _comes_up(self, child: Child) -> bool:
        end = time.monotonic() + self.patience
        while child.alive and time.monotonic() < end:
            with contextlib.suppress(OSError):
                # What answers on a port that was taken is the other one: ours must be who listens.
                if self._ready() and _listens(child.pid, self.port):
                    return True
            time.sleep(0.005)
        return False


def _listens(pid: int, port: int) -> bool:
    try:
        sockets = psutil.Process(pid).net_connections("tcp4")
    except psutil.NoSuchProcess:
        return False
    return any(socket.status == psutil.CONN_LISTEN and socket.laddr.port == port for socket in sockets)


def answers(port: int, first: bytes = b"", *, say: bytes = b"") -> bool:
    """Tell whether what listens on *port*, after hearing *say*, begins its answer with *first*."""
    with socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.settimeout(1)
        connection.sendall(say)
        return connection.recv(64).startswith(first)
