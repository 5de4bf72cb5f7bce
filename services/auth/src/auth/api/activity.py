"""Who did what in the account."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated
from uuid import UUID

from contracts import ids
from contracts.errors import Invalid
from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from servicekit import cursors
from servicekit.http import Admin, Cursor, Limit, Page, problems
from servicekit.http.bodies import PAGE

from auth import store
from auth.api.parts import WithParts
from auth.api.shapes import ActorOut, DeedOut
from auth.domain.activity import Doer
from auth.store.activity import Filter, Line

_PREFIX = {"user": ids.USER, "key": ids.KEY}
_PARTS: dict[str, Doer] = {"bot": "bot", "automation": "automation", "schedule": "schedule"}

router = APIRouter(prefix="/api/activity", tags=["activity"])


@router.get("", responses=problems(cursors.BadCursor))
async def list_activity(
    admin: Admin,
    parts: WithParts,
    actor: Annotated[
        str | None, Query(max_length=40, description="usr_… or key_…, or bot, automation, schedule: what this one did")
    ] = None,
    target: Annotated[str | None, Query(max_length=60, pattern=r"^[A-Za-z0-9_-]+$", description="the id of what it was done to")] = None,
    kind: Annotated[str | None, Query(pattern=r"^[a-z_.-]{1,60}$", description="such as user.created, or user for all of them")] = None,
    after: Annotated[AwareDatetime | None, Query(description="from then on")] = None,
    before: Annotated[AwareDatetime | None, Query(description="until just before then")] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> Page[DeedOut]:
    """List what was done in the account, the latest first."""
    part = _PARTS.get(actor or "")
    wanted = Filter(actor=None if part else _actor(actor), actor_kind=part, target=target, kind=kind, after=after, before=before)
    view = f"activity?{wanted}"
    beyond = cursors.decode(admin.tenant, view, cursor, tuple[datetime, UUID]) if cursor else None
    async with parts.db.transaction(admin.tenant) as tx:
        found = await store.activity.page(tx, admin.tenant, wanted, beyond=beyond, limit=limit + 1)
        gone = await store.activity.ended(tx, admin.tenant, {line.deed.target for line in found if line.deed.target is not None})
    last = found[limit - 1].deed if len(found) > limit else None
    more = cursors.encode(admin.tenant, view, (last.at, last.id)) if last else None
    return Page(items=[_shown(line, gone) for line in found[:limit]], next_cursor=more)


def _actor(text: str | None) -> UUID | None:
    if text is None:
        return None
    for prefix in _PREFIX.values():
        try:
            return ids.parse(prefix, text)
        except ValueError:
            continue
    raise Invalid("An actor is a person or a key.", errors=[{"at": "actor", "message": "An id here looks like usr_… or key_…"}])


def _shown(line: Line, gone: Collection[str]) -> DeedOut:
    deed = line.deed
    actor = None
    if deed.actor_kind is not None:
        id = None if deed.actor is None else ids.public(_PREFIX[deed.actor_kind], deed.actor)
        actor = ActorOut(kind=deed.actor_kind, id=id, name=line.actor_name)
    return DeedOut(
        id=str(deed.id), at=deed.at, actor=actor, kind=deed.kind, target=deed.target, gone=deed.target in gone, address=deed.address
    )
