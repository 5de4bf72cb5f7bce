"""Which sessions run: those of the shards that are held, of the devices for which there is something to do, as far as there is room.

A device for which there is none says so (`no-capacity`). Its shard goes to a worker that has some, see `shards.plan`; with
none anywhere it stays here, and begins as soon as another has ended.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from contracts.events.devices import DeviceState
from prometheus_client import Gauge
from servicekit.db import is_away, is_busy

from device_worker.domain import Device, DeviceMissing, Wanted
from device_worker.domain.reasons import NO_CAPACITY
from device_worker.sessions.session import Session
from device_worker.sessions.standing import Standing
from device_worker.sessions.tools import Tools
from device_worker.shards import shard_of
from device_worker.store import devices, sends

log = structlog.get_logger()

POLL_SECONDS = 5.0

WITHOUT_ROOM = Gauge("clarin_devices_without_room", "Devices that wait because no worker has room for their session.")
SESSIONS = Gauge("clarin_devices_sessions", "Devices that a worker works on, by state.", ["state"])


def has_work(device: Device) -> bool:
    """Tell whether a worker has something to do for *device*."""
    if device.wanted in (Wanted.LOGGED_OUT, Wanted.DELETED):
        return device.jid is not None or device.wanted is Wanted.DELETED
    return device.works_on_session or (device.wanted is Wanted.CONNECTED and device.state is DeviceState.PAIRING)


class Sessions:
    """Every session of this worker."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._running: dict[UUID, Session] = {}
        self._shards: set[int] = set()
        self._by_shard: Counter[int] = Counter()
        self._refused: dict[UUID, int] = {}
        self._background: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def count(self, shard: int) -> int:
        """Give how many there are of *shard*."""
        return self._by_shard[shard]

    def up(self, shard: int) -> bool:
        """Tell whether none of *shard* is still on its way up."""
        return not any(session.shard == shard and session.coming_up for session in self._running.values())

    def crowded(self) -> dict[int, int]:
        """Give the shards in which devices wait for room, each with how many sessions it would bring to another worker."""
        waiting = Counter(self._refused.values())
        return {shard: count + self._by_shard[shard] for shard, count in waiting.items()}

    def by_state(self) -> dict[str, int]:
        """Count them by where they stand."""
        return dict(Counter(session.device.state.value for session in self._running.values()))

    def device(self, device: UUID) -> Device | None:
        """Give *device* as its session here knows it."""
        session = self._running.get(device)
        return None if session is None else session.device

    def connected(self, device: UUID) -> Session | None:
        """Give the session of *device* while it can send."""
        session = self._running.get(device)
        return session if session is not None and session.client is not None else None

    async def gained(self, tokens: Mapping[int, int], handed: Collection[int] = ()) -> None:
        """Serve these shards: what a former owner was sending is judged first, then the sessions start.

        Args:
            handed: Those whose former owner let their sessions go just now.
        """
        at = datetime.now(UTC)
        await self._tools.activity.load(tokens)
        async with self._tools.system.system() as tx:
            lost = 0
            for shard, fence in tokens.items():
                lost += await sends.give_up(tx, shard, fence, at)
            found = await devices.of_shards(tx, tokens)
        if lost:
            log.warning("sends.unknown", count=lost)
        self._shards.update(tokens)
        for device in found:
            self._ensure(device, handed=shard_of(device.id) in handed)

    async def lost(self, some: Iterable[int]) -> None:
        """Serve these shards no more: returns when their sessions have ended."""
        gone = set(some)
        self._shards -= gone
        self._refused = {device: shard for device, shard in self._refused.items() if shard not in gone}
        ending = [session for session in self._running.values() if session.shard in gone]
        await asyncio.gather(*(session.stop() for session in ending), return_exceptions=True)

    async def hang_up(self) -> None:
        """Every session is off the line, as fast as it goes."""
        await asyncio.gather(*(session.hang_up() for session in list(self._running.values())), return_exceptions=True)

    async def wake(self, shard: int, device: UUID) -> None:
        """Look at *device*: somebody changed what is wanted of it."""
        if shard not in self._shards:
            return
        session = self._running.get(device)
        if session is not None:
            session.wake()
            return
        async with self._tools.system.system() as tx:
            found = await devices.in_shard(tx, shard, device)
        if found is not None:
            self._ensure(found)

    async def poll(self) -> None:
        """Look at every device of our shards: the truth, if no wake came through."""
        if not self._shards:
            return
        async with self._tools.system.system() as tx:
            found = await devices.of_shards(tx, self._shards)
        for device in found:
            session = self._running.get(device.id)
            if session is None:
                self._ensure(device)
            elif session.device.revision < device.revision:
                session.wake()
        known = {device.id for device in found}
        self._refused = {device: shard for device, shard in self._refused.items() if device in known}
        for id, session in self._running.items():
            if id not in known:
                session.wake()
        self._measure()

    def _ensure(self, device: Device, *, handed: bool = False) -> None:
        shard = shard_of(device.id)
        if not has_work(device):
            self._refused.pop(device.id, None)
        if device.id in self._running or not has_work(device) or shard not in self._shards:
            return
        # What ends here makes room, so it is never refused.
        if device.wanted is Wanted.CONNECTED and len(self._running) >= self._tools.capacity:
            self._refuse(device, shard)
            return
        self._refused.pop(device.id, None)
        session = Session(self._tools, device, handed=handed)
        self._running[device.id] = session
        self._by_shard[session.shard] += 1
        session.task.add_done_callback(lambda task: self._ended(session, task))

    def _ended(self, session: Session, task: asyncio.Task[None]) -> None:
        self._running.pop(session.device.id, None)
        self._by_shard[session.shard] -= 1
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("session.ended_by_error", device=str(session.device.id), error=type(error).__name__)
        if session.asked_again and session.shard in self._shards:  # it was woken while it was ending
            self._apart(self.wake(session.shard, session.device.id))
        for device, shard in list(self._refused.items())[: max(0, self._tools.capacity - len(self._running))]:
            self._apart(self.wake(shard, device))

    def _refuse(self, device: Device, shard: int) -> None:
        if device.id not in self._refused:
            log.warning("session.refused", device=str(device.id), capacity=self._tools.capacity)
        if device.id not in self._refused or device.reason != NO_CAPACITY:
            self._apart(Standing(self._tools, device).report(lambda device, at: device.without_room(at), patient=False))
        self._refused[device.id] = shard
        WITHOUT_ROOM.set(len(self._refused))

    def _apart(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._quietly(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        """Do *work*; with the database away the next poll does it."""
        try:
            await work
        except DeviceMissing:
            return
        except Exception as error:
            if not (is_away(error) or is_busy(error)):
                raise

    def _measure(self) -> None:
        WITHOUT_ROOM.set(len(self._refused))
        counts = self.by_state()
        for state in DeviceState:
            SESSIONS.labels(state.value).set(counts.get(state.value, 0))
