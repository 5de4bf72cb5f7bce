"""Who writes at this moment: customers in the chats that agents have open, and agents to their customers.

WhatsApp tells who writes only to a number that shows itself as online, and one that does gets no notifications on its own
phone. So a number is online while somebody has one of its chats open, and a while after; where its settings say so, never.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import structlog
from contracts.ephemeral import ChatAttended
from contracts.whatsapp import Address
from servicekit.bus import Bus
from servicekit.timers import first

from device_worker import convert
from device_worker.domain import Device
from device_worker.host.remote import Client
from device_worker.whatsapp import CallFailed, NotRunning
from device_worker.whatsapp.proto import Kind, parse

log = structlog.get_logger()

#: What is not said again for so long is over; it is said every half minute.
_LASTS = 90.0
_LOOK = 5.0
_MOST_OPEN = 100
_MOST_WRITERS = 10_000
#: The same is told again after so long at the earliest.
_TOLD_AGAIN = 2.0

_attended = msgspec.json.Decoder(ChatAttended)

Here = Callable[[UUID], tuple[Device, Client | None] | None]


@dataclass(slots=True)
class _Number:
    """One number with open chats, and what WhatsApp has been asked over its connection."""

    open: OrderedDict[Address, float] = field(default_factory=OrderedDict)
    asked: set[Address] = field(default_factory=set)
    online: bool = False


class Attention:
    """Of the numbers whose sessions *here* gives, with the session where it is connected."""

    def __init__(self, bus: Bus, here: Here, *, lasts: float = _LASTS) -> None:
        """Nobody has a chat open yet; one that is not said to be for *lasts* seconds is not."""
        self._bus, self._here, self._lasts = bus, here, lasts
        self._numbers: dict[UUID, _Number] = {}
        self._told: OrderedDict[tuple[UUID, Address], tuple[str, float]] = OrderedDict()
        self._more = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Hear which chats are open, and be online for them, until *stopping*."""
        heard = await self._bus.listen("eph.conversations.attended.*", self._on_attended)
        try:
            while not stopping.is_set():
                self._more.clear()
                await asyncio.gather(*(self._tend(device) for device in list(self._numbers)))
                await first(self._more, stopping, timeout=min(_LOOK, self._lasts / 2))
        finally:
            await heard.close()

    def connected(self, device: UUID) -> None:
        """A session has connected (again): WhatsApp knows nothing of what it was asked before."""
        if (number := self._numbers.get(device)) is not None:
            number.online, number.asked = False, set()
            self._more.set()

    async def seen(self, device: Device, raw: bytes) -> None:
        """WhatsApp says that somebody writes: tell, unless that was told a moment ago."""
        observed = convert.typing(parse(Kind.CHAT_PRESENCE, raw), device.id)
        if observed is None:
            return
        key, now = (device.id, observed.chat), time.monotonic()
        state, at = self._told.get(key, ("", 0.0))
        if state == observed.state and now - at < _TOLD_AGAIN:
            return
        self._told[key] = (observed.state, now)
        self._told.move_to_end(key)
        if len(self._told) > _MOST_WRITERS:
            self._told.popitem(last=False)
        await self._bus.shout(device.tenant, observed)

    async def _on_attended(self, subject: str, payload: bytes) -> None:
        told = _attended.decode(payload)
        found = self._here(told.device)
        if found is None or str(found[0].tenant) != subject.rpartition(".")[2]:
            return
        device, client = found
        number = self._numbers.setdefault(told.device, _Number())
        fresh = told.address not in number.open
        number.open[told.address] = time.monotonic() + self._lasts
        number.open.move_to_end(told.address)
        if len(number.open) > _MOST_OPEN:
            number.asked.discard(number.open.popitem(last=False)[0])
        if fresh:
            self._more.set()
        if told.state != "open" and client is not None and device.settings.presence.agents:
            await _quietly(client.typing(*convert.jid_parts(told.address), told.state))

    async def _tend(self, id: UUID) -> None:
        """A number is online, and has asked who writes, as long as somebody has its chats open."""
        number, found, now = self._numbers[id], self._here(id), time.monotonic()
        for address in [address for address, until in number.open.items() if until <= now]:
            del number.open[address]
            number.asked.discard(address)
        device, client = found or (None, None)
        if device is None or client is None:
            number.online, number.asked = False, set()
            if not number.open:
                self._numbers.pop(id, None)
            return
        wanted = bool(number.open) and device.settings.presence.customers
        if wanted != number.online and await _quietly(client.presence(wanted)):
            number.online = wanted
            number.asked = set()
        if number.online:
            for address in [one for one in number.open if one not in number.asked and one.kind in ("pn", "lid")]:
                if not await _quietly(client.subscribe(*convert.jid_parts(address))):
                    return
                number.asked.add(address)
        elif not number.open:
            self._numbers.pop(id, None)


async def _quietly(call: Awaitable[None]) -> bool:
    """Tell whether *call* was done: of what may be lost nobody needs to hear that it was."""
    try:
        await call
    except (NotRunning, CallFailed, ValueError) as error:
        log.info("attention.lost", reason=type(error).__name__)
        return False
    return True
