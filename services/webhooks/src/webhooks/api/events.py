"""EventFeed for who asks for them instead of being called."""

from typing import Annotated

import msgspec
from contracts.principal import Principal, Role
from fastapi import APIRouter, Query
from servicekit import cursors
from servicekit.bus import BusAway
from servicekit.http import Caller, Limit, problems
from servicekit.http.bodies import PAGE

from webhooks import stream
from webhooks.api.parts import OnBus
from webhooks.api.shapes import EventFeed, EventOut
from webhooks.domain import types
from webhooks.domain.problems import EventsGone, TypeUnknown
from webhooks.stream import Happened, Place

_VIEW = "events"
LATEST = "latest"

router = APIRouter(prefix="/api/events", tags=["events"])


@router.get("", responses=problems(cursors.BadCursor, EventsGone, TypeUnknown, BusAway))
async def list_events(
    caller: Caller,
    bus: OnBus,
    after: Annotated[
        str | None,
        Query(max_length=1000, description="The `next_cursor` of before; `latest`: from now on; left out: from the oldest that is kept."),
    ] = None,
    types_: Annotated[
        str | None, Query(alias="types", max_length=2000, description="EventTypes or patterns such as `message.*`, by comma.")
    ] = None,
    limit: Limit = PAGE,
) -> EventFeed:
    """Give the same events, with the same ids and in the order in which they happened, that webhooks are sent; kept for seven days."""
    patterns = types.checked([part.strip() for part in types_.split(",") if part.strip()][: types.PATTERNS_MOST]) if types_ else ("*",)
    items: list[Happened] = []
    if after == LATEST:
        place, more = await stream.end(bus), False
    else:
        begin = Place(*cursors.decode(caller.tenant, _VIEW, after, tuple[str, int])) if after else None
        items, place, more = await stream.pull(bus, caller.tenant, patterns, begin, limit, lambda one: _sees(caller, one))
    return EventFeed(
        items=[EventOut(id=one.id, type=one.type, timestamp=one.at, data=msgspec.json.decode(one.data)) for one in items],
        next_cursor=cursors.encode(caller.tenant, _VIEW, (place.stream, place.sequence)),
        more=more,
    )


def _sees(caller: Principal, one: Happened) -> bool:
    """Tell whether an event is about what *caller* sees: a chat of his, one of his numbers, or, for who sees all, anything."""
    if one.type.startswith("endpoint.") and not caller.may(Role.ADMIN):
        return False  # a webhook's address may hold a secret
    if one.chat is not None:
        return caller.reads(one.device, one.audience.team, one.audience.assignee)
    return caller.access.sees(one.device) and (caller.access.chats == "all" or one.type.startswith("device."))
