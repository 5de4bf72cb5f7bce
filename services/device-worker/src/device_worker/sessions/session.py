"""One device's session: what is wanted of it, what WhatsApp tells of it, and what follows."""

import asyncio
import contextlib
import os
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from contracts import ids
from contracts.ephemeral import QrShown
from contracts.events.devices import DeviceState
from prometheus_client import Histogram
from servicekit.bus import Bus, BusAway
from servicekit.db import Database, is_away, is_busy
from servicekit.timers import first
from servicekit.vault import Vault, WrongEncryptionKey

from device_worker import domain, pairing
from device_worker.connects import Connects, Turn
from device_worker.domain import Device, DeviceMissing, Wanted
from device_worker.host.remote import Client, Host
from device_worker.leases import Leases
from device_worker.pacing import backoff
from device_worker.sessions.activity import Activity
from device_worker.sessions.pause import Pause
from device_worker.shards import shard_of
from device_worker.store import devices, fences, pairings, sending
from device_worker.whatsapp import CallFailed, NotRunning, Store, StoreAway
from device_worker.whatsapp.proto import Kind, neonize_pb2, parse

log = structlog.get_logger()

Transition = Callable[[Device, datetime], Device]

#: Linked, started, and nothing comes: a node was lost on the way. Started anew after this.
_CONNECTS_WITHIN = 20.0
#: whatsmeow reconnects by itself, and knows nothing of the others that try. After the first it counts as a failure, and is given up
#: for a place in the line when others fail too; after the second in any case, since it waits longer and longer between its tries.
_RECONNECTS_SOON = (5.0, 8.0)
_RECONNECTS_WITHIN = 60.0
_LONGEST_BACKOFF = 30.0
#: So many tries in a row that came to nothing are no accident: the user is told.
_OFTEN = 2
_AFTER_FAILURE = 600.0
_AFTER_REPLACED = 5.0
_REPLACED_COUNTS_FOR = 600.0
_BAN_WITHOUT_END = timedelta(hours=1)
_CALL_SECONDS = 15.0
_FIRST_QR_WITHIN = 15.0
_MOST_PAIRINGS = 3
_WRITE_PAUSE = 0.5

#: Beside the library's kinds: its call has come back; the process that it was in has died.
_END = -1
_LOST = -2

#: What shows that WhatsApp is there, whatever it thinks of this session.
_ANSWERS = frozenset(
    {Kind.CONNECTED, Kind.LOGGED_OUT, Kind.STREAM_REPLACED, Kind.TEMPORARY_BAN, Kind.CONNECT_FAILURE, Kind.CLIENT_OUTDATED}
)

_BANS = {
    neonize_pb2.TemporaryBan.SEND_TO_TOO_MANY_PEOPLE: "sent-to-too-many-people",
    neonize_pb2.TemporaryBan.BLOCKED_BY_USERS: "blocked-by-users",
    neonize_pb2.TemporaryBan.CREATED_TOO_MANY_GROUPS: "created-too-many-groups",
    neonize_pb2.TemporaryBan.SENT_TOO_MANY_SAME_MESSAGE: "sent-the-same-too-often",
    neonize_pb2.TemporaryBan.BROADCAST_LIST: "broadcast-list",
}

CONNECT = Histogram(
    "clarin_devices_connect_seconds",
    "From the start of a session to its connection.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60),
)


@dataclass(frozen=True, slots=True)
class Tools:
    """What all sessions of a worker share."""

    bus: Bus
    system: Database
    host: Host
    store: Store
    leases: Leases
    pause: Pause
    connects: Connects
    activity: Activity
    pairings: asyncio.Semaphore
    loads: asyncio.Semaphore
    vault: Vault
    on_connected: Callable[[Device], None]
    on_typing: Callable[[Device, bytes], Awaitable[None]]
    on_group: Callable[[Device, bytes], Awaitable[None]]


class Session:
    """Works towards what is wanted of one device, until it is stopped or nothing is wanted any more."""

    def __init__(self, tools: Tools, device: Device) -> None:
        self.device = device
        self.shard = shard_of(device.id)
        self._tools = tools
        self._client: Client | None = None
        self._events: asyncio.Queue[tuple[Client, int, bytes]] = asyncio.Queue()
        self._connected = False
        self._lid: str | None = None
        self._over = False
        self._wake = asyncio.Event()
        self._refresh = False
        self._failures = 0
        self._pairings_failed = 0
        self._code_asked: str | None = None
        self._replaced: deque[float] = deque(maxlen=8)
        self._log = log.bind(device=str(device.id), tenant=str(device.tenant))
        self.task = asyncio.create_task(self._run(), name=f"session {device.id}")

    @property
    def client(self) -> Client | None:
        """The session to send with; None while it is not connected."""
        return self._client if self._connected else None

    def wake(self) -> None:
        """Look again at what is wanted."""
        self._refresh = True
        self._wake.set()

    async def hang_up(self) -> None:
        """Be off the line at once, whatever else is going on: the rest follows in its turn."""
        if (client := self._client) is not None:
            await client.disconnect()

    @property
    def asked_again(self) -> bool:
        """Somebody said that the device changed, and nobody has looked."""
        return self._refresh

    async def stop(self) -> None:
        """End it, keeping what is wanted as it is: another worker goes on."""
        self._over = True
        self._wake.set()
        await asyncio.wait([self.task])

    # What is wanted.

    async def _run(self) -> None:
        with self._tools.pause.watched_by(self._wake):
            try:
                while not self._over and await self._step():
                    pass
            except DeviceMissing:
                return
            except Exception:
                self._log.exception("session.failed")
                raise
            finally:
                await self._end_client()

    async def _step(self) -> bool:
        """Do the next thing; False when there is nothing to do for this device."""
        device = self.device
        match device.wanted:
            case Wanted.DELETED | Wanted.LOGGED_OUT if device.jid is not None:
                await self._unlink()
            case Wanted.DELETED:
                await self._remove()
                return False
            case Wanted.CONNECTED if device.works_on_session:
                await self._serve()
            case Wanted.CONNECTED if device.state is DeviceState.PAIRING:
                await self._pair()
            case _:
                return False
        return True

    async def _changed(self, timeout: float | None = None) -> bool:
        """Wait until something outside changed (an order, a pause, the end); False when *timeout* seconds passed first."""
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        await self._look()
        return True

    async def _look(self) -> None:
        """Read the device again, if somebody said that it changed."""
        if not self._refresh or self._over:
            return
        self._refresh = False

        async def read() -> None:
            async with self._tools.system.system() as tx:
                found = await devices.in_shard(tx, self.shard, self.device.id)
            if found is None:
                raise DeviceMissing
            self.device = found

        await self._written(read)

    # A session.

    async def _serve(self) -> None:
        """Be connected while that is wanted."""
        reason = domain.RESTARTED if self.device.state is DeviceState.CONNECTED and not self._connected else None
        while self._wants_session():
            if (held_for := self._tools.pause.reason) is not None:
                await self._stand_aside(held_for)
                reason = held_for  # said again: when it was the database that was away, nobody has heard it yet
            elif self.device.banned_at(datetime.now(UTC)) and self.device.until is not None:
                await self._changed((self.device.until - datetime.now(UTC)).total_seconds() + 1)
            elif self.device.state is DeviceState.FAILED and self._failures:
                self._failures = 0
                await self._changed(_AFTER_FAILURE)
            else:
                await self._attempt(reason)
                reason = None

    def _wants_session(self) -> bool:
        return not self._over and self.device.works_on_session

    async def _stand_aside(self, reason: str) -> None:
        await self._end_client()
        await self._report(lambda device, at: device.connecting(at, reason), patient=False)
        while self._tools.pause.reason is not None and self._wants_session():
            await self._changed()

    async def _attempt(self, reason: str | None) -> None:
        """Start a session, and stay with it until it ends."""
        if self._failures:
            await self._changed(backoff(self._failures, _LONGEST_BACKOFF))
            if not self._wants_session() or self._tools.pause.reason is not None:
                return
        if self._failures >= _OFTEN:
            reason = domain.CANNOT_CONNECT
        await self._report(
            lambda device, at: device.connecting(at, reason or (device.reason if device.state is DeviceState.CONNECTING else None))
        )
        if not self._wants_session() or self.device.jid is None:
            return
        try:
            if not await self._tools.store.exists(self.device.jid):
                await self._report(lambda device, at: device.unlinked(at, domain.CREDENTIALS_MISSING))
                return
        except StoreAway:
            self._tools.store.suspect()
            self._failures += 1
            return
        try:
            await self._stay(self.device.jid)
        except NotRunning:
            return  # the host died in this very moment: the pause for it comes next
        except WrongEncryptionKey:
            # Never without the proxy that was asked for: it hides where the number is from.
            await self._on_failure(domain.PROXY_UNREADABLE, domain.SET_PROXY)

    async def _stay(self, jid: str) -> None:
        proxy = self.device.proxy
        turn = self._tools.connects.ask(self.device.id)
        try:
            if await self._granted(turn):
                self._start_client(jid)
                await self._until_up()
            turn.end()
            off = time.monotonic()
            while self._client is not None and self._wants_session() and self._tools.pause.reason is None and self.device.proxy == proxy:
                if self._connected:
                    await self._next(None)
                    off = time.monotonic()
                elif not await self._next(random.uniform(*_RECONNECTS_SOON)):  # noqa: S311
                    self._tools.connects.failed(self.device.id)
                    if self._tools.connects.state != "open" or time.monotonic() - off > _RECONNECTS_WITHIN:
                        await self._give_up()
        finally:
            turn.end()
            await self._end_client()

    async def _granted(self, turn: Turn) -> bool:
        """Wait for the turn; False when no session is wanted any more, or none may be."""
        while self._wants_session() and self._tools.pause.reason is None:
            await first(turn.granted, self._wake)
            if turn.granted.is_set():
                return True
            self._wake.clear()
            await self._look()
        return False

    async def _until_up(self) -> None:
        started = time.monotonic()
        while self._client is not None and not self._connected and self._wants_session() and self._tools.pause.reason is None:
            if not await self._next(_CONNECTS_WITHIN):
                self._tools.connects.failed(self.device.id)
                await self._give_up()
        if self._connected:
            CONNECT.observe(time.monotonic() - started)

    async def _give_up(self) -> None:
        """End the session that does not connect; another try follows."""
        self._log.info("session.silent")
        self._failures += 1
        await self._end_client()

    async def _next(self, timeout: float | None) -> bool:
        """Take the next event or order; False when *timeout* passed without either."""
        event = asyncio.ensure_future(self._events.get())
        woken = asyncio.ensure_future(self._wake.wait())
        done, _ = await asyncio.wait({event, woken}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (event, woken):
            if waiting not in done:
                waiting.cancel()
        if event in done:
            client, kind, raw = event.result()
            if client is self._client:
                await self._on_event(kind, raw)
        if woken in done:
            self._wake.clear()
            await self._look()
        return bool(done)

    async def _on_event(self, kind: int, raw: bytes) -> None:
        """Follow one event of the library; the one place where they are told apart."""
        if kind in _ANSWERS:
            self._tools.connects.answered()
        match kind:
            case Kind.DEVICE:
                self._lid = parse(kind, raw).LID.User or None
            case Kind.CONNECTED:
                self._connected, self._failures = True, 0
                lid = self._lid
                await self._report(lambda device, at: device.connected(at, lid))
                self._tools.on_connected(self.device)
            case Kind.CHAT_PRESENCE:
                await self._tools.on_typing(self.device, raw)
            case Kind.GROUP_INFO:
                await self._tools.on_group(self.device, raw)
            case Kind.DISCONNECTED:
                self._connected = False
                await self._report(lambda device, at: device.connecting(at, domain.CONNECTION_LOST))
            case Kind.LOGGED_OUT:
                await self._end_client()
                await self._report(lambda device, at: device.unlinked(at, domain.UNLINKED))
            case Kind.STREAM_REPLACED:
                await self._end_client()
                await self._on_replaced()
            case Kind.TEMPORARY_BAN:
                ban = parse(kind, raw)
                await self._on_ban(timedelta(seconds=max(ban.Expire, 0)) or _BAN_WITHOUT_END, _BANS.get(ban.Code, "banned"))
            case Kind.CONNECT_FAILURE:
                await self._on_failure(domain.REFUSED, domain.WAIT)
            case Kind.CLIENT_OUTDATED:
                await self._on_failure(domain.CLIENT_OUTDATED, domain.UPDATE)
            case _ if kind == _END:
                await self._on_end(raw.decode(errors="replace"))
            case _ if kind == _LOST:
                await self._end_client()
                await self._report(lambda device, at: device.connecting(at, domain.RESTARTED), patient=False)

    async def _on_replaced(self) -> None:
        """Another process has opened this session: if the shard is its own now, leave; if not, try once more."""
        try:
            ours = await self._tools.leases.confirm(self.shard)
        except BusAway:
            ours = True  # the guard ends this process soon, if the bus stays away
        if not ours:
            self._log.warning("session.taken_over")
            self._over = True
            return
        now = time.monotonic()
        again = any(now - at < _REPLACED_COUNTS_FOR for at in self._replaced)
        self._replaced.append(now)
        await self._report(lambda device, at: device.replaced(at, again=again))
        if not again:
            await self._changed(_AFTER_REPLACED)

    async def _on_ban(self, lasts: timedelta, reason: str) -> None:
        await self._end_client()
        await self._report(lambda device, at: device.banned(at, at + lasts, reason), banned=True)

    async def _on_failure(self, reason: str, action: str | None) -> None:
        await self._end_client()
        self._failures = 1
        await self._report(lambda device, at: device.failed(at, reason, action))

    async def _on_end(self, error: str) -> None:
        """The library's call came back: it could not connect, or stumbled over an event that it cannot write."""
        connected = self._connected
        await self._end_client()
        if "TemporaryBan" in error:  # a ban for a reason that the library has no number for
            await self._on_ban(_BAN_WITHOUT_END, "banned")
            return
        self._failures += 1
        if not connected:
            self._tools.connects.failed(self.device.id)
        self._log.info("session.ended", attempt=self._failures)

    def _start_client(self, jid: str) -> None:
        """Start a session in the host.  Raises: NotRunning: there is no host; WrongEncryptionKey."""
        events = self._events
        client = self._tools.host.client(
            jid=jid,
            tenant=self.device.tenant,
            device=self.device.id,
            own=[user for user in (self.device.phone, self.device.lid) if user is not None],
            proxy=self._proxy(),
            on_event=lambda client, kind, raw: events.put_nowait((client, kind, raw)),
            on_end=lambda client, error: events.put_nowait((client, _END, error.encode())),
            on_lost=lambda client: events.put_nowait((client, _LOST, b"")),
        )
        self._client, self._connected, self._lid = client, False, None
        client.start()

    def _proxy(self) -> str:
        """Give the address of the proxy; empty for none.  Raises: WrongEncryptionKey."""
        sealed = self.device.proxy
        return "" if sealed is None else self._tools.vault.open(sealed, what=domain.proxy_label(self.device.id)).decode()

    async def _end_client(self) -> None:
        client, self._client, self._connected = self._client, None, False
        if client is None:
            return
        stopped = await asyncio.shield(client.stop())
        if not stopped:
            self._log.error("session.thread_left_behind")

    # Undoing the link.

    async def _unlink(self) -> None:
        """Tell WhatsApp and forget the keys; when WhatsApp cannot be reached, forget them all the same."""
        jid = self.device.jid
        if jid is None:
            return
        while self._tools.pause.reason is not None and not self._over:
            await self._changed()
        try:
            if await self._tools.store.exists(jid):
                if self._client is None:
                    self._start_client(jid)
                await self._log_out()
                await self._end_client()
                await self._tools.store.forget(jid)
        except StoreAway:
            self._tools.store.suspect()
            await self._changed(1.0)
            return
        except NotRunning:
            await self._changed(1.0)  # there is no host in this moment
            return
        except WrongEncryptionKey:
            await self._tools.store.forget(jid)
        finally:
            await self._end_client()
        await self._report(lambda device, at: device.unlinked(at, domain.BY_USER))

    async def _log_out(self) -> None:
        client = self._client
        with contextlib.suppress(TimeoutError, CallFailed, NotRunning):
            async with asyncio.timeout(_CALL_SECONDS):
                while not self._connected:
                    source, kind, _ = await self._events.get()
                    if source is not client or client is None:
                        continue
                    if kind in (Kind.LOGGED_OUT, Kind.TEMPORARY_BAN, Kind.CONNECT_FAILURE, _END, _LOST):
                        return
                    self._connected = kind == Kind.CONNECTED
                if client is not None:
                    await client.logout()

    async def _remove(self) -> None:
        async def remove() -> None:
            async with self._tools.system.system() as tx:
                await self._hold(tx)
                await devices.remove(tx, self.device)

        await self._written(remove)

    # Pairing.

    async def _pair(self) -> None:
        """Show QR codes until one is scanned, nobody does, or it is no longer wanted."""
        with contextlib.ExitStack() as slots, contextlib.ExitStack() as loading:
            if await self._slot(self._tools.pairings, slots) and await self._slot(self._tools.loads, loading):
                await self._show(loaded=loading.close)

    async def _slot(self, of: asyncio.Semaphore, held: contextlib.ExitStack) -> bool:
        """Take a place, given back with *held*; False when no pairing is wanted any more."""
        taking = asyncio.ensure_future(of.acquire())
        while self._is_pairing() and not taking.done():
            woken = asyncio.ensure_future(self._wake.wait())
            await asyncio.wait({taking, woken}, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
            if self._wake.is_set():
                self._wake.clear()
                await self._look()
        if taking.done():
            held.callback(of.release)
        else:
            taking.cancel()
        return self._is_pairing()

    async def _show(self, *, loaded: Callable[[], None]) -> None:
        """Pair in a child; *loaded* is called when it has loaded the library, and no longer takes a whole processor."""
        self._log.info("pairing.started")
        self._code_asked = None
        try:
            proxy = self._proxy()
        except WrongEncryptionKey:
            await self._end_pairing(partial(_pairing_ended, domain.PROXY_UNREADABLE))
            return
        async with pairing.child(os.environ, proxy=proxy, shown_as=self.device.settings.shown_as) as child:
            reports = asyncio.create_task(self._follow(child, loaded))
            try:
                await self._ask_code(child)
                while self._is_pairing() and not reports.done():
                    woken = asyncio.ensure_future(self._wake.wait())
                    await asyncio.wait({reports, woken}, return_when=asyncio.FIRST_COMPLETED)
                    woken.cancel()
                    if self._wake.is_set():
                        self._wake.clear()
                        await self._look()
                        await self._ask_code(child)
            finally:
                if reports.done():
                    reports.result()
                reports.cancel()

    def _is_pairing(self) -> bool:
        return not self._over and self.device.jid is None and self.device.state is DeviceState.PAIRING

    async def _follow(self, child: pairing.Child, loaded: Callable[[], None]) -> None:
        """Take the child's reports to the database."""
        code_until = datetime.now(UTC) + pairing.LASTS
        reports = child.reports()
        try:
            # Longer each time: a machine that is merely busy would start the same work again and again, and end none of it.
            async with asyncio.timeout(_FIRST_QR_WITHIN * 2**self._pairings_failed):
                first = await anext(reports, None)
        except TimeoutError:
            first = None
        loaded()
        if first is None and self._pairings_failed < _MOST_PAIRINGS:
            self._pairings_failed += 1
            self._log.warning("pairing.silent", attempt=self._pairings_failed)
            await asyncio.sleep(self._pairings_failed)
            return  # and another child is started, since it is still wanted
        self._pairings_failed = 0
        async for report in _chained(first, reports):
            match report:
                case pairing.QrReport():
                    await self._show_qr(report.qr, datetime.now(UTC) + timedelta(seconds=report.seconds))
                    await self._report(lambda device, at: device.qr_shown(at))
                case pairing.CodeReport():
                    await self._show_code(report, code_until)
                    if report.code:
                        await self._report(lambda device, at: device.code_shown(at))
                case pairing.PairedReport():
                    await self._end_pairing(partial(_paired, report))
                    return
                case pairing.EndedReport():
                    await self._end_pairing(partial(_pairing_ended, report.reason))
                    return
        await self._end_pairing(partial(_pairing_ended, domain.PAIRING_FAILED))

    async def _show_qr(self, qr: str, until: datetime) -> None:
        async def show() -> None:
            async with self._tools.system.system() as tx:
                await self._hold(tx)
                await pairings.show_qr(tx, self.device.tenant, self.device.id, qr, until)

        await self._written(show)
        shown = QrShown(device_id=ids.public(ids.DEVICE, self.device.id), qr=qr, expires_at=until)
        await self._tools.bus.shout(self.device.tenant, shown)

    async def _show_code(self, report: pairing.CodeReport, until: datetime) -> None:
        self._code_asked = None

        async def show() -> None:
            async with self._tools.system.system() as tx:
                await self._hold(tx)
                code_until = until if report.code else None
                await pairings.show_code(tx, self.device.tenant, self.device.id, report.phone, report.code, code_until, report.error)

        await self._written(show)

    async def _ask_code(self, child: pairing.Child) -> None:
        shown: pairings.Pairing | None = None

        async def read() -> None:
            nonlocal shown
            async with self._tools.system.system() as tx:
                shown = await pairings.find(tx, self.device.tenant, self.device.id)

        await self._written(read)
        wanted = shown is not None and shown.code is None and shown.code_error is None
        if wanted and shown is not None and shown.phone is not None and shown.phone != self._code_asked:
            self._code_asked = shown.phone  # asked twice, WhatsApp gives two codes, and the first is good no more
            await child.ask_code(shown.phone)

    async def _end_pairing(self, transition: Transition) -> None:
        self._log.info("pairing.ended")
        await self._report(transition, drop_pairing=True)

    # Writing how it stands.

    async def _report(self, transition: Transition, *, drop_pairing: bool = False, patient: bool = True, banned: bool = False) -> None:
        """Write how the device stands now, and tell; with the database away it waits (or, not *patient*, leaves it at that)."""

        async def write() -> None:
            async with self._tools.system.system() as tx:
                await self._hold(tx)
                before = await devices.lock(tx, self.device.tenant, self.device.id, deleted=True)
                after = transition(before, datetime.now(UTC))
                await devices.save(tx, before, after)
                if drop_pairing:
                    await pairings.drop(tx, self.device.tenant, self.device.id)
                if banned and after.until is not None:
                    await sending.pause(tx, after, after.changed_at, after.until, after.reason or "banned")
            self.device = after

        await self._written(write, patient=patient)

    async def _hold(self, tx: Any) -> None:
        fence = self._tools.leases.fence(self.shard)
        if fence is None:
            raise fences.Fenced(f"Shard {self.shard} is not held.")
        await fences.hold(tx, self.shard, fence)

    async def _written(self, write: Callable[[], Any], *, patient: bool = True) -> None:
        """Do *write* until it is done, or this session is over. What a former owner still has to say is not said."""
        while True:
            try:
                await write()
                return
            except fences.Fenced:
                self._log.warning("session.fenced")
                with contextlib.suppress(BusAway):
                    await self._tools.leases.reclaim(self.shard)
                if self._over or self.shard not in self._tools.leases.held:
                    self._over = True
                    return
            except Exception as error:
                if not (is_away(error) or is_busy(error)):
                    raise
                if not patient or self._over:
                    return
            await asyncio.sleep(_WRITE_PAUSE)


def _paired(report: pairing.PairedReport, device: Device, at: datetime) -> Device:
    return device.paired(at, report.jid, report.jid.partition("@")[0].partition(":")[0], report.lid)


def _pairing_ended(reason: str, device: Device, at: datetime) -> Device:
    return device.pairing_ended(at, reason)


async def _chained(first: pairing.AnyReport | None, rest: AsyncIterator[pairing.AnyReport]) -> AsyncIterator[pairing.AnyReport]:
    if first is not None:
        yield first
        async for report in rest:
            yield report
