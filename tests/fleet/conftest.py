"""An installation with two workers and twenty numbers, for accidents that no other test could bear."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import pytest
from bench.fleet import Fleet, fleet, held_by
from bench.traffic import Heard, Traffic, listening
from bench.truth import Tally, tally
from clarin.client import Client, eventually
from clarin.testing import System, start, stop
from sim.testing import Api as Network

NUMBERS = 20
ACCOUNTS = 2
WORKERS = ("worker-1", "worker-2")


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that an accident touches, and what must be true after it."""

    system: System
    network: Network
    database: asyncpg.Connection
    fleet: Fleet
    heard: Heard
    traffic: Traffic
    placeholders: int

    async def all_online(self, within: float = 90.0) -> None:
        async def there() -> bool:
            return (await self.network.get("/stats"))["online"] == len(self.fleet.numbers)

        await eventually(there, within, "not every session is connected")

    async def held_by(self, worker: str) -> list[str]:
        return await held_by(self.database, self.fleet, worker)

    async def shared(self, within: float = 90.0) -> None:
        """Both workers run, and have sessions."""

        async def both() -> bool:
            return all([await self.held_by(worker) for worker in WORKERS])

        await eventually(both, within, "a worker has no session")
        await self.all_online(within)

    async def every_session_still_talks(self, phase: str, each: int = 1, *, patience: float = 60.0) -> Tally:
        """*each* messages go both ways through every session; gives what came of all messages of the test.

        What nothing more comes of for *patience* seconds is lost.
        """
        for _ in range(each):
            await self.traffic.once_each(phase, 100)
        records = await self.traffic.settled(self.heard, patience)
        assert records.placeholders == self.placeholders, "a message is there that nobody can read"
        return tally(records)

    def device(self, index: int) -> tuple[Client, str, str]:
        """Its account's client, its id, its phone."""
        number = self.fleet.numbers[index]
        return self.fleet.clients[number.account], number.device, number.phone


@pytest.fixture(scope="module")
def fleet_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = start(tmp_path_factory.mktemp("fleet"), "--workers", str(len(WORKERS)))
    yield running
    stop(running)


@pytest.fixture
async def scene(fleet_system: System) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        database = await asyncpg.connect(str(fleet_system.ready["postgres"]))
        stack.callback(database.terminate)
        network = await stack.enter_async_context(fleet_system.network())
        numbers = await stack.enter_async_context(fleet(fleet_system, network, NUMBERS, accounts=ACCOUNTS))
        heard = await stack.enter_async_context(listening(numbers))
        traffic = Traffic(network, numbers)
        stack.push_async_callback(traffic.end)
        before = await traffic.settled(heard, 0)  # what a test before this one has left
        found = Scene(fleet_system, network, database, numbers, heard, traffic, before.placeholders)
        await found.shared()
        yield found
