"""Sending what is queued: one device after its own order and at its own pace, all devices beside each other."""

import asyncio
import contextlib
import random
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from contracts.commands import MarkRead, SendMessage
from contracts.ids import DeviceId
from contracts.whatsapp import Address
from prometheus_client import Counter, Gauge
from servicekit import tracing
from servicekit.bus import BusAway
from servicekit.db import Database, Tx, is_away, is_busy
from servicekit.objects import ObjectMissing, ObjectsAway

from device_worker import convert
from device_worker.domain import governor
from device_worker.domain.reasons import PACED
from device_worker.host.remote import Client, HostLost
from device_worker.leases import Leases
from device_worker.media import Uploads
from device_worker.sessions import Sessions, inbound
from device_worker.shards import shard_of
from device_worker.store import fences, meters, peers
from device_worker.store import sends as queue
from device_worker.store.sends import Outcome, Send
from device_worker.whatsapp import CallFailed, Meaning, NotRunning

log = structlog.get_logger()

_MOST_ATTEMPTS = 6
_LONGEST_BACKOFF = timedelta(seconds=60)
_KNOWN_FOR = 86_400.0
_KNOWN_NUMBERS = 20_000
_FINISH_SECONDS = 2.0
_PAUSE = 0.5
_OBJECTS_PAUSE = timedelta(seconds=5)
#: A pause that is shorter is only the rhythm of sending.
_WORTH_TELLING = timedelta(milliseconds=900)
_PATIENCE = timedelta(seconds=2)

DONE = Counter("clarin_devices_sends", "Orders that ended, by outcome.", ["outcome"])
HELD = Counter("clarin_devices_sends_held", "Chats that were made to wait, by reason.", ["reason"])
DEPTH = Gauge("clarin_devices_sends_waiting", "Orders that wait in this worker's shards.")
AGE = Gauge("clarin_devices_sends_oldest_seconds", "Age of the oldest of them.")


@dataclass(frozen=True, slots=True)
class Result:
    """How one order ended; ``outcome`` None: it did not leave, and may be tried again after *wait*."""

    outcome: Outcome | None
    reason: str | None = None
    wa_id: str | None = None
    at: datetime | None = None
    alt: Address | None = None
    wait: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Held:
    """The chat of the first row waits; the next may go."""

    reason: str


@dataclass(frozen=True, slots=True)
class Typing:
    """Before *send* goes, somebody is seen typing."""

    send: UUID
    order: SendMessage


class Numbers:
    """Who is on WhatsApp, as far as it was asked lately: by number, the address behind it."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[tuple[str, str], float]] = OrderedDict()

    def find(self, phone: str) -> tuple[str, str] | None:
        """Give user and server; None when it has to be asked."""
        found = self._known.get(phone)
        if found is None or time.monotonic() - found[1] > _KNOWN_FOR:
            return None
        return found[0]

    def remember(self, phone: str, jid: tuple[str, str]) -> None:
        """Keep an answer. That somebody is not there is not kept: tomorrow he may be."""
        self._known[phone] = (jid, time.monotonic())
        self._known.move_to_end(phone)
        if len(self._known) > _KNOWN_NUMBERS:
            self._known.popitem(last=False)


class Sends:
    """One task for each device that has something to send, and none for the others."""

    def __init__(self, system: Database, sessions: Sessions, leases: Leases, uploads: Uploads) -> None:
        self._system, self._sessions, self._leases = system, sessions, leases
        self._uploads = uploads
        self._numbers = Numbers()
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._again: set[UUID] = set()
        self._doubtful: set[UUID] = set()
        self._shards: set[int] = set()
        self._timers: dict[UUID, asyncio.TimerHandle] = {}
        self._typed: dict[UUID, UUID] = {}

    def gained(self, some: Iterable[int]) -> None:
        """Send for these shards."""
        self._shards.update(some)

    async def lost(self, some: Iterable[int]) -> None:
        """Send for these shards no more. What is on its way gets two seconds; after that nobody here knows how it ended."""
        gone = set(some)
        self._shards -= gone
        tasks = [task for device, task in self._running.items() if shard_of(device) in gone]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_FINISH_SECONDS)
            if late:
                log.warning("sends.left_behind", count=len(late))

    def wake(self, device: UUID) -> None:
        """Something may be there to send for *device*."""
        if shard_of(device) not in self._shards or self._sessions.connected(device) is None:
            return
        if device in self._running:
            self._again.add(device)
            return
        if timer := self._timers.pop(device, None):
            timer.cancel()
        task = asyncio.create_task(self._drain(DeviceId(device)), name=f"sends {device}")
        self._running[device] = task
        task.add_done_callback(lambda task: self._ended(device, task))

    async def poll(self) -> None:
        """Wake every device for which something waits, and fail what has waited too long."""
        if not self._shards:
            return
        async with self._system.system() as tx:
            at = datetime.now(UTC)
            expired = await queue.expire(tx, self._shards, at)
            await queue.explain_unconnected(tx, self._shards, at)
            waiting = await queue.waiting(tx, self._shards)
            depth, age = await queue.depth(tx, self._shards)
        if expired:
            DONE.labels("expired").inc(expired)
        DEPTH.set(depth)
        AGE.set(age)
        for device in waiting:
            if device not in self._timers:  # what has a time to wait for is woken then, or by what changes it
                self.wake(device)

    def _ended(self, device: UUID, task: asyncio.Task[None]) -> None:
        self._running.pop(device, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("sends.failed", device=str(device), error=type(error).__name__, exc_info=error)
        elif device in self._again:
            self._again.discard(device)
            self.wake(device)

    async def _drain(self, device: DeviceId) -> None:
        """Send what waits, one after the other, until nothing does or the session is gone."""
        shard = shard_of(device)
        while shard in self._shards and self._sessions.connected(device) is not None:
            self._again.discard(device)
            try:
                fence = self._leases.fence(shard)
                if fence is None:
                    return
                async with self._system.system() as tx:
                    if device in self._doubtful:
                        await queue.put_back(tx, shard, fence, device)
                    step = await self._next(tx, shard, fence, device)
                self._doubtful.discard(device)
            except fences.Fenced:
                with contextlib.suppress(BusAway):
                    await self._leases.reclaim(shard)
                return
            except Exception as error:
                if not (is_away(error) or is_busy(error)):
                    raise
                # After a COMMIT that failed nobody knows whether the row is marked. It is not in hand: it goes back first.
                self._doubtful.add(device)
                await asyncio.sleep(_PAUSE)
                continue
            match step:
                case None:
                    return
                case datetime():
                    self._later(device, (step - datetime.now(UTC)).total_seconds())
                    return
                case Send():
                    self._typed.pop(device, None)
                    with tracing.span("whatsapp send", parent=step.trace, kind="client") as span:
                        result = await self._send(step)
                        span.tell(clarin__outcome=result.outcome or "again", clarin__reason=result.reason or "")
                        await self._record(step, fence, result)
                        if result.wa_id is not None:
                            inbound.sent(device, result.wa_id, span.trace)
                case Typing():
                    await self._type(device, step)
                case Held():
                    HELD.labels(step.reason).inc()

    async def _next(self, tx: Tx, shard: int, fence: int, device: DeviceId) -> "Send | Held | Typing | datetime | None":
        """Take the next row, or say what comes first.

        Returns:
            A time: nothing may go before it. None: nothing waits.
        """
        first = await queue.first(tx, shard, fence, device)
        if first is None or first.send is None:
            return None if first is None else first.next_at
        send, at = first.send, datetime.now(UTC)
        if not isinstance(send.order, SendMessage):
            return await queue.mark(tx, send, fence)
        if first.number.pace.enabled:
            match governor.decide(first.meter, first.number, first.to, at, random.random()):  # noqa: S311
                case governor.Hold(reason, until, chat=True):
                    await queue.hold(tx, send, reason, until, at)
                    return Held(reason)
                case governor.Hold(reason, until):
                    if reason != PACED:
                        await queue.explain(tx, send.tenant, device, reason, until, at)
                    elif until - at > _WORTH_TELLING:
                        await queue.explain(tx, send.tenant, device, reason, None, at, after=_PATIENCE)
                    return until
                case governor.Go(meter):
                    if first.number.pace.typing and send.order.text and self._typed.get(device) != send.id:
                        return Typing(send.id, send.order)
                    await meters.save(tx, send.tenant, device, meter)
        if not first.to.known and not first.to.group and send.peer is not None:
            await peers.wrote(tx, [((send.tenant, device, send.peer), None)])
        return await queue.mark(tx, send, fence)

    async def _type(self, device: DeviceId, typing: "Typing") -> None:
        """Be seen typing for a while. The message is not marked meanwhile: it may be cancelled, or go from elsewhere."""
        self._typed[device] = typing.send
        session = self._sessions.connected(device)
        client = session.client if session is not None else None
        if client is None:
            return
        with contextlib.suppress(NotRunning, CallFailed, ValueError):
            if (where := await self._where(client, typing.order)) is not None:
                await client.typing(*where)
                await asyncio.sleep(governor.typing_seconds(typing.order.text or "", random.random()))  # noqa: S311

    def _later(self, device: UUID, seconds: float) -> None:
        if device not in self._timers:
            self._timers[device] = asyncio.get_running_loop().call_later(max(seconds, 0.01), self._wake_late, device)

    def _wake_late(self, device: UUID) -> None:
        self._timers.pop(device, None)
        self.wake(device)

    async def _send(self, send: Send) -> Result:
        session = self._sessions.connected(send.device)
        client = session.client if session is not None else None
        if client is None:
            return Result(None)
        if send.expires_at <= datetime.now(UTC):
            return Result("failed", "expired")
        try:
            if isinstance(send.order, MarkRead):
                return await self._mark_read(client, send.order)
            return await self._message(client, send.order)
        except NotRunning:
            return Result(None)
        except HostLost:
            return Result("unknown", "worker-lost")
        except CallFailed as error:
            return _failed(error, send.attempts)

    async def _message(self, client: Client, order: SendMessage) -> Result:
        try:
            found = await self._where(client, order)
        except ValueError:
            return Result("failed", "address-not-supported")
        if found is None:
            return Result("failed", "not-on-whatsapp")
        try:
            uploaded = await self._uploads(client, order)
        except ObjectMissing:
            return Result("failed", "media-missing")
        except ObjectsAway:
            return Result(None, wait=_OBJECTS_PAUSE)
        message = convert.compose(order, uploaded)
        if message is None:
            return Result("failed", "kind-not-supported")
        user, server = found
        alt = convert.parse_address(f"{user}@{server}")
        sent = await client.send(user, server, message)
        at = datetime.fromtimestamp(sent.at, UTC) if sent.at > 0 else datetime.now(UTC)
        return Result("sent", wa_id=sent.wa_id, at=at, alt=alt if alt != order.to else None)

    async def _where(self, client: Client, order: SendMessage) -> tuple[str, str] | None:
        """Give the user and server that the order goes to; None: nobody is there.  Raises: ValueError: to such an address nothing goes."""
        user, server = convert.jid_parts(order.to)
        if order.to.kind != "pn":
            return user, server
        found = self._numbers.find(user)
        if found is None and (found := await client.on_whatsapp(user)) is not None:
            self._numbers.remember(user, found)
        # WhatsApp knows some numbers by other digits than people dial, so its own answer is what is sent to.
        return found

    async def _mark_read(self, client: Client, order: MarkRead) -> Result:
        chat = convert.jid_parts(order.chat)
        sender = convert.jid_parts(order.sender) if order.sender is not None else chat
        await client.mark_read(order.wa_ids, int(order.at.timestamp()), chat, sender)
        return Result("sent")

    async def _record(self, send: Send, fence: int, result: Result) -> None:
        """Write how it ended, however long the database is away: what was sent must not be sent again."""
        while True:
            try:
                async with self._system.system() as tx:
                    if result.outcome is None:
                        await queue.again(tx, send, fence, result.wait)
                    else:
                        at = result.at or datetime.now(UTC)
                        await queue.finish(tx, send, fence, result.outcome, at=at, wa_id=result.wa_id, reason=result.reason, alt=result.alt)
                break
            except Exception as error:
                if not (is_away(error) or is_busy(error)):
                    raise
                await asyncio.sleep(_PAUSE)
        if result.outcome is not None:
            DONE.labels(result.outcome if result.reason is None else result.reason).inc()
        elif not result.wait:
            await asyncio.sleep(_PAUSE)  # the session is going; the next one wakes us


def _failed(error: CallFailed, attempts: int) -> Result:
    match error.meaning:
        case Meaning.NOT_ON_WHATSAPP:
            return Result("failed", "not-on-whatsapp")
        case Meaning.REFUSED:
            return Result("failed", "refused")
        case Meaning.NOT_CONNECTED:
            return Result(None)
        case Meaning.NOT_SENT if attempts < _MOST_ATTEMPTS:
            return Result(None, wait=min(timedelta(seconds=2**attempts / 2), _LONGEST_BACKOFF))
        case Meaning.NOT_SENT:
            return Result("failed", "not-sent")
        case Meaning.UNKNOWN:
            return Result("unknown", "no-answer")
