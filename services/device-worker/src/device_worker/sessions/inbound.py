"""From raw events to facts on the bus."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from contracts.envelope import Envelope
from contracts.ids import DeviceId, TenantId
from prometheus_client import Counter
from servicekit.bus import Bus

from device_worker import convert
from device_worker.journal import Record
from device_worker.sessions.acquaintances import Acquaintances
from device_worker.sessions.filters import Filters
from device_worker.whatsapp.proto import parse

log = structlog.get_logger()

_LARGE = 64 << 10
_AT_ONCE = 500

OBSERVED = Counter("clarin_devices_observed_events", "Raw events that were published, by kind.", ["kind"])
ODD = Counter("clarin_devices_odd_events", "Raw events that could not be read, and are kept aside.")


class Inbound:
    """Publishes journal records. What cannot be read is kept in a file and does not hold up the rest."""

    def __init__(self, bus: Bus, aside: Path, acquaintances: Acquaintances, filters: Filters, *, history: int) -> None:
        self._bus, self._aside, self._acquaintances, self._filters = bus, aside, acquaintances, filters
        self._history = history

    async def publish(self, records: Sequence[Record]) -> None:
        """All facts in *records* are in the stream, in order.  Raises: BusAway."""
        facts: list[Envelope[Any]] = []
        await self._filters.know({(record.tenant, record.device) for record in records})
        for record in records:
            # A history sync may hold thousands of messages: not on the loop, which has leases to renew.
            if len(record.raw) > _LARGE:
                facts += await asyncio.to_thread(self._read, record)
            else:
                facts += self._read(record)
        for start in range(0, len(facts), _AT_ONCE):
            await self._bus.publish(*facts[start : start + _AT_ONCE])
        self._acquaintances.note(facts)

    def _read(self, record: Record) -> list[Envelope[Any]]:
        try:
            facts = convert.observe(
                record.kind,
                parse(record.kind, record.raw),
                tenant=TenantId(record.tenant),
                device=DeviceId(record.device),
                seen_at=datetime.fromtimestamp(record.at / 1000, UTC),
                receive=self._filters.of(record.device),
                history=self._history,
            )
        except Exception as error:
            # A bug of ours or a new shape of theirs: the bytes stay, for the version that can read them.
            log.error("inbound.unreadable", kind=record.kind, device=str(record.device), error=type(error).__name__)
            ODD.inc()
            self._aside.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self._aside / f"{record.at}-{record.kind}-{record.device}.raw").write_bytes(record.raw)
            return []
        OBSERVED.labels(str(record.kind)).inc()
        return facts
