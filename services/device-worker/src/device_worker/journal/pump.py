"""Takes the journal's records to the bus, in order, and advances it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog
from servicekit.timers import first

from device_worker.journal.files import Leftover, Reader, Record, leftovers

log = structlog.get_logger()

Publish = Callable[[Sequence[Record]], Awaitable[None]]

_LOOK_FOR_LEFTOVERS_EVERY = 5.0
_WAIT_AFTER_ERROR = 0.5
_LONGEST_WAIT = 5.0


class Pump:
    """Publishes the host's journal and those that dead processes left on the same volume."""

    def __init__(self, root: Path, publish: Publish) -> None:
        """Use *publish*, which returns when the bus has acknowledged and raises when it cannot."""
        self._root, self._publish = root, publish
        self._journal: Reader | None = None
        self._more = asyncio.Event()
        self._died = asyncio.Event()

    def take(self, journal: Reader) -> None:
        """Publish *journal* from now on; the one before is of a dead process, and is found as such."""
        if self._journal is not None:
            self._died.set()
        self._journal = journal
        self._more.set()

    def wake(self) -> None:
        """There is more in the journal."""
        self._more.set()

    @property
    def journal(self) -> Reader | None:
        """The one that is being written now."""
        return self._journal

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until *stopping*, and then what is left, if the bus takes it. The host should have ended before."""
        sweeping = asyncio.create_task(self._keep_sweeping(stopping))
        stopped = asyncio.create_task(stopping.wait())
        current: Reader | None = None
        try:
            while not stopping.is_set():
                if self._journal is not current:
                    if current is not None:
                        current.close()
                    current = self._journal
                self._more.clear()
                if current is None or not await self._step(current, stopping):
                    more = asyncio.create_task(self._more.wait())
                    await asyncio.wait({more, stopped, sweeping}, return_when=asyncio.FIRST_COMPLETED)
                    more.cancel()
                    if sweeping.done():
                        sweeping.result()
            await sweeping
            while current is not None and await self._step(current, stopping):
                pass
            await self._sweep(stopping)
        finally:
            stopped.cancel()
            sweeping.cancel()
            if current is not None:
                current.close()

    async def _keep_sweeping(self, stopping: asyncio.Event) -> None:
        """Publish what dead processes left here: at the start, when the host has died, and every few seconds."""
        while not stopping.is_set():
            self._died.clear()
            await self._sweep(stopping)
            await first(self._died, stopping, timeout=_LOOK_FOR_LEFTOVERS_EVERY)

    async def _sweep(self, stopping: asyncio.Event) -> None:
        for leftover in leftovers(self._root):
            # What a host has left that nobody has followed yet is published as ever, and tells the next one what is no news.
            if self._journal is not None and leftover.folder == self._journal.folder and not stopping.is_set():
                leftover.close()
            else:
                await self._publish_leftover(leftover, stopping)

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

    async def _step(self, source: Reader | Leftover, stopping: asyncio.Event) -> int:
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
                log.warning("journal.publish_failed", error=type(error).__name__, records=len(records))
                if stopping.is_set():
                    return 0
                try:
                    await asyncio.wait_for(stopping.wait(), wait)
                except TimeoutError:
                    wait = min(wait * 2, _LONGEST_WAIT)
        source.advance(records[-1].end)
        return len(records)
