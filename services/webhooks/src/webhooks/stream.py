"""The stream of events, read again: for who pulls instead of being called, and for replays."""

import asyncio
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from contracts import envelope as envelopes
from contracts import subjects
from contracts.envelope import Audience, Envelope
from contracts.ids import DeviceId, TenantId
from servicekit.bus import Bus, BusAway

from webhooks.domain import types
from webhooks.domain.problems import EventsGone

BODIES = types.BODIES
#: Of one pull: what its caller may not see is read and left out.
SCANNED_MOST = 2000
SECONDS = 10.0
_AT_ONCE = asyncio.Semaphore(16)

_encoder = msgspec.json.Encoder()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One event as integrators get it; *data* is JSON."""

    id: UUID
    type: str
    at: datetime
    data: bytes
    device: DeviceId | None
    chat: str | None
    audience: Audience


@dataclass(frozen=True, slots=True)
class Place:
    """Between two events: the stream, by when it was made, and the sequence before."""

    stream: str
    sequence: int


def happened(envelope: Envelope[Any]) -> Happened | None:
    """Give an event as integrators get it; None for what pairing brought along as old, which nobody is called for."""
    if getattr(envelope.data, "history", False):
        return None
    return Happened(
        id=envelope.id,
        type=types.of(envelope.data),
        at=envelope.occurred_at,
        data=_encoder.encode(envelope.data),
        device=envelope.audience.device,
        chat=types.chat_of(envelope),
        audience=envelope.audience,
    )


def read(payload: bytes, patterns: Collection[str]) -> Happened | None:
    """Read what stands in the stream; None for another type, and for what cannot be read."""
    try:
        found = happened(envelopes.decode(payload))
    except (msgspec.DecodeError, ValueError) as error:
        log.error("an event cannot be read", error=type(error).__name__)
        return None
    return found if found is not None and types.matches(patterns, found.type) else None


def filters(tenant: TenantId, patterns: Collection[str]) -> list[str]:
    """Name the subjects of an account's events of these types."""
    return [subjects.every(body).removesuffix("*") + str(tenant) for body in types.bodies(patterns)]


def name(created: object) -> str:
    """Name a stream by when it was made."""
    return hashlib.sha256(str(created).encode()).hexdigest()[:12]


async def end(bus: Bus) -> Place:
    """Give the place behind everything that has happened.  Raises: BusAway."""
    state = await bus.stream_state()
    return Place(name(state.created), state.last_sequence)


async def pull(
    bus: Bus, tenant: TenantId, patterns: Collection[str], after: Place | None, limit: int, sees: Callable[[Happened], bool]
) -> tuple[list[Happened], Place, bool]:
    """Read up to *limit* events after a place (None: from the oldest on), the place behind them, and whether more are there.

    Raises:
        EventsGone: What follows that place is not all kept any more.
        BusAway: The stream cannot be read at the moment.
    """
    state = await bus.stream_state()
    stream = name(state.created)
    if after is not None and (after.stream != stream or after.sequence < state.first_sequence - 1):
        raise EventsGone("Begin without `after`, and fetch what you have missed from the lists.")
    start = max(1, state.first_sequence if after is None else after.sequence + 1)  # an empty stream begins with 0
    found: list[Happened] = []
    place = start - 1
    wanted = filters(tenant, patterns)
    if start > state.last_sequence or not wanted:
        return [], Place(stream, max(place, state.last_sequence)), False
    try:
        async with asyncio.timeout(SECONDS), _AT_ONCE, await bus.ordered(wanted, start) as facts:
            left = facts.pending
            for _ in range(min(left, SCANNED_MOST)):
                fact = await anext(facts)
                if fact.gap and after is not None:
                    raise EventsGone("Begin without `after`, and fetch what you have missed from the lists.")
                left, place = left - 1, fact.sequence
                one = read(fact.payload, patterns)
                if one is not None and sees(one):
                    found.append(one)
                if len(found) == limit:
                    break
    except (TimeoutError, StopAsyncIteration):
        raise BusAway("The events cannot be read at the moment.") from None
    if not left:
        place = max(place, state.last_sequence)
    return found, Place(stream, place), bool(left)
