"""How a number came to stand where it stands."""

from datetime import datetime
from typing import Literal

from contracts import ids
from contracts.events.devices import DeviceState
from fastapi import APIRouter
from pydantic import BaseModel
from servicekit import cursors
from servicekit.http import Caller, Cursor, Limit, Page, problems

from device_worker.api.parts import Db, Seen
from device_worker.domain import DeviceMissing, Wanted
from device_worker.store import devices, history
from device_worker.store.history import Step

_VIEW = "history"

routes = APIRouter()


class StepDoer(BaseModel):
    """Who ordered it: a person or a program's key."""

    kind: Literal["user", "key"]
    id: str


class DeviceStep(BaseModel):
    """One change of a number's standing, or of what is wanted of it.

    Attributes:
        by: Null where it came by itself, or from the phone.
    """

    revision: int
    at: datetime
    state: DeviceState
    wanted: Wanted
    reason: str | None
    action: str | None
    until: datetime | None
    by: StepDoer | None

    @classmethod
    def of(cls, step: Step) -> "DeviceStep":
        """Show *step*."""
        by = None
        if step.actor is not None and step.actor_kind is not None:
            by = StepDoer(kind=step.actor_kind, id=ids.public(ids.USER if step.actor_kind == "user" else ids.KEY, step.actor))
        return cls(
            revision=step.revision,
            at=step.at,
            state=step.state,
            wanted=step.wanted,
            reason=step.reason,
            action=step.action,
            until=step.until,
            by=by,
        )


@routes.get("/{id}/events", responses=problems(DeviceMissing, cursors.BadCursor))
async def list_events(id: Seen, caller: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Page[DeviceStep]:
    """List what happened to a number, the latest first; the last 90 days of it."""
    view = f"{_VIEW} {id}"
    before = cursors.decode(caller.tenant, view, cursor, tuple[int])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        await devices.find(tx, caller.tenant, id)
        found = await history.page(tx, caller.tenant, id, before, limit + 1)
    more = cursors.encode(caller.tenant, view, (found[limit - 1].revision,)) if len(found) > limit else None
    return Page(items=[DeviceStep.of(step) for step in found[:limit]], next_cursor=more)
