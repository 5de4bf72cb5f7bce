"""Claiming lanes: every replica looks for those in which something is due, at each NOTIFY and once a second."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog
from contracts import ids
from prometheus_client import Gauge
from servicekit.bus.failures import is_away, where
from servicekit.db import Database, raw
from servicekit.timers import first
from servicekit.vault import Vault

from webhooks.sender.lane import Lane, lease_end
from webhooks.sender.recorder import Recorder
from webhooks.sender.target import Target
from webhooks.store import lanes
from webhooks.store.lanes import Key

LEASE = timedelta(seconds=20)
RENEW_SECONDS = 4.0
POLL_SECONDS = 1.0
CLAIM = 50
STOP_SECONDS = 3.0

LANES = Gauge("clarin_webhooks_lanes", "Endpoints that this process sends to right now.")

log = structlog.get_logger()


class Dispatcher:
    """Holds lanes, at most *most* at a time, and runs them."""

    def __init__(self, db: Database, system: Database, target: Target, vault: Vault, *, most: int = 200, lease: timedelta = LEASE) -> None:
        self.owner = ids.new()
        self._db = db
        self._system = system
        self._target = target
        self._vault = vault
        self._most = most
        self._lease = lease
        self._recorder = Recorder(db)
        self._lanes: dict[Key, tuple[Lane, asyncio.Task[None]]] = {}
        self._by_endpoint: dict[UUID, Lane] = {}
        self._wake = asyncio.Event()
        self._crowded = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until *stopping*; whatever is away, wait and go on."""
        parts = [asyncio.create_task(part) for part in (self._recorder.run(), self._listen(), self._renew())]
        claiming = asyncio.create_task(self._claim(stopping))
        try:
            await asyncio.wait([claiming, *parts], return_when=asyncio.FIRST_COMPLETED)
            for part in (claiming, *parts):
                if part.done():
                    part.result()
            await self._settle()
        finally:
            for part in (claiming, *parts, *(task for _, task in self._lanes.values())):
                part.cancel()
            await asyncio.gather(claiming, *parts, *(task for _, task in self._lanes.values()), return_exceptions=True)

    async def _claim(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._wake.clear()
            taken = 0
            room = min(CLAIM, self._most - len(self._lanes))
            try:
                if room > 0:
                    before = asyncio.get_running_loop().time()
                    async with self._system.system() as tx:
                        keys = await lanes.claim(await raw(tx), self.owner, self._lease, room)
                    taken = len(keys)
                    for key in keys:
                        self._begin(key, lease_end(before, self._lease))
            except Exception as error:
                kind = log.warning if is_away(error) else log.error
                kind("lanes cannot be claimed", error=type(error).__name__, where=where(error))
            full = len(self._lanes) >= self._most
            self._crowded.set() if full else self._crowded.clear()
            if taken < room or full:
                await first(self._wake, stopping, timeout=POLL_SECONDS)

    def _begin(self, key: Key, until: float) -> None:
        lane = Lane(key, self.owner, db=self._db, target=self._target, recorder=self._recorder, vault=self._vault, until=until)
        task = asyncio.create_task(lane.run(self._crowded), name=f"lane {key[1]}")
        self._lanes[key] = lane, task
        self._by_endpoint[key[1]] = lane
        LANES.set(len(self._lanes))
        task.add_done_callback(lambda _: self._ended(key, lane))

    def _ended(self, key: Key, lane: Lane) -> None:
        if self._lanes.get(key, (None,))[0] is lane:
            del self._lanes[key]
            del self._by_endpoint[key[1]]
            LANES.set(len(self._lanes))
        self._wake.set()

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if not self._lanes:
                continue
            before = loop.time()
            try:
                async with self._system.system() as tx:
                    held = await lanes.renew(await raw(tx), self.owner, self._lease)
            except Exception as error:
                log.warning("leases cannot be renewed", error=type(error).__name__, where=where(error))
                continue
            for key, (lane, _) in list(self._lanes.items()):
                if key in held:
                    lane.until = lease_end(before, self._lease)

    async def _listen(self) -> None:
        """Wake lanes, and the claims, at each NOTIFY, over a connection that does nothing else."""

        def notified(connection: object, pid: int, channel: str, payload: object) -> None:
            for name in str(payload).split(",") if payload else ():
                with suppress(ValueError):
                    lane = self._by_endpoint.get(UUID(name))
                    if lane is not None:
                        lane.woken.set()
                        continue
                self._wake.set()
            if not payload:
                self._wake_all()

        while True:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                gone = asyncio.Event()
                connection = await asyncpg.connect(self._system.url, timeout=5, server_settings={"application_name": "webhooks-listen"})
                try:
                    connection.add_termination_listener(lambda _, gone=gone: gone.set())
                    await connection.add_listener(lanes.CHANNEL, notified)
                    self._wake_all()
                    await gone.wait()
                finally:
                    connection.terminate()
            await asyncio.sleep(1.0)

    def _wake_all(self) -> None:
        self._wake.set()
        for lane, _ in self._lanes.values():
            lane.woken.set()

    async def _settle(self) -> None:
        """Let the attempts under way end, and give every lane back, so that another replica goes on at once."""
        held = list(self._lanes.values())
        for lane, _ in held:
            lane.stop()
        if held:
            await asyncio.wait([task for _, task in held], timeout=STOP_SECONDS)
