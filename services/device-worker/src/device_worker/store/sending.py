"""Whether a number sends at all: what pauses it, and what ends the pause."""

from datetime import datetime

from contracts import ids
from contracts.envelope import Audience, wrap
from contracts.events.devices import SendingPaused, SendingResumed
from servicekit import outbox
from servicekit.db import Tx

from device_worker.domain import Device
from device_worker.domain.reasons import PAUSED
from device_worker.store import meters, sends


async def pause(tx: Tx, device: Device, at: datetime, until: datetime, why: str) -> None:
    """Nothing of the number goes before *until*; everyone is told, and of each message that waits as well."""
    await meters.pause(tx, device.tenant, device.id, at, until, why)
    body = SendingPaused(id=ids.public(ids.DEVICE, device.id), reason=why, until=until, at=at)
    await outbox.add(tx, wrap(device.tenant, body, occurred_at=at, audience=Audience(device=device.id)))
    await sends.explain(tx, device.tenant, device.id, PAUSED, until, at)


async def resume(tx: Tx, device: Device, at: datetime) -> None:
    """The pause is over, if there was one."""
    meter = await meters.find(tx, device.tenant, device.id)
    if meter is None or meter.paused_until is None:
        return
    await meters.pause(tx, device.tenant, device.id, at, None, None)
    if meter.paused_until > at:
        body = SendingResumed(id=ids.public(ids.DEVICE, device.id), at=at)
        await outbox.add(tx, wrap(device.tenant, body, occurred_at=at, audience=Audience(device=device.id)))
    await sends.release(tx, device.tenant, device.id)
