"""How one device stands and what is wanted of it, as far as its session here knows: read, written, told."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from servicekit.bus import BusAway
from servicekit.db import is_away, is_busy

from device_worker import domain
from device_worker.domain import Device, DeviceMissing
from device_worker.sessions.tools import Tools
from device_worker.shards import shard_of
from device_worker.store import devices, fences, pairings, sending

_WRITE_PAUSE = 0.5

Transition = Callable[[Device, datetime], Device]


class Standing:
    """One device, from the moment its session starts until it is `over`.

    Attributes:
        device: As it was read or written last.
        over: Nothing is to be done for it here any more.
        woken: Set when something outside has changed: an order, a pause, the end.
    """

    def __init__(self, tools: Tools, device: Device) -> None:
        self.tools = tools
        self.device = device
        self.shard = shard_of(device.id)
        self.over = False
        self.woken = asyncio.Event()
        self.stale = False
        self.log = structlog.get_logger().bind(device=str(device.id), tenant=str(device.tenant))

    def wake(self) -> None:
        """Look again at what is wanted."""
        self.stale = True
        self.woken.set()

    def end(self) -> None:
        """Be over, and leave what is wanted as it is: another worker goes on."""
        self.over = True
        self.woken.set()

    @property
    def held_back(self) -> str | None:
        """Why no session of this worker may be connected now; None when each may."""
        return self.tools.pause.reason

    @property
    def wants_session(self) -> bool:
        """Tell whether a session is to be kept here."""
        return not self.over and self.device.works_on_session

    async def changed(self, timeout: float | None = None) -> bool:
        """Wait until something outside changed; False when *timeout* seconds passed first."""
        try:
            async with asyncio.timeout(timeout):
                await self.woken.wait()
        except TimeoutError:
            return False
        await self.look()
        return True

    async def look(self) -> None:
        """Read the device again, if somebody said that it changed.  Raises: DeviceMissing."""
        self.woken.clear()
        if not self.stale or self.over:
            return
        self.stale = False

        async def read() -> None:
            async with self.tools.system.system() as tx:
                found = await devices.in_shard(tx, self.shard, self.device.id)
            if found is None:
                raise DeviceMissing
            # What was reported meanwhile is newer: a pairing that has ended would begin again.
            if found.revision >= self.device.revision:
                self.device = found

        await self.written(read)

    async def report(self, transition: Transition, *, drop_pairing: bool = False, patient: bool = True, banned: bool = False) -> None:
        """Write how the device stands now, and tell; with the database away it waits (or, not *patient*, leaves it at that)."""

        async def write() -> None:
            async with self.tools.system.system() as tx:
                await self.hold(tx)
                before = await devices.lock(tx, self.device.tenant, self.device.id, deleted=True)
                after = transition(before, datetime.now(UTC))
                await devices.save(tx, before, after)
                if drop_pairing:
                    await pairings.drop(tx, self.device.tenant, self.device.id)
                if banned and after.until is not None:
                    await sending.pause(tx, after, after.changed_at, after.until, after.reason or "banned")
            self.device = after

        await self.written(write, patient=patient)

    async def hold(self, tx: Any) -> None:
        """Make sure that the shard is ours until *tx* ends.  Raises: Fenced."""
        fence = self.tools.leases.fence(self.shard)
        if fence is None:
            raise fences.Fenced(f"Shard {self.shard} is not held.")
        await fences.hold(tx, self.shard, fence)

    async def written(self, write: Callable[[], Any], *, patient: bool = True) -> None:
        """Do *write* until it is done, or this session is over. What a former owner still has to say is not said."""
        while True:
            try:
                await write()
                return
            except fences.Fenced:
                self.log.warning("session.fenced")
                with contextlib.suppress(BusAway):
                    await self.tools.leases.reclaim(self.shard)
                if self.over or self.shard not in self.tools.leases.held:
                    self.over = True
                    return
            except Exception as error:
                if not (is_away(error) or is_busy(error)):
                    raise
                if not patient or self.over:
                    return
            await asyncio.sleep(_WRITE_PAUSE)

    def proxy(self) -> str:
        """Give the address of the proxy; empty for none.  Raises: WrongEncryptionKey."""
        sealed = self.device.proxy
        return "" if sealed is None else self.tools.vault.open(sealed, what=domain.proxy_label(self.device.id)).decode()
