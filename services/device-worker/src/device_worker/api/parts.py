"""What every route here needs."""

from typing import Annotated

from contracts.edge import PublicDeviceId
from contracts.ids import DeviceId
from fastapi import Depends
from servicekit.db import Database
from servicekit.http import Caller, state
from servicekit.vault import Vault

from device_worker.domain import DeviceMissing

Db = Annotated[Database, state("db")]
Safe = Annotated[Vault, state("vault")]


async def _seen(id: PublicDeviceId, caller: Caller) -> DeviceId:
    """Give the number of the path.  Raises: DeviceMissing: it is none that the caller sees."""
    if not caller.sees(id):
        raise DeviceMissing("There is no device with this id.")
    return id


#: The number of the path, if the caller sees it.
Seen = Annotated[DeviceId, Depends(_seen)]
