"""The host itself: see the package.

    python -m device_worker.host <socket> <worker's pid>

The main thread reads orders, a pool runs those that block, one thread writes to the worker, and each session calls back on
its own. A callback writes to the journal first and waits for nobody: the worker may be slow, stopped or dead.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

import structlog
from servicekit import logging

from device_worker.convert import placeholder, unreadable
from device_worker.host.frames import (
    LAST_WORDS,
    LENGTH,
    WORKER_DIED,
    Answer,
    Appended,
    Begin,
    Call,
    Ended,
    Happened,
    Ready,
    Report,
    Start,
    StoreFailed,
    UsedUp,
    orders,
    pack,
)
from device_worker.host.recent import Recent
from device_worker.journal import Journal
from device_worker.whatsapp.errors import CallFailed, NotRunning, Sent, ignored_message, unanswered_phone
from device_worker.whatsapp.library import Client, Library
from device_worker.whatsapp.proto import JOURNALLED, Kind, parse
from device_worker.whatsapp.quiet import until_quiet
from device_worker.whatsapp.store import alone

log = structlog.get_logger()

_PR_SET_PDEATHSIG = 1
#: Nothing has come for so long after the sessions have hung up: nothing is on its way any more.
_QUIET = 0.15
_HANG_UP_AT_ONCE = 64
_SWITCH_SECONDS = 0.0002
#: So often a message is asked for anew before it is shown that there was one.
_ASKS = 3


class WorkerGone(Exception):
    """The worker's end of the socket is closed."""


class Hosted:
    """The library, the journal, and the worker at the other end of *connection*."""

    def __init__(self, connection: socket.socket) -> None:
        """Wait for the worker's `Begin` and be ready.  Raises: WorkerGone."""
        self._connection = connection
        self._orders = connection.makefile("rb")
        begin = self._next()
        if not isinstance(begin, Begin):
            raise WorkerGone
        logging.configure("device-worker-host", begin.log_level)
        structlog.contextvars.bind_contextvars(worker=begin.worker)
        self._reports: SimpleQueue[Report | None] = SimpleQueue()
        self._announced = False
        self._sessions: dict[int, Client] = {}
        self._recent = Recent()
        for device, id in begin.recent:
            self._recent.add((device, id))
        self._asked_for = Recent()
        self._last_append = 0.0
        self._journal = Journal(Path(begin.journal), segment=begin.segment)
        self._journal.on_append = self._announce
        self._library = Library(begin.store, on_store_error=lambda: self._reports.put(StoreFailed()))
        # Two that make the tables of an empty database at once get in each other's way.
        asyncio.run(alone(begin.store, self._library.prepare))
        threading.Thread(target=self._write, name="reports", daemon=True).start()
        self._reports.put(Ready(str(self._journal.folder)))

    def run(self) -> NoReturn:
        """Do as the worker says until it closes the socket or dies; then end the process."""
        signal.signal(WORKER_DIED, self._worker_died)
        gc.collect()
        gc.freeze()
        try:
            while True:
                self._do(self._next())
        except WorkerGone:
            pass
        except Exception:
            log.exception("host.broken")
        finally:
            self._end()  # whatever happened: the interpreter's own end would wait, and take no message meanwhile

    def _next(self) -> Any:
        (length,) = LENGTH.unpack(self._read(LENGTH.size))
        return orders.decode(self._read(length))

    def _read(self, size: int) -> bytes:
        try:
            data = self._orders.read(size)
        except OSError as error:  # killed with our reports unread, the worker's end is reset, not closed
            raise WorkerGone from error
        if len(data) < size:
            raise WorkerGone
        return data

    def _do(self, order: Any) -> None:
        match order:
            case Start():
                self._start(order)
            case Call(session=session) if session in self._sessions:
                self._library.pool.submit(self._call, order, self._sessions[session])
            case Call(id=id):
                self._reports.put(Answer(id, failure="not-running"))

    def _start(self, order: Start) -> None:
        device, own, session = order.device, frozenset(order.own), order.session
        keep, recent, reports = self._keep, self._recent, self._reports

        def on_event(kind: int, raw: bytes) -> None:
            if kind in JOURNALLED:
                keep(kind, order, raw)
                if kind == Kind.MESSAGE:
                    recent.add((device.bytes, parse(kind, raw).Info.ID))
            else:
                reports.put(Happened(session, kind, raw))

        def on_log(line: str) -> None:
            self._save_ignored(line, order, own)
            self._save_unreadable(line, order, own)

        def on_end(error: str) -> None:
            reports.put(Ended(session, error))

        client = Client(self._library, jid=order.jid, proxy=order.proxy, on_event=on_event, on_end=on_end, on_log=on_log)
        self._sessions[session] = client
        client.start()

    def _save_ignored(self, line: str, order: Start, own: frozenset[str]) -> None:
        """Get back a message which a killed process had decrypted and not kept.

        Off the line before the library acknowledges it, it comes again; and with its sender's keys forgotten, the library asks
        for it anew. Should it be ignored again and again, it is shown that there was one.
        """
        ignored = ignored_message(line)
        if ignored is None or ignored.chat.partition("@")[0] in own:
            return
        id = (order.device.bytes, ignored.id)
        if id in self._recent:
            return
        if self._asked_for.add(id) <= _ASKS:
            self._sessions[order.session].disconnect()
            self._reports.put(UsedUp(order.session, ignored.chat, ignored.sender))
        elif (raw := placeholder(ignored.id, ignored.chat)) is not None:
            self._keep(Kind.UNDECRYPTABLE, order, raw)

    def _save_unreadable(self, line: str, order: Start, own: frozenset[str]) -> None:
        """Keep that a customer's device could not read a message of ours, and asked in vain: only the log says so."""
        unanswered = unanswered_phone(line)
        if unanswered is None:
            return
        raw = unreadable(unanswered.id, unanswered.chat, unanswered.sender, own)
        if raw is not None:
            self._keep(Kind.UNREADABLE, order, raw)

    def _keep(self, kind: int, order: Start, raw: bytes) -> None:
        self._journal.append(kind, order.tenant, order.device, raw)
        self._last_append = time.monotonic()

    def _call(self, call: Call, client: Client) -> None:
        method: Callable[..., Any] = getattr(client, call.what)
        try:
            result = method(*call.arguments)
            if isinstance(result, Sent):
                result = (result.wa_id, result.at)
            answer = Answer(call.id, result)
        except NotRunning:
            answer = Answer(call.id, failure="not-running")
        except CallFailed as error:
            answer = Answer(call.id, failure="failed", text=str(error), question=error.question)
        except Exception as error:
            log.exception("host.call_failed", what=call.what)
            answer = Answer(call.id, failure="broken", text=type(error).__name__)
        if call.what == "stop":
            self._sessions.pop(call.session, None)
        self._reports.put(answer)

    def _announce(self) -> None:
        # Under load thousands of appends come between two turns of the writing thread: one word is enough for all of them.
        if not self._announced:
            self._announced = True
            self._reports.put(None)

    def _write(self) -> None:
        try:
            while True:
                report = self._reports.get()
                if report is None:
                    self._announced = False
                    report = Appended(self._journal.total, self._journal.trouble is not None)
                self._connection.sendall(pack(report))
        except OSError:
            return  # the worker is gone, as the main thread hears too

    def _worker_died(self, number: int, frame: object) -> None:
        self._end()

    def _end(self) -> NoReturn:
        """Hang up, keep what was acknowledged and is on its way to us, and be gone.

        The alarm needs no Python to end the process, should anything here hang.
        """
        signal.signal(WORKER_DIED, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, LAST_WORDS)
        if sessions := list(self._sessions.values()):
            # Threads of their own: those of the pool may all wait for WhatsApp's answer to a send.
            with ThreadPoolExecutor(min(len(sessions), _HANG_UP_AT_ONCE)) as pool:
                wait([pool.submit(client.disconnect) for client in sessions])
            until_quiet(lambda: self._last_append, _QUIET)
        self._journal.sync()
        with contextlib.suppress(RuntimeError):  # the signal may have come in the middle of a line
            log.info("host.over", sessions=len(sessions))
        os._exit(0)


def die_with(worker: int) -> None:
    """From now on the kernel says when *worker* dies; if it is dead already, so is this process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(WORKER_DIED))
    if os.getppid() != worker:
        os._exit(0)


def keep_stdout() -> None:
    """Let the library print into nothing: its lines name phone numbers, and standard output is our log."""
    ours = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdout = os.fdopen(ours, "w", buffering=1, encoding="utf-8")


def main() -> NoReturn:
    """Be the host of the worker that the arguments name."""
    die_with(int(sys.argv[2]))
    for ours in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ours, signal.SIG_IGN)  # said to a whole group, they are the worker's: it ends the sessions in order
    keep_stdout()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        hosted = Hosted(socket.socket(fileno=int(sys.argv[1])))
    except WorkerGone:
        os._exit(0)
    hosted.run()


if __name__ == "__main__":
    main()
