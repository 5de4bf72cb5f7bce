"""A child process that never outlives its parent.

Linux signals a child when the *thread* that forked it ends (PR_SET_PDEATHSIG). A pool's thread ends long before the
process, so every child is forked by one thread that lives as long as the process does. The setting survives ``exec`` but
neither ``fork`` nor a change of user: a few lines of Python run first, change the user, ask for the signal and become
the program.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

_BECOME = """
import ctypes, os, sys
parent, uid, gid = map(int, sys.argv[1:4])
if uid >= 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
try:
    os.execv(sys.argv[4], sys.argv[4:])
except OSError as error:
    sys.exit(f"{sys.argv[4]}: {error.strerror}")
"""

_orders: "queue.SimpleQueue[Callable[[], None]]" = queue.SimpleQueue()
_starting = threading.Lock()
_thread: threading.Thread | None = None


class Child:
    """One process, started at once; ``pid`` is the program's own."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path | IO[bytes] | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        user: tuple[int, int] | None = None,
        passed: Sequence[int] = (),
    ) -> None:
        """Run *command* as *user* (uid, gid), with stdout and stderr appended to *log*; it keeps the descriptors *passed*."""
        uid, gid = user or (-1, -1)
        words = [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), str(uid), str(gid), *map(str, command)]
        stream: IO[bytes] | int = log.open("ab") if isinstance(log, Path) else log or subprocess.DEVNULL
        try:
            self._process = _fork(
                lambda: subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env=None if environment is None else dict(environment),
                    start_new_session=True,
                    pass_fds=tuple(passed),
                )
            )
        finally:
            if isinstance(log, Path) and not isinstance(stream, int):
                stream.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """What it ended with, a signal's number below zero; None while it runs."""
        return self._process.poll()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def signal(self, number: int, *, descendants: bool = False) -> None:
        """Send a signal to the process and, where asked for, to all that it started; none when it has ended."""
        if self.alive:
            for process in self._family() if descendants else ():
                _send(process, number)
            self._process.send_signal(number)

    def freeze(self) -> None:
        """Hold it and all that it started until SIGCONT; when this returns it stands still, which a signal alone does not say."""
        self.signal(signal.SIGSTOP, descendants=True)
        if self.alive:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.  Raises: subprocess.TimeoutExpired."""
        return self._process.wait(timeout)

    def end(self, *signals: int, patience: float = 10.0) -> None:
        """End it: each of *signals* (SIGTERM when none is named) gets *patience* seconds, then all of its family is killed."""
        for number in signals or (signal.SIGTERM,):
            self.signal(signal.SIGCONT, descendants=True)
            self.signal(number)
            try:
                self.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            return
        self.kill()

    def kill(self) -> None:
        """Kill it and all that it started with -9 and wait until they are gone."""
        family = self._family()
        self._process.kill()
        for process in family:
            _send(process, signal.SIGKILL)
        self._process.wait()
        end = time.monotonic() + 10
        while any(_runs(process) for process in family) and time.monotonic() < end:
            time.sleep(0.005)

    def _family(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _fork(start: Callable[[], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
    global _thread
    with _starting:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_obey, name="children", daemon=True)
            _thread.start()
    done: queue.SimpleQueue[subprocess.Popen[bytes] | BaseException] = queue.SimpleQueue()

    def order() -> None:
        try:
            done.put(start())
        except BaseException as error:
            done.put(error)

    _orders.put(order)
    result = done.get()
    if isinstance(result, BaseException):
        raise result
    return result


def _obey() -> None:
    while True:
        _orders.get()()
