"""Which chats each number takes in: what is set of it, or what holds for the installation."""

import time
from collections.abc import Callable, Collection
from uuid import UUID

from contracts.whatsapp import AddressKind
from servicekit.db import Database, is_away, is_busy

from device_worker.domain import Device, Receive
from device_worker.store import devices

_KNOWN_FOR = 30.0
_MOST = 10_000


class Filters:
    """What is set of the numbers with a session here, and for a while of those whose journals are only finished here."""

    def __init__(self, system: Database, session: Callable[[UUID], Device | None], *, groups: bool) -> None:
        """Know the devices that *session* gives; *groups*: whether groups are taken in where that is not set."""
        self._system, self._session, self._groups = system, session, groups
        self._others: dict[UUID, tuple[float, Receive]] = {}

    def of(self, device: UUID) -> frozenset[AddressKind]:
        """Give the kinds of chat that *device* takes in; where nothing is known, what the installation has."""
        here = self._session(device)
        receive = here.settings.receive if here is not None else self._others.get(device, (0.0, Receive()))[1]
        return receive.kinds(self._groups)

    async def know(self, some: Collection[tuple[UUID, UUID]]) -> None:
        """Know these, as tenant and device. With the database away it goes on with what is known: a message must not wait for this."""
        now = time.monotonic()
        asked = [key for key in some if self._session(key[1]) is None and not self._knows(key[1], now)]
        if not asked:
            return
        try:
            async with self._system.system() as tx:
                found = await devices.settings_of(tx, asked)
        except Exception as error:
            if not (is_away(error) or is_busy(error)):
                raise
            return
        if len(self._others) > _MOST:
            self._others.clear()
        for _, device in asked:
            self._others[device] = (now, found[device].receive if device in found else Receive())

    def _knows(self, device: UUID, now: float) -> bool:
        found = self._others.get(device)
        return found is not None and now - found[0] < _KNOWN_FOR
