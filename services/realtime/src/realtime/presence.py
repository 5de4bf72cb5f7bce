"""Who is there: what the clients of this replica say goes into a bucket, what stands in it goes to the colleagues.

Each replica writes one entry for each of its users when it changes, and one for itself every few seconds; one that dies stops
doing so, and what it said of its users holds no more. All replicas hear all entries, so a user with two tabs on two replicas is
one user.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import msgspec
import structlog
from contracts import buckets, ids
from contracts.ephemeral import AgentTyping
from contracts.ids import TenantId, UserId
from contracts.presence import Colleague, Present
from contracts.principal import Principal
from servicekit.bus import Bus, BusAway, Entry, KeyValue, Watch
from servicekit.bus.keyvalue import Watcher
from servicekit.timers import first

from realtime.chats import Chats
from realtime.frames import About, View, allowed, public, view_of
from realtime.hub import Hub
from realtime.roster import Key, Roster, merged

_AT_ONCE = 64

log = structlog.get_logger()

_present = msgspec.json.Decoder(Present)


class Somebody(Protocol):
    """Where a statement comes from: one client."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How presence keeps time, in seconds.

    Attributes:
        again: How often a replica says that it lives.
        gone: After how long without that it is taken for dead; under the age at which its entry dies.
        anew: How often a user's entry is written again though nothing changed; well under the age at which it dies.
        linger: How long somebody whose last socket closed may take to come back unnoticed.
    """

    again: float = 4
    gone: float = 11
    anew: float = 300
    linger: float = 2


@dataclass(slots=True)
class _Mine:
    """What the clients of one user say here."""

    said: dict[Somebody, Present] = field(default_factory=dict)
    written: float = 0.0
    changed: bool = True


class Presence:
    """The presence of this replica's clients, told to all, and that of everybody, told to this replica's clients."""

    def __init__(self, bus: Bus, hub: Callable[[], Hub], chats: Chats, pace: Pace | None = None) -> None:
        """Tell over *bus* and to *hub*; *chats* know who may see which."""
        self.replica = ids.new().hex
        self._bus = bus
        self._hub = hub
        self._chats = chats
        self._pace = pace or Pace()
        self._roster = Roster(self._pace.gone)
        self._mine: dict[Key, _Mine] = {}
        self._dirty = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: set[Key] = set()
        self._lived = -math.inf
        chats.changed.append(self._on_chat)

    # What clients say

    def say(self, client: Somebody, principal: Principal, present: Present) -> None:
        """Take what *client* says of its user."""
        mine = self._mine.setdefault((principal.tenant, principal.id), _Mine())
        if mine.said.get(client) != present:
            mine.said[client] = present
            mine.changed = True
            self._dirty.set()

    def leave(self, client: Somebody, principal: Principal) -> None:
        """Forget what *client* said, unless its user is back in a moment."""
        mine = self._mine.get((principal.tenant, principal.id))
        if mine is not None and client in mine.said:
            asyncio.get_running_loop().call_later(self._pace.linger, self._drop, client, (principal.tenant, principal.id))

    def _drop(self, client: Somebody, key: Key) -> None:
        mine = self._mine.get(key)
        if mine is not None and mine.said.pop(client, None) is not None:
            mine.changed = True
            self._dirty.set()

    async def readable(self, principal: Principal, chats: tuple[str, ...]) -> tuple[str, ...]:
        """Leave those of *chats* that *principal* may see."""
        view = view_of(principal)
        if not view.whole:
            await self._chats.learn(principal.tenant, chats)
        return self._seen(principal.tenant, view, chats)

    async def type(self, principal: Principal, chat: str, state: str) -> None:
        """Tell the colleagues that *principal* writes in *chat*, or has stopped."""
        if await self.readable(principal, (chat,)):
            await self._bus.shout(principal.tenant, AgentTyping(chat_id=chat, user_id=public(principal.id), state=state))

    # What everybody hears

    async def there(self, tenant: TenantId, view: View) -> list[Colleague]:
        """Give everybody of *tenant* who is there, as *view* may see them."""
        if not view.whole:
            await self._chats.learn(tenant, [chat for present in self._roster.everyone(tenant).values() for chat in present.chats])
        found = self._roster.everyone(tenant)
        return [self._colleague(tenant, view, user, found[user]) for user in sorted(found)]

    def _colleague(self, tenant: TenantId, view: View, user: UserId, present: Present | None) -> Colleague:
        if present is None:
            return Colleague(user_id=public(user), state="offline")
        return Colleague(user_id=public(user), state=present.state, chats=self._seen(tenant, view, present.chats))

    def _seen(self, tenant: TenantId, view: View, chats: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(chat for chat in chats if allowed(view, "", About.CHAT, self._chats.of(tenant, chat)))

    def _on_chat(self, tenant: TenantId, chat: str) -> None:
        for user, present in self._roster.everyone(tenant).items():
            if chat in present.chats:
                self._soon(tenant, user)

    def _soon(self, tenant: TenantId, user: UserId) -> None:
        if (tenant, user) not in self._due and self._hub().views(tenant):
            self._due.add((tenant, user))
            task = asyncio.get_running_loop().create_task(self._tell(tenant, user))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self, tenant: TenantId, user: UserId) -> None:
        self._due.discard((tenant, user))
        hub = self._hub()
        present = self._roster.of(tenant, user)
        if present is not None and not all(view.whole for view in hub.views(tenant)):
            await self._chats.learn(tenant, present.chats)
            present = self._roster.of(tenant, user)  # as it is by now: a later word must not be followed by an older one
        hub.shout(tenant, "presence", lambda view: msgspec.json.encode(self._colleague(tenant, view, user, present)))

    # The bucket

    async def run(self, stopping: asyncio.Event) -> None:
        """Write what is said here and hear what is said elsewhere, until *stopping*; then take back what stands of here."""
        bucket = await self._bus.bucket(buckets.PRESENCE)
        replicas = await self._bus.bucket(buckets.REPLICAS)
        # Who lives first: of what a replica said long ago nothing is to be heard before it is known whether it still holds.
        watches = [await self._watch(replicas, self._on_replica, stopping), await self._watch(bucket, self._on_entry, stopping)]
        try:
            while not stopping.is_set():
                self._dirty.clear()
                if await self._live(replicas):
                    await self._write(bucket)
                for tenant, user in self._roster.expire(time.monotonic()):
                    self._soon(tenant, user)
                await first(stopping, self._dirty, timeout=min(1.0, self._pace.again / 2))
        finally:
            for watch in watches:
                if watch is not None:
                    await watch.close()
            for task in self._tasks:
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                for mine in self._mine.values():
                    mine.said.clear()
                    mine.changed = True
                await self._write(bucket)

    async def _watch(self, bucket: KeyValue, handler: Watcher, stopping: asyncio.Event) -> Watch | None:
        while not stopping.is_set():
            try:
                return await bucket.watch(handler)
            except BusAway as away:
                log.info("waiting for the bus", reason=str(away))
                await first(stopping, timeout=1.0)
        return None

    async def _live(self, replicas: KeyValue) -> bool:
        """Say, where it is time, that this replica lives; False: the bus is away."""
        now = time.monotonic()
        if now - self._lived < self._pace.again:
            return True
        try:
            await replicas.put(self.replica, b"", timeout=2)
        except BusAway:
            return False
        self._lived = now
        return True

    async def _on_replica(self, replica: str, entry: Entry | None) -> None:
        """Hear that a replica lives: what is read now may be old. Of clocks that differ the worst is a flicker."""
        age = self._pace.gone if entry is None else max(time.time() - entry.created.timestamp(), 0.0)
        if age < self._pace.gone:
            for tenant, user in self._roster.beat(replica, time.monotonic() - age):
                self._soon(tenant, user)

    async def _on_entry(self, key: str, entry: Entry | None) -> None:
        """Take over a change of the bucket; None when somebody left."""
        try:
            tenant_id, user_id, replica = key.split(".")
            tenant, user = TenantId(UUID(tenant_id)), UserId(UUID(user_id))
            present = None if entry is None else _present.decode(entry.value)
        except (ValueError, msgspec.DecodeError):
            log.error("a presence of the bucket cannot be read")
            return
        if self._roster.hear(tenant, user, replica, present, time.monotonic()):
            self._soon(tenant, user)

    async def _write(self, bucket: KeyValue) -> None:
        now = time.monotonic()
        due = [key for key, mine in self._mine.items() if mine.changed or now - mine.written >= self._pace.anew]
        for start in range(0, len(due), _AT_ONCE):
            wrote = await asyncio.gather(*(self._put(bucket, key, now) for key in due[start : start + _AT_ONCE]))
            if not all(wrote):
                return  # the bus is away: all of it again in a moment

    async def _put(self, bucket: KeyValue, key: Key, now: float) -> bool:
        mine = self._mine[key]
        mine.changed = False
        present = merged(list(mine.said.values()))
        name = f"{key[0]}.{key[1]}.{self.replica}"
        try:
            if present is None:
                await bucket.delete(name, timeout=2)
                if not mine.said:
                    self._mine.pop(key, None)
            else:
                await bucket.put(name, msgspec.json.encode(present), timeout=2)
        except BusAway:
            mine.changed = True
            return False
        mine.written = now
        return True
