"""Who is there, as realtime writes it: the people of each of its replicas, of those replicas that live."""

from dataclasses import dataclass
from uuid import UUID

import msgspec
import structlog
from contracts import buckets
from contracts.ids import TenantId, UserId
from contracts.presence import Present
from servicekit.bus import Bus, KeyValue

log = structlog.get_logger()
_present = msgspec.json.Decoder(Present)


@dataclass(frozen=True, slots=True)
class Presence:
    """What stands in the two buckets."""

    people: KeyValue
    replicas: KeyValue

    @classmethod
    async def of(cls, bus: Bus) -> "Presence":
        """Read over *bus*."""
        return cls(await bus.bucket(buckets.PRESENCE), await bus.bucket(buckets.REPLICAS))

    async def read(self) -> dict[tuple[TenantId, UserId], list[Present]]:
        """Give what is said of everybody who is there; of a replica that died nothing is.  Raises: BusAway."""
        live = await self.replicas.keys()
        there: dict[tuple[TenantId, UserId], list[Present]] = {}
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
