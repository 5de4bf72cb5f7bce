"""What every handler is given."""

from typing import Annotated

import msgspec
from contracts import subjects
from contracts.events.devices import DeviceChanged
from contracts.ids import DeviceId, TenantId
from contracts.principal import Principal
from servicekit.bus import Bus, BusAway
from servicekit.db import Database, raw
from servicekit.http import state

from bot.domain.errors import NumberMissing, NumbersAway
from bot.store import facts

ASK_SECONDS = 2.0

Db = Annotated[Database, state("db")]
OnBus = Annotated[Bus, state("bus")]


async def known_number(db: Database, bus: Bus, caller: Principal, device: DeviceId) -> None:
    """Return when *caller* sees the number *device*; of one that nobody has told of yet its owner is asked.

    Raises:
        NumberMissing: There is none, or it is another account's.
        NumbersAway: Nobody can say at the moment.
    """
    if not caller.sees(device):
        raise NumberMissing("No number of this account has this id.")
    async with db.transaction(caller.tenant) as tx:
        if await facts.knows_device(await raw(tx), caller.tenant, device):
            return
    if not await _asked(bus, caller.tenant, device):
        raise NumberMissing("No number of this account has this id.")


async def _asked(bus: Bus, tenant: TenantId, device: DeviceId) -> bool:
    question = msgspec.json.encode({"tenant": tenant, "device": device})
    try:
        told = await bus.ask(subjects.ask("devices", "device"), question, ASK_SECONDS)
    except (BusAway, TimeoutError) as error:
        raise NumbersAway("Try again in a moment.") from error
    return msgspec.json.decode(told, type=DeviceChanged | None) is not None
