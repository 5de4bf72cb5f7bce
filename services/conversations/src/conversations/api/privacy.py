"""What is kept for how long, who was erased, and what is known of a contact, for whoever asks for it."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import PublicContactId, PublicErasureId, PublicExportId
from contracts.errors import Conflict, Gone, NotFound
from contracts.principal import Principal
from fastapi import APIRouter
from pydantic import Field
from servicekit import cursors
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Admin, Body, Caller, Cursor, Json, Limit, answer, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from servicekit.objects import ObjectMissing, ObjectsAway
from starlette.responses import Response, StreamingResponse

from conversations import store
from conversations.api.media import InFiles
from conversations.api.shapes import Db
from conversations.domain.errors import ContactMissing
from conversations.domain.privacy import MOST_DAYS, STREAM_DAYS
from conversations.store import erasing, exporting, reading, retention

router = APIRouter(prefix="/api/privacy", tags=["privacy"])
of_contacts = APIRouter(prefix="/api/contacts", tags=["privacy"])

Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]


class ErasureMissing(NotFound):
    """No such erasure is here."""

    code = "erasure-not-found"


class KeepFor(Body):
    """For how many whole days things are kept; null: for ever."""

    message_days: Days | None = None
    media_days: Days | None = None


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was last removed because its time was over.

    Attributes:
        ended_at: None while it goes on.
        messages: Removed so far; *files* alike.
    """

    started_at: datetime
    ended_at: datetime | None
    messages: int
    files: int


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """For how many whole days things are kept, by the account's clock.

    Attributes:
        message_days: None: for ever; *media_days* alike.
        last_run: None while nothing has ever been removed.
    """

    message_days: int | None
    media_days: int | None
    last_run: LastRun | None


PartName = Literal["conversations", "pipeline", "bot", "webhooks", "devices", "auth", "files", "events", "dead-letters"]


class PartView(msgspec.Struct, frozen=True, kw_only=True):
    """How far one service or store is.

    Attributes:
        removed: How many things that were.
    """

    part: PartName
    state: Literal["waiting", "done"]
    removed: int
    done_at: datetime | None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """How far an erasure is. It never says who it was about.

    Attributes:
        id: ``ers_…``
        contact_id: ``cnt_…``: nobody is found by it any more.
        state: ``working`` until all parts are done.
        requested_by: ``usr_…`` or ``key_…``
        erased_at: From then on the person is nobody here; whoever writes from the same number is somebody new.
        events_until: What reaches the stream of events late, such as an old message that WhatsApp brings again, is gone by itself then.
    """

    id: str
    contact_id: str
    state: Literal["working", "done"]
    requested_by: str
    requested_at: datetime
    erased_at: datetime | None
    completed_at: datetime | None
    events_until: datetime | None
    parts: tuple[PartView, ...]


class ExportMissing(NotFound):
    """No such export is here."""

    code = "export-not-found"


class ExportNotReady(Conflict):
    """The export is not ready yet, or could not be made."""

    code = "export-not-ready"


class ExportExpired(Gone):
    """The time of this export is over: ask for a new one."""

    code = "export-expired"


_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "The ZIP.", "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}


class ExportView(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a contact, as one ZIP.

    Attributes:
        id: ``xpt_…``
        contact_id: ``cnt_…``
        requested_by: ``usr_…`` or ``key_…``
        messages: Written so far, of *total*.
        files: Files of messages that are in it so far.
        reason: Why it is not ready: a stable code.
        url: Where it can be fetched by who may ask for it; None until it is ready, and when its time is over.
    """

    id: str
    contact_id: str
    state: Literal["waiting", "running", "ready", "failed", "expired"]
    requested_by: str
    requested_at: datetime
    messages: int
    total: int
    files: int
    size: int | None
    reason: str | None
    ended_at: datetime | None
    expires_at: datetime | None
    url: str | None


def _shown(one: exporting.Export) -> ExportView:
    id = ids.public(ids.EXPORT, one.id)
    return ExportView(
        id=id,
        contact_id=ids.public(ids.CONTACT, one.contact),
        state=one.state,  # type: ignore[arg-type]  # as the table's check says
        requested_by=ids.public(ids.KEY if one.by_key else ids.USER, one.requested_by),
        requested_at=one.requested_at,
        messages=one.messages,
        total=one.total,
        files=one.files,
        size=one.size,
        reason=one.reason,
        ended_at=one.ended_at,
        expires_at=one.expires_at,
        url=f"/api/privacy/exports/{id}/file" if one.state == "ready" else None,
    )


def _kept(row: retention.Retention) -> Kept:
    run = None
    if row.started_at is not None:
        run = LastRun(started_at=row.started_at, ended_at=row.ended_at, messages=row.messages, files=row.media)
    return Kept(message_days=row.message_days, media_days=row.media_days, last_run=run)


def receipt(one: erasing.Erasure, parts: list[erasing.Part]) -> Receipt:
    """Show an erasure."""
    return Receipt(
        id=ids.public(ids.ERASURE, one.id),
        contact_id=ids.public(ids.CONTACT, one.contact),
        state="done" if one.completed_at else "working",
        requested_by=ids.public(ids.KEY if one.by_key else ids.USER, one.requested_by),
        requested_at=one.requested_at,
        erased_at=one.erased_at,
        completed_at=one.completed_at,
        events_until=one.erased_at and one.erased_at + timedelta(days=STREAM_DAYS),
        parts=tuple(
            PartView(part=part.part, state="done" if part.done_at else "waiting", removed=part.removed, done_at=part.done_at)  # type: ignore[arg-type]
            for part in parts
        ),
    )


@router.get("/retention", responses=answer(Kept))
async def get_retention(caller: Caller, db: Db) -> Json:
    """Show for how long messages and files are kept."""
    async with db.transaction(caller.tenant) as tx:
        return Json(_kept(await retention.read(await raw(tx), caller.tenant)))


@router.put("/retention", responses=answer(Kept))
async def set_retention(body: KeepFor, caller: Admin, db: Db) -> Json:
    """Keep messages and files for so many whole days from now on. What is older goes within the next minutes or hours, for good."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        await retention.change(c, caller.tenant, body.message_days, body.media_days)
        return Json(_kept(await retention.read(c, caller.tenant)))


@of_contacts.post(
    "/{id}/erase",
    status_code=202,
    responses=answer(Receipt, status=202, description="It is under way; asked for twice it is the same one.")
    | problems(ContactMissing, InFlight, Mismatch),
)
async def erase_contact(id: PublicContactId, caller: Admin, idem: Idempotent, db: Db) -> Response:
    """Erase a contact and everything that was said with it, everywhere, for good."""

    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c = await raw(tx)
            found = await erasing.request(c, caller.tenant, id, caller.id, by_key=caller.kind == "key")
            if found is None:
                raise ContactMissing
            parts = await erasing.parts(c, caller.tenant, [found.id])
            return await idem.finish(tx, 202, msgspec.json.encode(receipt(found, parts[found.id])))

    return await store.persistently(once)


@router.get("/erasures", responses=answer(Receipt, page=True) | problems(BadCursor))
async def list_erasures(caller: Admin, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """List the erasures, the latest first."""
    name = "erasures"
    before = cursors.decode(caller.tenant, name, cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        rows = await erasing.page(c, caller.tenant, before=before, limit=limit + 1)
        parts = await erasing.parts(c, caller.tenant, [row.id for row in rows[:limit]])
    following = cursors.encode(caller.tenant, name, (rows[limit - 1].id,)) if len(rows) > limit else None
    items: list[Any] = [receipt(row, parts[row.id]) for row in rows[:limit]]
    return Json({"items": items, "next_cursor": following})


@router.get("/erasures/{id}", responses=answer(Receipt) | problems(ErasureMissing))
async def get_erasure(id: PublicErasureId, caller: Admin, db: Db) -> Json:
    """Show how far an erasure is."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        found = await erasing.find(c, caller.tenant, id)
        if found is None:
            raise ErasureMissing
        parts = await erasing.parts(c, caller.tenant, [found.id])
    return Json(receipt(found, parts[found.id]))


@of_contacts.post(
    "/{id}/exports",
    status_code=202,
    responses=answer(ExportView, status=202, description="It is being put together.") | problems(ContactMissing, InFlight, Mismatch),
)
async def export_contact(id: PublicContactId, caller: Admin, idem: Idempotent, db: Db) -> Response:
    """Put all that is known of a contact together, to be fetched as one ZIP within a week."""
    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        c = await raw(tx)
        contact = await reading.contact(c, caller.tenant, id)
        if contact is None:
            raise ContactMissing
        made = await exporting.request(c, caller.tenant, contact.id, caller.id, by_key=caller.kind == "key")
        return await idem.finish(tx, 202, msgspec.json.encode(_shown(made)))


@router.get("/exports", responses=answer(ExportView, page=True) | problems(BadCursor))
async def list_exports(caller: Admin, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """List the exports, the latest first."""
    name = "exports"
    before = cursors.decode(caller.tenant, name, cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        rows = await exporting.page(await raw(tx), caller.tenant, before=before, limit=limit + 1)
    following = cursors.encode(caller.tenant, name, (UUID(int=rows[limit - 1].id.int),)) if len(rows) > limit else None
    return Json({"items": [_shown(row) for row in rows[:limit]], "next_cursor": following})


@router.get("/exports/{id}", responses=answer(ExportView) | problems(ExportMissing))
async def get_export(id: PublicExportId, caller: Admin, db: Db) -> Json:
    """Show how far an export is."""
    return Json(_shown(await _found(db, caller, id)))


@router.get(
    "/exports/{id}/file",
    responses=_ZIP | problems(ExportMissing, ExportNotReady, ExportExpired, ObjectsAway),
    response_class=Response,
)
async def fetch_export(id: PublicExportId, caller: Admin, db: Db, files: InFiles) -> Response:
    """Give the ZIP."""
    one = await _found(db, caller, id)
    if one.state == "expired":
        raise ExportExpired
    if one.state != "ready" or one.object is None:
        raise ExportNotReady
    try:
        content = await files.objects.read(one.object)
    except ObjectMissing as error:
        raise ExportExpired from error
    headers = {
        "Content-Disposition": f'attachment; filename="{ids.public(ids.EXPORT, one.id)}.zip"',
        "Content-Length": str(one.size),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(content, 200, headers, "application/zip")


@router.delete("/exports/{id}", status_code=204, responses=problems(ExportMissing))
async def drop_export(id: PublicExportId, caller: Admin, db: Db) -> None:
    """Remove an export before its time."""
    await _found(db, caller, id)
    async with db.transaction(caller.tenant) as tx:
        await exporting.drop(await raw(tx), caller.tenant, id)


async def _found(db: Db, caller: Principal, id: UUID) -> exporting.Export:
    async with db.transaction(caller.tenant) as tx:
        found = await exporting.find(await raw(tx), caller.tenant, id)
    if found is None:
        raise ExportMissing
    return found
