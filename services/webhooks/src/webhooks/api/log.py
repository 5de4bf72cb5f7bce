"""What was sent: deliveries, attempts, sums; sending again what failed."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from contracts.edge import PublicDeliveryId, PublicEventId, PublicWebhookId
from contracts.principal import Principal
from fastapi import APIRouter, Query, Response
from servicekit import cursors
from servicekit.db import raw
from servicekit.http import Admin, Cursor, Limit, Page, problems
from servicekit.http.bodies import PAGE
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from webhooks.api.parts import Db, seen
from webhooks.api.shapes import (
    AttemptOut,
    DeliveriesRecovered,
    DeliveryOut,
    DeliveryRecovery,
    DeliveryShown,
    WebhookHour,
    WebhookStatistics,
)
from webhooks.domain import bodies
from webhooks.domain.endpoints import State
from webhooks.domain.problems import DeliveryMissing, PayloadGone, WebhookMissing, WebhookNotEnabled
from webhooks.store import deliveries, endpoints, lanes

StateFilter = Annotated[Literal["waiting", "delivered", "failed"] | None, Query(description="Only these.")]
TypeFilter = Annotated[str | None, Query(max_length=80, description="Only of this type.")]
EventFilter = Annotated[PublicEventId | None, Query(description="Only of this event.")]

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


@router.get("/deliveries", responses=problems(cursors.BadCursor))
async def list_event_deliveries(
    event: Annotated[PublicEventId, Query(description="The event.")], admin: Admin, db: Db, cursor: Cursor = None, limit: Limit = PAGE
) -> Page[DeliveryOut]:
    """List where an event was sent, newest first."""
    view = f"webhooks/deliveries {event}"
    before = _before(admin, view, cursor)
    if admin.access.chats != "all":
        return Page(items=[])
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        mine = None
        if admin.access.devices is not None:
            mine = [one.id for one in await endpoints.page(c, admin.tenant, after=None, limit=1000, devices=admin.access.devices)]
        rows = await deliveries.page(c, admin.tenant, event=event, endpoints=mine, before=before, limit=limit + 1)
    return _page(admin, view, rows, limit)


@router.get("/{id}/deliveries", responses=problems(WebhookMissing, cursors.BadCursor))
async def list_deliveries(
    id: PublicWebhookId,
    admin: Admin,
    db: Db,
    state: StateFilter = None,
    type: TypeFilter = None,
    event: EventFilter = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> Page[DeliveryOut]:
    """List what was sent to a webhook, is on its way or has failed, newest first."""
    view = f"webhooks/{id}/deliveries {state} {type} {event}"
    before = _before(admin, view, cursor)
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await seen(c, admin, id)
        rows = await deliveries.page(
            c, admin.tenant, endpoint=id, state=state, type=_plain(type), event=event, before=before, limit=limit + 1
        )
    return _page(admin, view, rows, limit)


@router.get("/{id}/deliveries/{delivery}", responses=problems(WebhookMissing, DeliveryMissing))
async def read_delivery(id: PublicWebhookId, delivery: PublicDeliveryId, admin: Admin, db: Db) -> DeliveryShown:
    """Read a delivery with its content."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await seen(c, admin, id)
        row = await deliveries.find(c, (admin.tenant, id), delivery)
    body = None if row["data"] is None else msgspec.json.decode(bodies.plain(row["type"], row["at"], row["data"]))
    return DeliveryShown.with_body(row, body)


@router.post(
    "/{id}/deliveries/{delivery}/resend",
    status_code=202,
    response_model=DeliveryOut,
    responses=problems(WebhookMissing, DeliveryMissing, PayloadGone, WebhookNotEnabled, InFlight, Mismatch),
)
async def resend(id: PublicWebhookId, delivery: PublicDeliveryId, admin: Admin, db: Db, idem: Idempotent) -> Response:
    """Send a delivery again, now, whatever became of it; the event's id stays the same."""
    key = admin.tenant, id
    async with db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        c = await raw(tx)
        if (await seen(c, admin, id)).state is State.DISABLED:
            raise WebhookNotEnabled("Enable it first.")
        await lanes.wake(c, [key], probe=True)
        await deliveries.again(c, key, delivery)
        row = await deliveries.find(c, key, delivery)
        return await idem.finish(tx, 202, DeliveryOut.of(row).model_dump_json().encode())


@router.post(
    "/{id}/recover",
    status_code=202,
    response_model=DeliveriesRecovered,
    responses=problems(WebhookMissing, WebhookNotEnabled, InFlight, Mismatch),
)
async def recover(id: PublicWebhookId, body: DeliveryRecovery, admin: Admin, db: Db, idem: Idempotent) -> Response:
    """Send everything again that has failed since a time."""
    key = admin.tenant, id
    async with db.transaction(admin.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        c = await raw(tx)
        if (await seen(c, admin, id)).state is State.DISABLED:
            raise WebhookNotEnabled("Enable it first.")
        await lanes.wake(c, [key], probe=True)
        count = await deliveries.recover(c, key, body.since)
        return await idem.finish(tx, 202, DeliveriesRecovered(recovered=count).model_dump_json().encode())


@router.get("/{id}/attempts", responses=problems(WebhookMissing, cursors.BadCursor))
async def list_attempts(
    id: PublicWebhookId,
    admin: Admin,
    db: Db,
    delivery: Annotated[PublicDeliveryId | None, Query(description="Only of this delivery.")] = None,
    event: EventFilter = None,
    outcome: Annotated[Literal["delivered", "failed"] | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> Page[AttemptOut]:
    """List every request to a webhook with its answer, newest first."""
    view = f"webhooks/{id}/attempts {delivery} {event} {outcome}"
    before = _before(admin, view, cursor)
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await seen(c, admin, id)
        failed = None if outcome is None else outcome == "failed"
        rows = await deliveries.attempts(c, admin.tenant, id, delivery=delivery, event=event, failed=failed, before=before, limit=limit + 1)
    more = cursors.encode(admin.tenant, view, (rows[limit - 1]["id"],)) if len(rows) > limit else None
    return Page(items=[AttemptOut.of(row) for row in rows[:limit]], next_cursor=more)


@router.get("/{id}/statistics", responses=problems(WebhookMissing))
async def statistics(
    id: PublicWebhookId, admin: Admin, db: Db, days: Annotated[int, Query(ge=1, le=90, description="How far back.")] = 7
) -> WebhookStatistics:
    """Sum up a webhook's attempts, hour by hour."""
    since = (datetime.now(UTC) - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await seen(c, admin, id)
        rows, waiting = await deliveries.statistics(c, (admin.tenant, id), since)
    delivered, failed = sum(row["delivered"] for row in rows), sum(row["failed"] for row in rows)
    return WebhookStatistics(
        since=since,
        delivered=delivered,
        failed=failed,
        waiting=waiting,
        latency_ms=round(sum(row["latency_ms"] for row in rows) / max(1, delivered + failed)),
        slowest_ms=max((row["slowest_ms"] for row in rows), default=0),
        hours=[
            WebhookHour(
                hour=row["hour"],
                delivered=row["delivered"],
                failed=row["failed"],
                latency_ms=round(row["latency_ms"] / max(1, row["delivered"] + row["failed"])),
                slowest_ms=row["slowest_ms"],
            )
            for row in rows
        ],
    )


def _before(admin: Principal, view: str, cursor: str | None) -> UUID | None:
    return cursors.decode(admin.tenant, view, cursor, tuple[UUID])[0] if cursor else None


def _page(admin: Principal, view: str, rows: list[Any], limit: int) -> Page[DeliveryOut]:
    more = cursors.encode(admin.tenant, view, (rows[limit - 1]["id"],)) if len(rows) > limit else None
    return Page(items=[DeliveryOut.of(row) for row in rows[:limit]], next_cursor=more)


def _plain(text: str | None) -> str | None:
    return None if text is None else text.replace("\x00", "")
