"""Undoing the link, and forgetting a device."""

import asyncio
import contextlib

from servicekit.vault import WrongEncryptionKey

from device_worker import domain
from device_worker.sessions.line import END, LOST, Line
from device_worker.sessions.standing import Standing
from device_worker.store import devices
from device_worker.whatsapp import CallFailed, NotRunning, StoreAway
from device_worker.whatsapp.proto import Kind

_CALL_SECONDS = 15.0


async def unlink(standing: Standing, line: Line) -> None:
    """Tell WhatsApp and forget the keys; when WhatsApp cannot be reached, forget them all the same."""
    jid, store = standing.device.jid, standing.tools.store
    if jid is None:
        return
    while standing.held_back is not None and not standing.over:
        await standing.changed()
    try:
        if await store.exists(jid):
            if line.client is None:
                line.start(jid)
            await _log_out(line)
            await line.end()
            await store.forget(jid)
    except StoreAway:
        store.suspect()
        await standing.changed(1.0)
        return
    except NotRunning:
        await standing.changed(1.0)  # there is no host in this moment
        return
    except WrongEncryptionKey:
        await store.forget(jid)
    finally:
        await line.end()
    await standing.report(lambda device, at: device.unlinked(at, domain.BY_USER))


async def _log_out(line: Line) -> None:
    with contextlib.suppress(TimeoutError, CallFailed, NotRunning):
        async with asyncio.timeout(_CALL_SECONDS):
            while not line.connected:
                if (told := await line.event()) is None:
                    continue
                kind, _ = told
                if kind in (Kind.LOGGED_OUT, Kind.TEMPORARY_BAN, Kind.CONNECT_FAILURE, END, LOST):
                    return
                line.connected = kind == Kind.CONNECTED
            if line.client is not None:
                await line.client.logout()


async def remove(standing: Standing) -> None:
    """The device is in no table any more."""

    async def forget() -> None:
        async with standing.tools.system.system() as tx:
            await standing.hold(tx)
            await devices.remove(tx, standing.device)

    await standing.written(forget)
