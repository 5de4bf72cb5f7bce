"""What the groups are called: asked of WhatsApp when a message comes from one that is not known, and when one changes."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.devices import GroupObserved, MessageObserved
from contracts.ids import DeviceId
from contracts.whatsapp import Address
from servicekit.bus import Bus, BusAway
from servicekit.timers import first

from device_worker import convert
from device_worker.domain import Device
from device_worker.host.remote import Client
from device_worker.whatsapp import CallFailed, NotRunning
from device_worker.whatsapp.proto import Kind, parse

log = structlog.get_logger()

_KNOWN_FOR = 6 * 3600.0
_MOST = 20_000
_PAUSE = 5.0
#: So many tries; the next message asks again.
_TRIES = 3

Here = Callable[[UUID], tuple[Device, Client | None] | None]
Key = tuple[DeviceId, Address]


class Groups:
    """Of the numbers whose sessions *here* gives, with the session where it is connected."""

    def __init__(self, bus: Bus, here: Here, *, pause: float = _PAUSE) -> None:
        """Know none; *pause* for so many seconds after a question that came to nothing."""
        self._bus, self._here, self._pause = bus, here, pause
        self._asked: OrderedDict[Key, float] = OrderedDict()
        self._wanted: dict[Key, int] = {}
        self._more = asyncio.Event()

    def note(self, facts: Sequence[Envelope[Any]]) -> None:
        """Ask, soon, for the names of the groups in *facts* that were not asked for lately."""
        for fact in facts:
            body = fact.data
            if isinstance(body, MessageObserved) and body.chat.kind == "group":
                self._want((body.device, body.chat), time.monotonic())

    async def changed(self, device: Device, raw: bytes) -> None:
        """Something of a group is another: ask again, if it was ever asked."""
        found = convert.address(parse(Kind.GROUP_INFO, raw).JID)
        if found is not None and self._asked.pop((device.id, found), None) is not None:
            self._want((device.id, found), time.monotonic())

    async def run(self, stopping: asyncio.Event) -> None:
        """Ask, one after the other, until *stopping*."""
        while not stopping.is_set():
            await first(self._more, stopping)
            self._more.clear()
            while self._wanted and not stopping.is_set():
                key = next(iter(self._wanted))
                tries = self._wanted.pop(key)
                if not await self._ask(*key) and tries < _TRIES:
                    await first(stopping, timeout=self._pause)
                    self._wanted.setdefault(key, tries + 1)

    def _want(self, key: Key, now: float) -> None:
        if now - self._asked.get(key, -_KNOWN_FOR) < _KNOWN_FOR:
            return
        self._asked[key] = now
        self._asked.move_to_end(key)
        if len(self._asked) > _MOST:
            self._asked.popitem(last=False)
        self._wanted.setdefault(key, 1)
        self._more.set()

    async def _ask(self, id: DeviceId, chat: Address) -> bool:
        """Tell what the group is called; False: not now."""
        device, client = self._here(id) or (None, None)
        if device is None:
            self._asked.pop((id, chat), None)  # its next owner asks
            return True
        if client is None:
            return False
        try:
            subject, members = await client.group(chat.value)
            told = GroupObserved(device=id, chat=chat, subject=subject, members=members, at=datetime.now(UTC))
            await self._bus.publish(wrap(device.tenant, told, audience=Audience(device=id)))
        except (NotRunning, CallFailed, BusAway) as error:
            log.info("groups.waits", device=str(id), reason=type(error).__name__)
            return False
        return True
