"""The long accidents: a worker that hangs for a minute, WhatsApp, the bus or the database away, every number connecting at once."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarin.client import eventually
from clarin.testing import System
from sim.testing import Api as Network

from bench.failover import unattended
from bench.fleet import Fleet, fleet
from bench.installation import installation
from bench.traffic import Heard, Traffic, listening
from bench.truth import tally

ACCIDENTS = ("hung", "offline", "busless", "baseless", "connects")
HUNG = "worker-1"
_BACK_WITHIN = 120.0
_SETTLED_WITHIN = 90.0
_MESSAGES_AFTER = 100


@dataclass(frozen=True, slots=True)
class Scene:
    """All that an accident needs."""

    system: System
    network: Network
    fleet: Fleet
    heard: Heard
    traffic: Traffic
    rate: float

    async def accident(self, name: str, act: Callable[[], Awaitable[None]]) -> dict[str, Any]:
        """Do *act* under traffic; give how long the sessions took to be back after it, and what came of the messages."""
        stopping = asyncio.Event()
        running = asyncio.create_task(self.traffic.run(name, self.rate, stopping))
        try:
            await act()
            began = time.monotonic()
            await eventually(self._all_online, _BACK_WITHIN, f"after {name} not every number is back", every=0.1)
            took = time.monotonic() - began
        finally:
            stopping.set()
            await running
        for _ in range(-(-_MESSAGES_AFTER // len(self.fleet.numbers))):  # each session must still be able to read and to be read
            await self.traffic.once_each(name, self.rate)
        records = await self.traffic.settled(self.heard, _SETTLED_WITHIN)
        placeholders = records.placeholders
        return {"back_after_s": round(took, 1), **tally(records, f"{name}-").figures(), "placeholders": placeholders}

    async def hang(self, seconds: float) -> None:
        """A worker stands still for longer than its leases live; its sessions, in another process, may wake before it does."""
        pid = self.system.pid(HUNG)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
        await eventually(lambda: self._another(pid), 30, "the worker that hung did not end itself")

    async def cut_off(self, seconds: float) -> None:
        """WhatsApp is away, and comes back for all at once."""
        await self.network.post("/network", state="down")
        await asyncio.sleep(seconds)
        await self.network.post("/network", state="up")

    async def without(self, server: str, seconds: float) -> None:
        """A server is dead."""
        with unattended(self.system):
            self.system.kill(server)
            await asyncio.sleep(seconds)

    async def connect_all(self) -> None:
        """Every number is disconnected, then all are told to connect in the same moment."""
        await asyncio.gather(*(self._order(number.account, number.device, "disconnect") for number in self.fleet.numbers))
        await eventually(self._all_offline, 60, "sessions are connected that nobody wants")
        await asyncio.gather(*(self._order(number.account, number.device, "connect") for number in self.fleet.numbers))

    async def _order(self, account: int, device: str, what: str) -> None:
        await self.fleet.clients[account].insist("POST", f"/api/devices/{device}/{what}")

    async def _another(self, pid: int) -> bool:
        return self.system.pids().get(HUNG, pid) != pid

    async def _all_online(self) -> bool:
        return bool((await self.network.get("/stats"))["online"] >= len(self.fleet.numbers))

    async def _all_offline(self) -> bool:
        return bool((await self.network.get("/stats"))["online"] == 0)


async def run(
    *,
    sessions: int,
    workers: int,
    rate: float,
    hung: float,
    cut_off: float,
    without: float,
    only: Collection[str] = ACCIDENTS,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Have each accident of *only* once, of so many seconds."""
    async with (
        installation(workers=workers, folder=folder) as system,
        system.network() as network,
        fleet(system, network, sessions) as numbers,
        listening(numbers) as heard,
    ):
        traffic = Traffic(network, numbers)
        scene = Scene(system, network, numbers, heard, traffic, rate)
        acts: tuple[Callable[[], Awaitable[None]], ...] = (
            lambda: scene.hang(hung),
            lambda: scene.cut_off(cut_off),
            lambda: scene.without("nats", without),
            lambda: scene.without("postgres", without),
            scene.connect_all,
        )
        came = {name: await scene.accident(name, act) for name, act in zip(ACCIDENTS, acts, strict=True) if name in only}
        whole = tally(await traffic.settled(heard, _SETTLED_WITHIN))
    return {
        "name": "faults",
        "sessions": sessions,
        "workers": workers,
        "rate": rate,
        "seconds": {"hung": hung, "offline": cut_off, "busless": without, "baseless": without},
        **came,
        **whole.figures(),
        "asked": traffic.asked,
        "done": whole.asked,
    }
