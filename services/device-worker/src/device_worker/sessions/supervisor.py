"""Which sessions run: those of the shards that are held, of the devices for which there is something to do."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

import structlog
from contracts.events.devices import DeviceState
from prometheus_client import Gauge
from servicekit.db import is_away, is_busy

from device_worker.domain import Device, Wanted
from device_worker.sessions.session import Session, Tools
from device_worker.shards import shard_of
from device_worker.store import devices, sends

log = structlog.get_logger()

POLL_SECONDS = 5.0

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

    def __len__(self) -> int:
        return len(self._running)

    def count(self, shard: int) -> int:
        """Give how many there are of *shard*."""
        return self._by_shard[shard]

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

    async def gained(self, tokens: Mapping[int, int]) -> None:
        """Serve these shards: what a former owner was sending is judged first, then the sessions start."""
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
            self._ensure(device)

    async def lost(self, some: Iterable[int]) -> None:
        """Serve these shards no more: returns when their sessions have ended."""
        gone = set(some)
        self._shards -= gone
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
        for id, session in self._running.items():
            if id not in known:
                session.wake()
        self._measure()

    def _ensure(self, device: Device) -> None:
        if device.id in self._running or not has_work(device) or shard_of(device.id) not in self._shards:
            return
        session = Session(self._tools, device)
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
            again = asyncio.create_task(self._wake_again(session.shard, session.device.id))
            again.add_done_callback(lambda _: None)

    async def _wake_again(self, shard: int, device: UUID) -> None:
        try:
            await self.wake(shard, device)
        except Exception as error:
            if not (is_away(error) or is_busy(error)):
                raise

    def _measure(self) -> None:
        counts = self.by_state()
        for state in DeviceState:
            SESSIONS.labels(state.value).set(counts.get(state.value, 0))
