"""From raw events to facts on the bus."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog
from contracts.envelope import Envelope
from contracts.events.devices import ReceiptObserved
from contracts.ids import DeviceId, TenantId
from prometheus_client import Counter
from servicekit import tracing
from servicekit.bus import Bus

from device_worker import convert
from device_worker.journal import Record
from device_worker.sessions.acquaintances import Acquaintances
from device_worker.sessions.filters import Filters
from device_worker.sessions.groups import Groups
from device_worker.whatsapp.proto import parse

log = structlog.get_logger()

_LARGE = 64 << 10
_AT_ONCE = 500

OBSERVED = Counter("clarin_devices_observed_events", "Raw events that were published, by kind.", ["kind"])
ODD = Counter("clarin_devices_odd_events", "Raw events that could not be read, and are kept aside.")


#: Below which trace a receipt stands, by what it is for; kept only while traces are collected.
_sent: OrderedDict[tuple[UUID, str], str] = OrderedDict()
_SENT_KNOWN = 20_000


def sent(device: UUID, wa_id: str, trace: str | None) -> None:
    """Whatever WhatsApp says of this message from now on belongs to *trace*."""
    if trace is not None:
        _sent[device, wa_id] = trace
        if len(_sent) > _SENT_KNOWN:
            _sent.popitem(last=False)


def _traced(record: Record, facts: list[Envelope[Any]], spans: list[tracing.Span]) -> list[Envelope[Any]]:
    """Give the facts of *record* a trace: of the message that a receipt is for, or one that begins here."""
    if not facts or not tracing.is_on():
        return facts
    told = facts[0].data
    known = _sent.get((record.device, told.wa_ids[0])) if isinstance(told, ReceiptObserved) and told.wa_ids else None
    span = tracing.begin(f"whatsapp {record.kind}", parent=known, kind="server", at=record.at / 1000, clarin__device=str(record.device))
    spans.append(span)
    return [msgspec.structs.replace(fact, trace=span.trace) for fact in facts]


class Inbound:
    """Publishes journal records. What cannot be read is kept in a file and does not hold up the rest."""

    def __init__(self, bus: Bus, aside: Path, acquaintances: Acquaintances, groups: Groups, filters: Filters, *, history: int) -> None:
        self._bus, self._aside, self._acquaintances, self._groups, self._filters = bus, aside, acquaintances, groups, filters
        self._history = history

    async def publish(self, records: Sequence[Record]) -> None:
        """All facts in *records* are in the stream, in order.  Raises: BusAway."""
        facts: list[Envelope[Any]] = []
        spans: list[tracing.Span] = []
        await self._filters.know({(record.tenant, record.device) for record in records})
        for record in records:
            # A history sync may hold thousands of messages: not on the loop, which has leases to renew.
            if len(record.raw) > _LARGE:
                read = await asyncio.to_thread(self._read, record)
            else:
                read = self._read(record)
            facts += _traced(record, read, spans)
        for start in range(0, len(facts), _AT_ONCE):
            await self._bus.publish(*facts[start : start + _AT_ONCE])
        for span in spans:
            span.end()
        self._acquaintances.note(facts)
        self._groups.note(facts)

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
