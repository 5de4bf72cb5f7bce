"""Who is there, as realtime writes it: the people of each of its replicas, of those replicas that live."""

import math
import time
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import structlog
from contracts import buckets
from contracts.ids import TenantId, UserId
from contracts.presence import Present
from servicekit.bus import Bus, KeyValue

log = structlog.get_logger()
_present = msgspec.json.Decoder(Present)


#: Who is read for one part of the process is good for the others.
_GOOD_FOR = 0.5

There = dict[tuple[TenantId, UserId], list[Present]]


@dataclass(slots=True)
class Presence:
    """What stands in the two buckets."""

    people: KeyValue
    replicas: KeyValue
    _there: There = field(default_factory=dict)
    _read_at: float = -math.inf

    @classmethod
    async def of(cls, bus: Bus) -> "Presence":
        """Read over *bus*."""
        return cls(await bus.bucket(buckets.PRESENCE), await bus.bucket(buckets.REPLICAS))

    async def read(self) -> There:
        """Give what is said of everybody who is there; of a replica that died nothing is.  Raises: BusAway."""
        if time.monotonic() - self._read_at > _GOOD_FOR:
            self._there, self._read_at = await self._read(), time.monotonic()
        return self._there

    async def _read(self) -> There:
        live = await self.replicas.keys()
        there: There = {}
        for key, entry in (await self.people.entries()).items():
            try:
                tenant, user, replica = key.split(".")
                who = TenantId(UUID(tenant)), UserId(UUID(user))
                present = _present.decode(entry.value)
            except (ValueError, msgspec.DecodeError):
                log.error("an entry of the bucket cannot be read", bucket="presence")
                continue
            if replica in live:
                there.setdefault(who, []).append(present)
        return there
