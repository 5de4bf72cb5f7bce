"""The host as the worker has it: started, asked, and started anew when it dies."""

import asyncio
import contextlib
import itertools
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from msgspec import structs

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
    Order,
    Ready,
    Repeatable,
    Report,
    Start,
    StoreFailed,
    UsedUp,
    pack,
    reports,
)
from device_worker.host.recent import MOST, left
from device_worker.journal import Reader
from device_worker.whatsapp import CallFailed, NotRunning, Sent
from device_worker.whatsapp.stderr import Stderr

log = structlog.get_logger()

#: The library is loaded and the store prepared by then; the store may be slow.
_READY_WITHIN = 60.0
_ENDS_WITHIN = LAST_WORDS + 1.0
_START_AGAIN_AFTER = 0.5
_PASS_ON_EVERY = 1.0
#: So many ends within so many seconds: this machine is no place for sessions, and the worker ends.
_MOST_ENDS = 5
_COUNTED_FOR = 60.0


class HostLost(Exception):
    """The host died with the call in its hands: it may have been carried out."""


class HostFails(Exception):
    """The host does not start, or dies again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Who is told, on the loop.

    Attributes:
        up: A host is there, and this is its journal.
        lost: It has died; the sessions in it are over.
        store_failed: whatsmeow has logged an error of its database.
        appended: There is more in the journal.
    """

    up: Callable[[Reader], None]
    lost: Callable[[], None]
    store_failed: Callable[[], None]
    appended: Callable[[], None]


class Host:
    """One process at a time, in which the sessions are."""

    def __init__(
        self, *, store: str, journal: Path, segment: int, capacity: int, log_level: str, worker: str, lock: int | None, hooks: Hooks
    ) -> None:
        """Know how to start one.

        Args:
            lock: The descriptor of the lock on the worker's name: the host holds it too, so that whoever gets it finds both dead.
        """
        self._begin = Begin(store, str(journal), segment, log_level, worker)
        self._capacity, self._lock, self._hooks = capacity, lock, hooks
        self._process: Process | None = None
        self._ends: deque[float] = deque(maxlen=_MOST_ENDS)
        self._over = False

    async def start(self) -> None:
        """A process is there, and its journal is read.  Raises: HostFails."""
        # Before anybody has published and deleted them. One that dies at once leaves nothing, and the next one knows what it was told.
        recent = await asyncio.to_thread(left, Path(self._begin.journal))
        self._begin = structs.replace(self._begin, recent=list(dict.fromkeys([*self._begin.recent, *recent]))[-MOST:])
        process = self._process = await Process.start(self._begin, self._lock, self._hooks)
        try:
            async with asyncio.timeout(_READY_WITHIN):
                folder = await process.ready
        except (TimeoutError, HostLost) as error:
            await process.end()
            raise HostFails("The host did not start.") from error
        process.journal = Reader(folder, capacity=self._capacity)
        self._hooks.up(process.journal)

    async def run(self, stopping: asyncio.Event) -> None:
        """Start another whenever one dies, until *stopping*.  Raises: HostFails."""
        stopped = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                if self._process is not None:
                    await asyncio.wait({stopped, self._process.following}, return_when=asyncio.FIRST_COMPLETED)
                    if stopping.is_set() or self._over:
                        return
                    code = await self._process.end()
                    log.error("host.lost", exit_code=code)
                    self._hooks.lost()
                self._count_end()
                try:
                    await self.start()
                except HostFails:
                    log.error("host.failed")
                    self._process = None
                    await asyncio.wait({stopped}, timeout=_START_AGAIN_AFTER)
        finally:
            stopped.cancel()

    def client(self, **session: Any) -> "Client":
        """Prepare a session in the process that is there.  Raises: NotRunning: there is none."""
        if self._process is None or self._process.gone:
            raise NotRunning
        return Client(self._process, **session)

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process is not None and not self._process.gone else None

    async def close(self) -> None:
        """End the process in order; its journal is on the disk."""
        if self._process is not None:
            await self._process.end()

    def finish(self, within: float) -> None:
        """The process is over, with all its sessions: in order if that takes no more than so many seconds; from any thread."""
        self._over = True
        if self._process is not None:
            self._process.finish(within)

    def _count_end(self) -> None:
        now = time.monotonic()
        self._ends.append(now)
        if len(self._ends) == _MOST_ENDS and now - self._ends[0] < _COUNTED_FOR:
            raise HostFails(f"The host has died {_MOST_ENDS} times in a minute.")


class Process:
    """One process: what it was asked and has not answered, and the sessions in it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        stderr: Stderr,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hooks: Hooks,
    ) -> None:
        self._process, self._stderr, self._reader, self._writer, self._hooks = process, stderr, reader, writer, hooks
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self.sessions: dict[int, Client] = {}
        self.ready: asyncio.Future[Path] = asyncio.get_running_loop().create_future()
        self.journal: Reader | None = None
        self.gone = False
        self.following = asyncio.create_task(self._follow(), name="host")
        self._passing_on = asyncio.create_task(self._pass_on(), name="host-stderr")

    @classmethod
    async def start(cls, begin: Begin, lock: int | None, hooks: Hooks) -> "Process":
        """Start one; it is `ready` a little later."""
        ours, theirs = socket.socketpair()
        stderr = Stderr()
        with theirs:
            kept = (theirs.fileno(),) if lock is None else (theirs.fileno(), lock)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "device_worker.host",
                str(theirs.fileno()),
                str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=stderr.fd,
                pass_fds=kept,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        started = cls(process, stderr, reader, writer, hooks)
        started.tell(begin)
        return started

    def tell(self, order: Order) -> None:
        """Write an order; a dead process does not hear it."""
        if not self.gone:
            self._writer.write(pack(order))

    async def ask(self, session: int, what: Any, *arguments: Any) -> Any:
        """Call a session's method and give its answer.  Raises: NotRunning, CallFailed, HostLost."""
        if self.gone:
            raise NotRunning
        id = next(self._ids)
        answer = self._pending[id] = asyncio.get_running_loop().create_future()
        self.tell(Call(id, session, what, list(arguments)))
        try:
            return await answer
        finally:
            self._pending.pop(id, None)

    def number(self) -> int:
        """Give a session a number that no other has."""
        return next(self._ids)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def finish(self, within: float) -> None:
        """Have it hang up and keep what is on its way, as when its worker dies, and kill it if it is not over by then."""
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(self._process.pid)
            try:
                if within > 0:
                    signal.pidfd_send_signal(handle, WORKER_DIED)
                    over = select.poll()
                    over.register(handle, select.POLLIN)
                    over.poll(within * 1000)
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)
        self._stderr.pass_on()

    async def end(self) -> int:
        """Close the socket, at which it ends by itself; kill it when it does not. Give its exit code."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._process.wait(), _ENDS_WITHIN)
        except TimeoutError:
            self.kill()
        await asyncio.wait([self.following])
        self._passing_on.cancel()
        code = await self._process.wait()
        self._stderr.pass_on(over=True)
        return code

    async def _pass_on(self) -> None:
        while True:
            await asyncio.sleep(_PASS_ON_EVERY)
            self._stderr.pass_on()

    async def _follow(self) -> None:
        """Take what it reports to whom it is for, until it is dead."""
        try:
            while True:
                (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
                self._on_report(reports.decode(await self._reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone = True
        finally:
            self.gone = True
            for answer in (*self._pending.values(), self.ready):
                if not answer.done():
                    answer.set_exception(HostLost())
            with contextlib.suppress(HostLost, asyncio.InvalidStateError, asyncio.CancelledError):
                self.ready.result()  # nobody may be waiting for it any more
            for client in list(self.sessions.values()):
                client.on_lost()

    def _on_report(self, report: Report) -> None:
        match report:
            case Appended(total, trouble):
                if self.journal is not None:
                    self.journal.told(total, trouble=trouble)
                    self._hooks.appended()
            case Answer(id):
                answer = self._pending.get(id)
                if answer is not None and not answer.done():
                    _settle(answer, report)
            case Happened(session, kind, raw) if session in self.sessions:
                self.sessions[session].on_event(kind, raw)
            case Ended(session, error) if session in self.sessions:
                self.sessions.pop(session).on_end(error)
            case UsedUp(session, chat, sender) if session in self.sessions:
                self.sessions[session].on_used_up(chat, sender)
            case StoreFailed():
                self._hooks.store_failed()
            case Ready(folder) if not self.ready.done():
                self.ready.set_result(Path(folder))


class Client:
    """One session in the host, started once. Its callbacks run on the loop.

    Attributes:
        used_up: The chats and senders, as whatsmeow writes them, of messages that it was brought whose keys are used up.
    """

    def __init__(
        self,
        process: Process,
        *,
        jid: str,
        tenant: UUID,
        device: UUID,
        own: list[str],
        proxy: str = "",
        on_event: Callable[["Client", int, bytes], None],
        on_end: Callable[["Client", str], None],
        on_used_up: Callable[["Client"], None],
        on_lost: Callable[["Client"], None],
    ) -> None:
        """Prepare a session of the linked device *jid*, which must be in the store.

        Args:
            own: The users that are the device itself.
            proxy: The address of the proxy that it goes by; empty for none.
            on_event: Gets the kind and the raw event of what is not for the journal.
            on_end: The session is over, because of `stop` or of an error (a text, empty for none).
            on_used_up: The session is over: it was brought a message whose keys are used up.
            on_lost: The host has died, and the session with it.
        """
        self._process = process
        self._number = process.number()
        self.used_up: set[tuple[str, str]] = set()
        self._order = Start(self._number, jid, tenant, device, own, proxy)
        self._on_event, self._on_end, self._on_used_up, self._on_lost = on_event, on_end, on_used_up, on_lost

    def start(self) -> None:
        """Begin; what comes of it is told by the callbacks."""
        self._process.sessions[self._number] = self
        self._process.tell(self._order)

    def on_event(self, kind: int, raw: bytes) -> None:
        """Tell of an event."""
        self._on_event(self, kind, raw)

    def on_end(self, error: str) -> None:
        """Tell that it is over."""
        self._on_end(self, error)

    def on_used_up(self, chat: str, sender: str) -> None:
        """Note whose keys, and where; the first time, tell that it is over."""
        if not self.used_up:
            self._on_used_up(self)
        self.used_up.add((chat, sender))

    def on_lost(self) -> None:
        """Tell that the host is dead."""
        self._on_lost(self)

    async def disconnect(self) -> None:
        """Hang up; nothing reconnects. `stop` is still due. See `whatsapp.library.Client.disconnect`."""
        with contextlib.suppress(NotRunning):
            await self._ask("disconnect")

    async def stop(self) -> bool:
        """End the session; True when it has ended."""
        try:
            return bool(await self._ask("stop"))
        except NotRunning:
            return True  # there is no host any more, or it knows of no such session
        finally:
            self._process.sessions.pop(self._number, None)

    async def send(self, user: str, server: str, message: bytes) -> Sent:
        """Send an e2e message.  Raises: NotRunning, CallFailed (see its `meaning`), HostLost: nobody knows."""
        return Sent(*await self._process.ask(self._number, "send", user, server, message))

    async def upload(self, path: str, what: str) -> list[Any]:
        """Put a file on WhatsApp's hosts: see `whatsapp.library.Client.upload`.  Raises: NotRunning, CallFailed."""
        found: list[Any] = await self._ask("upload", path, what)
        return found

    async def mark_read(self, wa_ids: list[str], at: int, chat: tuple[str, str], sender: tuple[str, str]) -> None:
        """Send blue ticks; *at* in seconds.  Raises: NotRunning, CallFailed."""
        await self._ask("mark_read", wa_ids, at, chat, sender)

    async def on_whatsapp(self, phone: str) -> tuple[str, str] | None:
        """Ask WhatsApp for the user and server (a LID, mostly) behind the digits *phone*; None: nobody.  Raises: NotRunning, CallFailed."""
        found = await self._ask("on_whatsapp", phone)
        return None if found is None else (found[0], found[1])

    async def typing(self, user: str, server: str, state: str = "composing") -> None:
        """Be seen typing in a chat, until ``paused``, a message, or some seconds have passed.  Raises: NotRunning, CallFailed."""
        await self._ask("typing", user, server, state)

    async def presence(self, online: bool) -> None:
        """Be seen as online, or no more: see `whatsapp.library.Client.presence`.  Raises: NotRunning, CallFailed."""
        await self._ask("presence", online)

    async def subscribe(self, user: str, server: str) -> None:
        """Be told whether somebody writes, as long as the connection lasts.  Raises: NotRunning, CallFailed."""
        await self._ask("subscribe", user, server)

    async def group(self, id: str) -> tuple[str, int]:
        """Ask what a group is called, and how many are in it.  Raises: NotRunning, CallFailed."""
        subject, members = await self._ask("group", id)
        return subject, members

    async def block(self, user: str, server: str, blocked: bool) -> list[str]:
        """Block somebody, or do so no more: see `whatsapp.library.Client.block`.  Raises: NotRunning, CallFailed."""
        listed: list[str] = await self._ask("block", user, server, blocked)
        return listed

    async def blocked(self) -> list[tuple[str, str]]:
        """Ask whom the number blocks: see `whatsapp.library.Client.blocked`.  Raises: NotRunning, CallFailed."""
        return [(user, server) for user, server in await self._ask("blocked")]

    async def logout(self) -> None:
        """Unlink at WhatsApp and forget the credentials.  Raises: NotRunning, CallFailed."""
        await self._ask("logout")

    async def _ask(self, what: Repeatable, *arguments: Any) -> Any:
        """Ask what does no harm when it is asked again: lost is as good as never heard."""
        try:
            return await self._process.ask(self._number, what, *arguments)
        except HostLost as error:
            raise NotRunning from error


def _settle(answer: asyncio.Future[Any], report: Answer) -> None:
    match report.failure:
        case None:
            answer.set_result(report.result)
        case "not-running":
            answer.set_exception(NotRunning())
        case "failed":
            answer.set_exception(CallFailed(report.text, question=report.question))
        case "broken":
            answer.set_exception(RuntimeError(report.text))
