"""Linking a device: QR codes and phone codes are shown until one is used, nobody uses any, or it is no longer wanted."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from contracts import ids
from contracts.ephemeral import QrShown
from contracts.events.devices import DeviceState
from servicekit.vault import WrongEncryptionKey

from device_worker import domain, pairing
from device_worker.domain import Device
from device_worker.sessions.standing import Standing, Transition
from device_worker.store import pairings

_FIRST_QR_WITHIN = 15.0
_MOST_TRIES = 3


class Linking:
    """One device's pairings, each in a child process."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._tools = standing.tools
        self._failed = 0
        self._code_asked: str | None = None

    async def run(self) -> None:
        """Pair once; a child that says nothing leaves the device as it is, and another follows."""
        if self._standing.device.reason == domain.NO_CAPACITY:
            await self._standing.report(lambda device, at: device.with_room(at))
        with contextlib.ExitStack() as slots, contextlib.ExitStack() as loading:
            if await self._slot(self._tools.pairings, slots) and await self._slot(self._tools.loads, loading):
                await self._show(loaded=loading.close)

    def _is_wanted(self) -> bool:
        standing = self._standing
        return not standing.over and standing.device.jid is None and standing.device.state is DeviceState.PAIRING

    async def _slot(self, of: asyncio.Semaphore, held: contextlib.ExitStack) -> bool:
        """Take a place, given back with *held*; False when no pairing is wanted any more."""
        taking = asyncio.ensure_future(of.acquire())
        while self._is_wanted() and not taking.done():
            await self._either(taking)
        if taking.done():
            held.callback(of.release)
        else:
            taking.cancel()
        return self._is_wanted()

    async def _either(self, other: "asyncio.Future[Any]") -> bool:
        """Wait for *other* or for a change outside; tell whether there was one."""
        woken = asyncio.ensure_future(self._standing.woken.wait())
        await asyncio.wait({other, woken}, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        if not self._standing.woken.is_set():
            return False
        await self._standing.look()
        return True

    async def _show(self, *, loaded: Callable[[], None]) -> None:
        """Pair in a child; *loaded* is called when it has loaded the library, and no longer takes a whole processor."""
        self._standing.log.info("pairing.started")
        self._code_asked = None
        try:
            proxy = self._standing.proxy()
        except WrongEncryptionKey:
            await self._end(partial(_ended, domain.PROXY_UNREADABLE))
            return
        async with pairing.child(os.environ, proxy=proxy, shown_as=self._standing.device.settings.shown_as) as child:
            reports = asyncio.create_task(self._follow(child, loaded))
            try:
                await self._ask_code(child)
                while self._is_wanted() and not reports.done():
                    if await self._either(reports):
                        await self._ask_code(child)
            finally:
                if reports.done():
                    reports.result()
                reports.cancel()

    async def _follow(self, child: pairing.Child, loaded: Callable[[], None]) -> None:
        """Take the child's reports to the database."""
        code_until = datetime.now(UTC) + pairing.LASTS
        reports = child.reports()
        try:
            # Longer each time: a machine that is merely busy would start the same work again and again, and end none of it.
            async with asyncio.timeout(_FIRST_QR_WITHIN * 2**self._failed):
                first = await anext(reports, None)
        except TimeoutError:
            first = None
        loaded()
        if first is None and self._failed < _MOST_TRIES:
            self._failed += 1
            self._standing.log.warning("pairing.silent", attempt=self._failed)
            await asyncio.sleep(self._failed)
            return  # and another child is started, since it is still wanted
        self._failed = 0
        async for report in _chained(first, reports):
            match report:
                case pairing.QrReport():
                    await self._show_qr(report.qr, datetime.now(UTC) + timedelta(seconds=report.seconds))
                    await self._standing.report(lambda device, at: device.qr_shown(at))
                case pairing.CodeReport():
                    await self._show_code(report, code_until)
                    if report.code:
                        await self._standing.report(lambda device, at: device.code_shown(at))
                case pairing.PairedReport():
                    await self._end(partial(_paired, report))
                    return
                case pairing.EndedReport():
                    await self._end(partial(_ended, report.reason))
                    return
            if not self._is_wanted():
                return
        await self._end(partial(_ended, domain.PAIRING_FAILED))

    async def _show_qr(self, qr: str, until: datetime) -> None:
        device = self._standing.device

        async def show() -> None:
            async with self._tools.system.system() as tx:
                await self._standing.hold(tx)
                await pairings.show_qr(tx, device.tenant, device.id, qr, until)

        await self._standing.written(show)
        await self._tools.bus.shout(device.tenant, QrShown(device_id=ids.public(ids.DEVICE, device.id), qr=qr, expires_at=until))

    async def _show_code(self, report: pairing.CodeReport, until: datetime) -> None:
        self._code_asked = None
        device = self._standing.device

        async def show() -> None:
            async with self._tools.system.system() as tx:
                await self._standing.hold(tx)
                code_until = until if report.code else None
                await pairings.show_code(tx, device.tenant, device.id, report.phone, report.code, code_until, report.error)

        await self._standing.written(show)

    async def _ask_code(self, child: pairing.Child) -> None:
        shown: pairings.Pairing | None = None

        async def read() -> None:
            nonlocal shown
            async with self._tools.system.system() as tx:
                shown = await pairings.find(tx, self._standing.device.tenant, self._standing.device.id)

        await self._standing.written(read)
        wanted = shown is not None and shown.code is None and shown.code_error is None
        if wanted and shown is not None and shown.phone is not None and shown.phone != self._code_asked:
            self._code_asked = shown.phone  # asked twice, WhatsApp gives two codes, and the first is good no more
            await child.ask_code(shown.phone)

    async def _end(self, transition: Transition) -> None:
        self._standing.log.info("pairing.ended")
        await self._standing.report(transition, drop_pairing=True)


def _paired(report: pairing.PairedReport, device: Device, at: datetime) -> Device:
    return device.paired(at, report.jid, report.jid.partition("@")[0].partition(":")[0], report.lid)


def _ended(reason: str, device: Device, at: datetime) -> Device:
    return device.pairing_ended(at, reason)


async def _chained(first: pairing.AnyReport | None, rest: AsyncIterator[pairing.AnyReport]) -> AsyncIterator[pairing.AnyReport]:
    if first is not None:
        yield first
        async for report in rest:
            yield report
