"""Replays of the stream of events to a webhook."""

from datetime import UTC, datetime
from uuid import UUID

from contracts import ids
from contracts.edge import PublicReplayId, PublicWebhookId
from contracts.errors import Invalid
from fastapi import APIRouter, Response
from servicekit import cursors
from servicekit.db import raw
from servicekit.http import Admin, Cursor, Limit, Page, problems
from servicekit.http.bodies import PAGE
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from webhooks.api.parts import Db, seen
from webhooks.api.shapes import NewReplay, ReplayOut
from webhooks.domain import types
from webhooks.domain.endpoints import State, may_send
from webhooks.domain.problems import ReplayMissing, ReplayRunning, SeesLess, TypeUnknown, WebhookMissing, WebhookNotEnabled
from webhooks.store import replays
from webhooks.store.replays import Replay

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


@router.post(
    "/{id}/replays",
    status_code=202,
    response_model=ReplayOut,
    responses=problems(WebhookMissing, WebhookNotEnabled, ReplayRunning, TypeUnknown, SeesLess, InFlight, Mismatch),
)
async def start_replay(id: PublicWebhookId, body: NewReplay, admin: Admin, db: Db, idem: Idempotent) -> Response:
    """Send what has happened again, from the stream of events (kept for seven days): to this webhook, old or just made."""
    now = datetime.now(UTC)
    until = min(body.until or now, now)
    if body.since >= until:
        raise Invalid("The time begins before it ends, and lies in the past.", errors=[{"at": "body.since", "message": "Too late."}])
    if body.devices is not None:
        may_send(admin, body.devices)
    async with db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        c = await raw(tx)
        endpoint = await seen(c, admin, id, lock=True)
        if endpoint.state is State.DISABLED:
            raise WebhookNotEnabled("Enable it first.")
        replay = Replay(
            tenant=admin.tenant,
            id=ids.new(),
            endpoint=id,
            since=body.since,
            until=until,
            types=types.checked(body.types) if body.types is not None else endpoint.types,
            devices=frozenset(body.devices) if body.devices is not None else None,
            state="waiting",
            created_by=admin.id,
            created_at=now,
        )
        await replays.add(c, replay)
        return await idem.finish(tx, 202, ReplayOut.of(replay, {}).model_dump_json().encode())


@router.get("/{id}/replays", responses=problems(WebhookMissing, cursors.BadCursor))
async def list_replays(id: PublicWebhookId, admin: Admin, db: Db, cursor: Cursor = None, limit: Limit = PAGE) -> Page[ReplayOut]:
    """List the replays to a webhook, newest first."""
    view = f"webhooks/{id}/replays"
    before = cursors.decode(admin.tenant, view, cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await seen(c, admin, id)
        found = await replays.page(c, admin.tenant, id, before=before, limit=limit + 1)
        counts = await replays.settled(c, admin.tenant, id, [one.id for one in found])
    more = cursors.encode(admin.tenant, view, (found[limit - 1].id,)) if len(found) > limit else None
    return Page(items=[ReplayOut.of(one, counts.get(one.id, {})) for one in found[:limit]], next_cursor=more)


@router.get("/{id}/replays/{replay}", responses=problems(WebhookMissing, ReplayMissing))
async def read_replay(id: PublicWebhookId, replay: PublicReplayId, admin: Admin, db: Db) -> ReplayOut:
    """Read how far a replay has come."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await seen(c, admin, id)
        found = await replays.find(c, admin.tenant, id, replay)
        counts = await replays.settled(c, admin.tenant, id, [replay])
    return ReplayOut.of(found, counts.get(replay, {}))


@router.delete("/{id}/replays/{replay}", status_code=204, response_class=Response, responses=problems(WebhookMissing, ReplayMissing))
async def cancel_replay(id: PublicWebhookId, replay: PublicReplayId, admin: Admin, db: Db) -> None:
    """Let a replay go no further; what it has not sent yet is not sent."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await seen(c, admin, id)
        await replays.find(c, admin.tenant, id, replay)
        await replays.cancel(c, admin.tenant, id, replay)
