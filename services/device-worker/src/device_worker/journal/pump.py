"""Takes the journal's records to the bus, in order, and advances it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from device_worker.journal.files import Journal, Leftover, Record, leftovers

log = structlog.get_logger()

Publish = Callable[[Sequence[Record]], Awaitable[None]]

_LOOK_FOR_LEFTOVERS_EVERY = timedelta(seconds=30)
_WAIT_AFTER_ERROR = 0.5
_LONGEST_WAIT = 5.0


class Pump:
    """Publishes this process's journal and those that dead processes left on the same volume."""

    def __init__(self, journal: Journal, root: Path, publish: Publish) -> None:
        """Use *publish*, which returns when the bus has acknowledged and raises when it cannot."""
        self._journal, self._root, self._publish = journal, root, publish
        self._more = asyncio.Event()
        loop = asyncio.get_running_loop()
        signalled = False

        def wake() -> None:
            nonlocal signalled
            signalled = False
            self._more.set()

        def appended() -> None:
            # Under load thousands of appends come between two turns of the loop: one wake is enough for all of them.
            nonlocal signalled
            if not signalled:
                signalled = True
                loop.call_soon_threadsafe(wake)

        journal.on_append = appended

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until *stopping*, and then what is left in the journal, if the bus takes it."""
        stopped = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self._more.clear()
                if not await self._step(self._journal, stopping):
                    more = asyncio.create_task(self._more.wait())
                    await asyncio.wait({more, stopped}, return_when=asyncio.FIRST_COMPLETED)
                    more.cancel()
        finally:
            stopped.cancel()
        while await self._step(self._journal, stopping):
            pass

    async def sweep(self, stopping: asyncio.Event) -> None:
        """Publish what dead processes left here, at the start and every half minute."""
        while not stopping.is_set():
            for leftover in leftovers(self._root):
                await self._publish_leftover(leftover, stopping)
            try:
                await asyncio.wait_for(stopping.wait(), _LOOK_FOR_LEFTOVERS_EVERY.total_seconds())
            except TimeoutError:
                continue

    async def _publish_leftover(self, leftover: Leftover, stopping: asyncio.Event) -> None:
        try:
            count = 0
            while done := await self._step(leftover, stopping):
                count += done
            if leftover.read():
                return  # stopping: the next one finds it
            leftover.remove()
            if count:
                log.info("journal.leftover_published", records=count)
        finally:
            leftover.close()

    async def _step(self, source: Journal | Leftover, stopping: asyncio.Event) -> int:
        """Publish one batch, however long the bus is away; 0 when there is nothing, or *stopping* came first."""
        records = source.read()
        if not records:
            return 0
        wait = _WAIT_AFTER_ERROR
        while True:
            try:
                await self._publish(records)
                break
            except Exception as error:
                # Not in the bus is not in the world: nothing is skipped, whatever the error.
                log.warning("journal.publish_failed", error=type(error).__name__, records=len(records), depth=self._journal.depth)
                if stopping.is_set():
                    return 0
                try:
                    await asyncio.wait_for(stopping.wait(), wait)
                except TimeoutError:
                    wait = min(wait * 2, _LONGEST_WAIT)
        source.advance(records[-1].end)
        return len(records)
