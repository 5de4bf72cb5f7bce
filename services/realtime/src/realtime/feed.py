"""The bus as the hub hears it: events in the stream's order, and what may be lost."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from uuid import UUID

import msgspec
import structlog
from contracts import events as _declared  # noqa: F401  importing them declares them
from contracts import ids, subjects
from contracts.envelope import REGISTRY, Audience
from contracts.ephemeral import EVERY as EPHEMERALS
from contracts.ephemeral import Typing
from contracts.ids import DeviceId, TenantId, UserId
from servicekit import tracing
from servicekit.bus import Bus, BusAway, Fact, Ordered

from realtime.chats import Chats
from realtime.frames import About, Happened, View, allowed
from realtime.hub import Hub, Ring

#: What the whole account shares: everybody is told.
_SHARED = frozenset({"contact_erased", "tag_changed", "pipeline_changed", "pipeline_deleted"})


def _about(service: str, frame: str) -> About:
    """Tell what decides who may see a frame: where nothing else is known, who reads the chat that it is about."""
    if frame in _SHARED or service == "webhooks":
        return About.ACCOUNT
    return About.NUMBER if service == "devices" else About.CHAT


#: The frame of each event that becomes one, with what decides who may see it, by its subject without the tenant.
FRAMES: dict[str, tuple[str, About]] = {
    subjects.every(body).removesuffix(".*"): (body.topic.frame, _about(body.topic.service, body.topic.frame))
    for body in REGISTRY.values()
    if body.topic.public and body.topic.frame
}
_EPHEMERAL_FRAMES = {(body.service, body.what): body.frame for body in EPHEMERALS if body.frame}

_TYPING = Typing.frame

_CONTACT_ERASED = "contact_erased"

#: Told as well to who could see the chat until then.
_ASSIGNED = "chat_assigned"

#: Sockets that catch up from the stream at a time: each is a consumer of the server's.
_CATCHING_UP = 16
_CATCH_UP_S = 10.0

#: A customer who writes says so every few seconds; so long after the last time he has stopped, whatever became of the word that he did.
_WRITES_S = 12.0
_WRITERS = 20_000

#: Events that are told before the sockets may write.
_BURST = 64

log = structlog.get_logger()


class _Shouted(msgspec.Struct, frozen=True):
    """As much of an ephemeral as decides who hears it."""

    device_id: str | None = None
    chat_id: str | None = None
    state: str | None = None


class _Moved(msgspec.Struct, frozen=True):
    """As much of an assignment as says who had the chat before."""

    previous_id: str | None = None
    previous_team_id: str | None = None


class _Erased(msgspec.Struct, frozen=True):
    """By what somebody was named who is erased."""

    id: str
    merged: tuple[str, ...] = ()
    chat_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()


class _Told(msgspec.Struct, frozen=True):
    """As much of an envelope as a socket needs; its data stays as it is."""

    data: msgspec.Raw
    audience: Audience = Audience()
    trace: str | None = None


_told = msgspec.json.Decoder(_Told)
_erased = msgspec.json.Decoder(_Erased)
_shouted = msgspec.json.Decoder(_Shouted)
_moved = msgspec.json.Decoder(_Moved)


def filters(tenant: TenantId | None = None) -> list[str]:
    """Name what becomes frames: of one tenant, or of all."""
    return [f"{stem}.{tenant or '*'}" for stem in FRAMES]


def read(sequence: int, subject: str, payload: bytes) -> Happened | None:
    """Read an event that becomes a frame; None for anything else, and for what cannot be read, which is logged."""
    stem, _, tenant = subject.rpartition(".")
    kind = FRAMES.get(stem)
    if kind is None:
        return None
    frame, about = kind
    try:
        told = _told.decode(payload)
        data = bytes(told.data)
        former = _former(data, told.audience) if frame == _ASSIGNED else None
        return Happened(sequence, TenantId(UUID(tenant)), told.audience, frame, data, about, former, told.trace)
    except (msgspec.DecodeError, ValueError):
        log.error("event cannot be read", subject=subject, sequence=sequence)
        return None


def _former(data: bytes, audience: Audience) -> Audience:
    moved = _moved.decode(data)
    assignee = UserId(ids.parse(ids.USER, moved.previous_id)) if moved.previous_id else None
    team = ids.parse(ids.TEAM, moved.previous_team_id) if moved.previous_team_id else None
    return Audience(device=audience.device, team=team, assignee=assignee)


def _device(text: str | None) -> Audience:
    try:
        return Audience() if text is None else Audience(device=DeviceId(ids.parse(ids.DEVICE, text)))
    except ValueError:
        return Audience()


def epoch_of(created: str) -> str:
    """Name a stream by when it was made: short, and fit for a URL."""
    return hashlib.sha256(created.encode()).hexdigest()[:12]


class Feed:
    """One ordered reader of the stream for all sockets of this replica.

    Attributes:
        ready: Set once the history is in memory.
        chats: Whose the chats are that somebody has open.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        history: int,
        size: int,
        limit: int,
        observe: Callable[[float], None] = lambda _: None,
        writes: float = _WRITES_S,
    ) -> None:
        """Keep *history* events of at most *size* bytes; let a socket catch up on *limit* from the stream; *observe* delays.

        Args:
            writes: For how many seconds it is believed that a customer writes.
        """
        self.chats = Chats(bus)
        self._bus = bus
        self._history = history
        self._size = size
        self._limit = limit
        self._observe = observe
        self._catching_up = asyncio.Semaphore(_CATCHING_UP)
        self._last = 0
        self._flushing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._writes = writes
        self._writers: dict[tuple[TenantId, str], asyncio.TimerHandle] = {}
        self.ready = asyncio.Event()
        self.hub = Hub("", Ring(0, events=history, size=size))

    async def run(self, stopping: asyncio.Event) -> None:
        """Tell the hub everything that happens until *stopping*."""
        following = asyncio.create_task(self._follow())
        stopped = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait([following, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in (following, stopped):
            if task not in done:
                task.cancel()
        if following in done:
            following.result()

    async def _follow(self) -> None:
        heard = await self._bus.listen("eph.>", self._on_ephemeral)
        try:
            async with await self._begin() as ordered:
                await self._read(ordered)
        finally:
            await heard.close()
            for timer in self._writers.values():
                timer.cancel()

    async def _begin(self) -> Ordered:
        while True:
            try:
                state = await self._bus.stream_state()
                start = max(state.first_sequence, state.last_sequence - self._history + 1, 1)
                ordered = await self._bus.ordered(filters(), start)
            except BusAway as away:
                log.info("waiting for the bus", reason=str(away))
                await asyncio.sleep(1)
                continue
            self.hub = Hub(epoch_of(ordered.created), Ring(start - 1, events=self._history, size=self._size))
            self._last = state.last_sequence
            if ordered.pending == 0:
                self._caught_up(self._last)
            return ordered

    async def _read(self, ordered: Ordered) -> None:
        left = ordered.pending
        burst = 0
        async for fact in ordered:
            self._on_fact(fact, ordered.created)
            burst += 1
            if burst >= _BURST:  # what waits for the sockets is bounded only if they get their turn
                burst = 0
                self._flush()
                await asyncio.sleep(0)
            if not self.ready.is_set():
                left -= 1
                if left <= 0 or fact.sequence >= self._last:
                    self._caught_up(self._last)

    def _caught_up(self, last: int) -> None:
        self.hub.position = max(self.hub.position, last)
        self.ready.set()
        log.info("caught up", events=len(self.hub.ring), position=self.hub.position)

    def _on_fact(self, fact: Fact, created: str) -> None:
        if fact.gap:
            log.warning("events were missed", position=self.hub.position, sequence=fact.sequence)
            self.hub.lose(fact.sequence - 1, epoch_of(created))
            self.chats.forget()
        happened = read(fact.sequence, fact.subject, fact.payload)
        if happened is not None:
            if happened.frame == _CONTACT_ERASED:
                self._erase(happened)
            if self.hub.publish(happened) and not self._flushing:
                self._flushing = True
                asyncio.get_running_loop().call_soon(self._flush)
            if happened.about is About.CHAT:
                self.chats.note(happened.tenant, happened.data, happened.audience)
            if self.ready.is_set():
                took = time.time() - fact.at.timestamp()
                self._observe(took)
                tracing.record(f"frame {happened.frame}", parent=happened.trace, took=took)

    def _erase(self, happened: Happened) -> None:
        """Whoever resumes is not told again what was about somebody who is erased."""
        fact = _erased.decode(happened.data)
        needles = [f'"{id}"'.encode() for id in (fact.id, *fact.merged, *fact.chat_ids, *fact.message_ids)]
        self.hub.ring.erase(happened.tenant, lambda one: one.frame != _CONTACT_ERASED and any(needle in one.data for needle in needles))

    def _flush(self) -> None:
        self._flushing = False
        self.hub.flush()

    async def _on_ephemeral(self, subject: str, payload: bytes) -> None:
        match subject.split("."):
            case ["eph", service, what, tenant] if (service, what) in _EPHEMERAL_FRAMES:
                self._shout(TenantId(UUID(tenant)), _EPHEMERAL_FRAMES[service, what], payload)

    def _shout(self, tenant: TenantId, frame: str, payload: bytes) -> None:
        """Tell what may be lost to who may see its chat, or its number; where it names neither, to who sees the whole account."""
        views = self.hub.views(tenant)
        if not views:
            return
        try:
            shouted = _shouted.decode(payload)
        except msgspec.DecodeError:
            log.error("an ephemeral cannot be read", frame=frame)
            return
        number, chat = _device(shouted.device_id), shouted.chat_id
        if frame == _TYPING and chat is not None:
            self._believe(tenant, chat, shouted)
        if chat is None or self.chats.of(tenant, chat) is not None or all(view.whole or (number.device and not view.who) for view in views):
            self._tell(tenant, frame, payload, number, chat)
        elif len(self._tasks) < _CATCHING_UP:  # what may be lost does not queue up
            task = asyncio.get_running_loop().create_task(self._tell_later(tenant, frame, payload, number, chat))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _believe(self, tenant: TenantId, chat: str, shouted: _Shouted) -> None:
        """Whoever writes is said to have stopped, if he does not say it himself."""
        if (timer := self._writers.pop((tenant, chat), None)) is not None:
            timer.cancel()
        if shouted.state == "paused" or len(self._writers) >= _WRITERS:
            return

        def stopped() -> None:
            payload = msgspec.json.encode(Typing(chat_id=chat, state="paused", device_id=shouted.device_id))
            self._shout(tenant, _TYPING, payload)

        self._writers[tenant, chat] = asyncio.get_running_loop().call_later(self._writes, stopped)

    async def _tell_later(self, tenant: TenantId, frame: str, payload: bytes, number: Audience, chat: str) -> None:
        await self.chats.learn(tenant, [chat])
        self._tell(tenant, frame, payload, number, chat)

    def _tell(self, tenant: TenantId, frame: str, payload: bytes, number: Audience, chat: str | None) -> None:
        known = None if chat is None else self.chats.of(tenant, chat)

        def hears(view: View) -> bool:
            if known is not None:
                return allowed(view, frame, About.CHAT, known)
            # Whose chat it is nobody could say: only who sees every chat of the number hears it.
            return allowed(view, frame, About.NUMBER, number) and (chat is None or view.who is None)

        self.hub.shout(tenant, frame, lambda view: payload if hears(view) else None)

    async def last_sequence(self) -> int:
        """Ask where the stream stands.  Raises: BusAway."""
        return (await self._bus.stream_state()).last_sequence

    async def since(self, tenant: TenantId, since: int) -> list[Happened] | None:
        """Read a tenant's events after *since* from the stream; None when they are too many, too old, or the bus is away.

        What it gives is whole up to the stream's end as of now, so at least up to the hub's position at the call.
        """
        try:
            async with (
                asyncio.timeout(_CATCH_UP_S),
                self._catching_up,
                await self._bus.ordered(filters(tenant), since + 1) as ordered,
            ):
                if ordered.pending > self._limit or epoch_of(ordered.created) != self.hub.epoch:
                    return None
                if ordered.pending == 0:
                    return [] if since + 1 >= (await self._bus.stream_state()).first_sequence else None
                return await self._collect(ordered)
        except (BusAway, TimeoutError) as away:
            log.info("catching up failed", reason=type(away).__name__)
            return None

    async def _collect(self, ordered: Ordered) -> list[Happened] | None:
        found: list[Happened] = []
        left = ordered.pending
        async for fact in ordered:
            if fact.gap:
                return None
            happened = read(fact.sequence, fact.subject, fact.payload)
            if happened is not None:
                found.append(happened)
            left -= 1
            if left <= 0:
                break
        return found
