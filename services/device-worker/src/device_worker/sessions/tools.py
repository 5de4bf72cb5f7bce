"""What all sessions of a worker share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.vault import Vault

from device_worker.connects import Connects
from device_worker.domain import Device
from device_worker.host.remote import Host
from device_worker.leases import Leases
from device_worker.sessions.activity import Activity
from device_worker.sessions.pause import Pause
from device_worker.whatsapp import Store


@dataclass(frozen=True, slots=True)
class Tools:
    """Given to each session.

    Attributes:
        capacity: How many sessions the worker may have.
        pairings: Places for pairings that are under way. *loads*: for those of them that load the library.
        on_connected: Is told of each session that is up.
        on_typing: Gets the raw event of somebody who writes. *on_group*: of a group that changed.
    """

    bus: Bus
    system: Database
    host: Host
    store: Store
    leases: Leases
    pause: Pause
    connects: Connects
    activity: Activity
    capacity: int
    pairings: asyncio.Semaphore
    loads: asyncio.Semaphore
    vault: Vault
    on_connected: Callable[[Device], None]
    on_typing: Callable[[Device, bytes], Awaitable[None]]
    on_group: Callable[[Device, bytes], Awaitable[None]]
