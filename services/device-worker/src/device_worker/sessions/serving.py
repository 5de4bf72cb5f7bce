"""Being connected while that is wanted: what WhatsApp tells of a session, and what follows."""

import asyncio
import random
import time
from collections import deque
from datetime import UTC, datetime, timedelta

from contracts.events.devices import DeviceState
from prometheus_client import Histogram
from servicekit.bus import BusAway
from servicekit.timers import first
from servicekit.vault import WrongEncryptionKey

from device_worker import domain
from device_worker.connects import Turn
from device_worker.domain import Device
from device_worker.pacing import backoff
from device_worker.sessions.line import END, LOST, USED_UP, Line
from device_worker.sessions.standing import Standing
from device_worker.whatsapp import NotRunning, StoreAway
from device_worker.whatsapp.proto import Kind, neonize_pb2, parse

#: Linked, started, and nothing comes: a node was lost on the way. Started anew after this.
_CONNECTS_WITHIN = 20.0
#: Handed over by another worker, it is up again before anybody needs to know; when it is not by then, that is told.
_HANDED_WITHIN = 3.0
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


class Serving:
    """One device's sessions, one after the other."""

    def __init__(self, standing: Standing, line: Line, *, handed: bool) -> None:
        """Be the one that keeps *line* up.

        Args:
            handed: Another worker has let the session go a moment ago, and waits for it to be up here.
        """
        self._standing, self._line = standing, line
        self._tools = standing.tools
        self._handed = handed and standing.device.state is DeviceState.CONNECTED
        self._lid: str | None = None
        self._failures = 0
        self._replaced: deque[float] = deque(maxlen=8)

    async def run(self) -> None:
        """Be connected while that is wanted."""
        standing = self._standing
        reason = domain.RESTARTED if standing.device.state is DeviceState.CONNECTED and not self._line.connected else None
        while standing.wants_session:
            device = standing.device
            if (held_for := standing.held_back) is not None:
                self._handed = False
                await self._stand_aside(held_for)
                reason = held_for  # said again: when it was the database that was away, nobody has heard it yet
            elif device.banned_at(datetime.now(UTC)) and device.until is not None:
                await standing.changed((device.until - datetime.now(UTC)).total_seconds() + 1)
            elif device.state is DeviceState.FAILED and self._failures:
                self._failures = 0
                await standing.changed(_AFTER_FAILURE)
            elif self._handed:
                await self._attempt()
                self._handed = False
                reason = domain.RESTARTED if standing.device.state is DeviceState.CONNECTED else None
            else:
                await self._tell_connecting(reason)
                await self._attempt()
                reason = None

    async def _stand_aside(self, reason: str) -> None:
        standing = self._standing
        await self._line.end()
        await standing.report(lambda device, at: device.connecting(at, reason), patient=False)
        while standing.held_back is not None and standing.wants_session:
            await standing.changed()

    async def _tell_connecting(self, reason: str | None) -> None:
        """Wait as long as the failures before ask for, then say that it is tried."""
        if self._failures:
            await self._standing.changed(backoff(self._failures, _LONGEST_BACKOFF))
            if not self._may_start():
                return
        if self._failures >= _OFTEN:
            reason = domain.CANNOT_CONNECT
        await self._standing.report(lambda device, at: device.connecting(at, reason or _why_still(device)))

    def _may_start(self) -> bool:
        return self._standing.wants_session and self._standing.held_back is None

    async def _attempt(self) -> None:
        """Start a session, and stay with it until it ends."""
        jid = self._standing.device.jid
        if not self._may_start() or jid is None:
            return
        try:
            if not await self._tools.store.exists(jid):
                await self._standing.report(lambda device, at: device.unlinked(at, domain.CREDENTIALS_MISSING))
                return
        except StoreAway:
            self._tools.store.suspect()
            self._failures += 1
            return
        try:
            await self._stay(jid)
        except NotRunning:
            return  # the host died in this very moment: the pause for it comes next
        except WrongEncryptionKey:
            # Never without the proxy that was asked for: it hides where the number is from.
            await self._on_failure(domain.PROXY_UNREADABLE, domain.SET_PROXY)

    async def _stay(self, jid: str) -> None:
        line, proxy = self._line, self._standing.proxy()
        turn = self._tools.connects.ask(self._standing.device.id, handed=self._handed)
        try:
            if await self._granted(turn):
                self._lid = None
                line.start(jid)
                await self._until_up()
            turn.end()
            off = time.monotonic()
            while line.client is not None and self._may_start() and self._standing.proxy() == proxy:
                if line.connected:
                    await self._next(None)
                    off = time.monotonic()
                elif not await self._next(random.uniform(*_RECONNECTS_SOON)):  # noqa: S311
                    self._tools.connects.failed(self._standing.device.id)
                    if self._tools.connects.state != "open" or time.monotonic() - off > _RECONNECTS_WITHIN:
                        await self._give_up()
        finally:
            turn.end()
            await line.end()

    async def _granted(self, turn: Turn) -> bool:
        """Wait for the turn; False when no session is wanted any more, or none may be."""
        while self._may_start():
            await first(turn.granted, self._standing.woken)
            if turn.granted.is_set():
                return True
            await self._standing.look()
        return False

    async def _until_up(self) -> None:
        started, line, told = time.monotonic(), self._line, not self._handed
        while line.client is not None and not line.connected and self._may_start():
            if await self._next(_CONNECTS_WITHIN if told else _HANDED_WITHIN):
                continue
            if told:
                self._tools.connects.failed(self._standing.device.id)
                await self._give_up()
            else:
                told = True
                await self._standing.report(lambda device, at: device.connecting(at, domain.RESTARTED))
        if line.connected:
            CONNECT.observe(time.monotonic() - started)

    async def _give_up(self) -> None:
        """End the session that does not connect; another try follows."""
        self._standing.log.info("session.silent")
        self._failures += 1
        await self._line.end()

    async def _next(self, timeout: float | None) -> bool:
        """Take the next event or order; False when *timeout* passed without either."""
        event = asyncio.ensure_future(self._line.event())
        woken = asyncio.ensure_future(self._standing.woken.wait())
        done, _ = await asyncio.wait({event, woken}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (event, woken):
            if waiting not in done:
                waiting.cancel()
        if event in done and (told := event.result()) is not None:
            await self._on_event(*told)
        if woken in done:
            await self._standing.look()
        return bool(done)

    async def _on_event(self, kind: int, raw: bytes) -> None:
        """Follow one event of the library; the one place where they are told apart."""
        standing, line = self._standing, self._line
        if kind in _ANSWERS:
            self._tools.connects.answered()
        match kind:
            case Kind.DEVICE:
                self._lid = parse(kind, raw).LID.User or None
            case Kind.CONNECTED:
                line.connected, self._failures = True, 0
                lid = self._lid
                self._tools.on_connected(standing.device)
                await standing.report(lambda device, at: device.connected(at, lid))
            case Kind.CHAT_PRESENCE:
                await self._tools.on_typing(standing.device, raw)
            case Kind.GROUP_INFO:
                await self._tools.on_group(standing.device, raw)
            case Kind.DISCONNECTED:
                line.connected = False
                await standing.report(lambda device, at: device.connecting(at, domain.CONNECTION_LOST))
            case Kind.LOGGED_OUT:
                await line.end()
                await standing.report(lambda device, at: device.unlinked(at, domain.UNLINKED))
            case Kind.STREAM_REPLACED:
                await line.end()
                await self._on_replaced()
            case Kind.TEMPORARY_BAN:
                ban = parse(kind, raw)
                await self._on_ban(timedelta(seconds=max(ban.Expire, 0)) or _BAN_WITHOUT_END, _BANS.get(ban.Code, "banned"))
            case Kind.CONNECT_FAILURE:
                await self._on_failure(domain.REFUSED, domain.WAIT)
            case Kind.CLIENT_OUTDATED:
                await self._on_failure(domain.CLIENT_OUTDATED, domain.UPDATE)
            case _ if kind == END:
                await self._on_end(raw.decode(errors="replace"))
            case _ if kind == USED_UP:
                await line.end()
            case _ if kind == LOST:
                await line.end()
                await standing.report(lambda device, at: device.connecting(at, domain.RESTARTED), patient=False)

    async def _on_replaced(self) -> None:
        """Another process has opened this session: if the shard is its own now, leave; if not, try once more."""
        standing = self._standing
        try:
            ours = await self._tools.leases.confirm(standing.shard)
        except BusAway:
            ours = True  # the guard ends this process soon, if the bus stays away
        if not ours:
            standing.log.warning("session.taken_over")
            standing.over = True
            return
        now = time.monotonic()
        again = any(now - at < _REPLACED_COUNTS_FOR for at in self._replaced)
        self._replaced.append(now)
        await standing.report(lambda device, at: device.replaced(at, again=again))
        if not again:
            await standing.changed(_AFTER_REPLACED)

    async def _on_ban(self, lasts: timedelta, reason: str) -> None:
        await self._line.end()
        await self._standing.report(lambda device, at: device.banned(at, at + lasts, reason), banned=True)

    async def _on_failure(self, reason: str, action: str | None) -> None:
        await self._line.end()
        self._failures = 1
        await self._standing.report(lambda device, at: device.failed(at, reason, action))

    async def _on_end(self, error: str) -> None:
        """The library's call came back: it could not connect, or stumbled over an event that it cannot write."""
        connected = self._line.connected
        await self._line.end()
        if "TemporaryBan" in error:  # a ban for a reason that the library has no number for
            await self._on_ban(_BAN_WITHOUT_END, "banned")
            return
        self._failures += 1
        if not connected:
            self._tools.connects.failed(self._standing.device.id)
        self._standing.log.info("session.ended", attempt=self._failures)


def _why_still(device: Device) -> str | None:
    """Tell why a device connects that did so before; room there is, or it would not."""
    return device.reason if device.state is DeviceState.CONNECTING and device.reason != domain.NO_CAPACITY else None
