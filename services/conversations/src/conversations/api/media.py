"""Files: sent here to be sent on, and given to whoever sees the message that they belong to."""

from collections.abc import AsyncIterator
from email.utils import format_datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import PublicMediaId
from contracts.errors import Conflict, Gone, Invalid, NotFound, Problem
from contracts.media import LIMITS
from contracts.principal import Principal, Scope
from contracts.views import MediaView
from contracts.whatsapp import MessageKind
from fastapi import APIRouter, Query
from servicekit import outbox
from servicekit.db import Tx, raw
from servicekit.http import Caller, Json, answer, needs, problems, state
from servicekit.idempotency import Idempotent, InFlight, Mismatch, fingerprint
from servicekit.objects import ObjectMissing, ObjectsAway
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from conversations.api.shapes import Db
from conversations.domain import links
from conversations.files import Converted, Files, NotConvertible, TooLarge, UploadBroken, content_disposition, fit, sniff
from conversations.files.pictures import NoPicture
from conversations.files.uploads import Upload
from conversations.store import media, reading
from conversations.store.media import Medium
from conversations.store.messages import File, media_view

router = APIRouter(prefix="/api/media", tags=["media"])

InFiles = Annotated[Files, state("files")]

_KEPT = "private, max-age=3600"
#: Whatever it is: no script of it runs, nothing is loaded by it, no other site's page reads it.
_HARMLESS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; sandbox",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": _KEPT,
}


class MediaMissing(NotFound):
    """No such file is here."""

    code = "media-not-found"


class MediaPending(Conflict):
    """The file is on its way."""

    code = "media-pending"


class MediaFailed(Conflict):
    """The file could not be had; it can be tried again."""

    code = "media-failed"


class MediaExpired(Gone):
    """WhatsApp has the file no more."""

    code = "media-expired"


class MediaInvalid(Invalid):
    """The file cannot be sent as this kind of message."""

    code = "media-invalid"


class PictureMissing(NotFound):
    """There is no small picture of this file."""

    code = "no-thumbnail"


class RangeInvalid(Problem):
    """The file has no such bytes."""

    status = 416
    code = "range-invalid"


FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "kind": {"type": "string", "enum": sorted(LIMITS), "description": "By the file itself where left out."},
                    },
                }
            }
        },
    }
}


@router.post(
    "",
    status_code=201,
    responses=answer(MediaView, status=201, description="It can be sent within a day.")
    | problems(TooLarge, UploadBroken, MediaInvalid, ObjectsAway, InFlight, Mismatch),
    openapi_extra=FORM,
)
@needs(Scope.SEND)
async def upload(request: Request, caller: Caller, idem: Idempotent, db: Db, files: InFiles) -> Response:
    """Send a file here, to be sent on with a message. It is made into what WhatsApp takes for its kind."""
    async with files.received(request) as form:
        medium = await take_in(files, caller, form)
    idem.fingerprint = fingerprint(idem.fingerprint, form.sha256, form.name or "", form.fields.get("kind", ""))
    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        await media.upload(await raw(tx), medium)
        return await idem.finish(tx, 201, msgspec.json.encode(shown(medium)))


async def take_in(files: Files, caller: Principal, form: Upload) -> Medium:
    """The form's file is in the store, as WhatsApp takes it.  Raises: MediaInvalid, TooLarge, ObjectsAway."""
    wanted = form.fields.get("kind") or None
    if wanted is not None and wanted not in LIMITS:
        raise MediaInvalid(f"A kind is one of {', '.join(sorted(LIMITS))}.")
    if not form.size:
        raise MediaInvalid("The file is empty.")
    kind: MessageKind | None = wanted
    if kind is not None and form.size > LIMITS[kind]:
        raise TooLarge(f"A file of this kind has at most {LIMITS[kind]} bytes.")
    try:
        made: Converted = await fit(form.file, sniff(form.file), kind)
    except NotConvertible as error:
        raise MediaInvalid(str(error)) from error
    size = made.file.stat().st_size
    if size > LIMITS[made.kind]:
        raise TooLarge(f"A file of this kind has at most {LIMITS[made.kind]} bytes.")
    key, sha256, size = await files.keep(caller.tenant, made.file)
    id = ids.new()
    file = File(
        id=id,
        state="ready",
        mime=made.mime,
        size=size,
        file_name=form.name,
        seconds=made.seconds,
        width=made.width,
        height=made.height,
        waveform=made.waveform,
        preview=made.preview,
        sha256=sha256,
        object=key,
        picture=made.kind in media.PICTURED,
    )
    return Medium(
        tenant=caller.tenant, id=id, device=None, message=None, author=caller.id, kind=made.kind, state="ready", reason=None, attempt=1,
        source=None, object=key, mime=made.mime, size=size, file_name=form.name, facts=file, created_at=ids.made_at(id),
    )  # fmt: skip


def shown(medium: Medium) -> MediaView:
    """Show an upload."""
    return media_view(medium.tenant, msgspec.json.encode(medium.facts).decode())


_DELIVERED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "The bytes that were asked for.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "It is what the caller has."},
}
_NOT_HERE = problems(MediaMissing, MediaPending, MediaFailed, MediaExpired, PictureMissing, RangeInvalid, ObjectsAway)


@router.get("/file", responses=_DELIVERED | _NOT_HERE, response_class=Response)
async def get_by_link(
    request: Request, db: Db, files: InFiles, token: Annotated[str, Query(max_length=300, description="As a message's `url` has it.")]
) -> Response:
    """Give a file to whoever has its signed address, while that is good."""
    read = links.read(token)
    if read is None:
        raise MediaMissing("This address is not good, or not any more.")
    tenant, id, small, _ = read
    async with db.transaction(tenant) as tx:
        medium = await media.find(await raw(tx), tenant, id)
    if medium is None or medium.state == "gone":
        raise MediaMissing
    return await _give(request, files, medium, small=small)


@router.get("/{id}", responses=_DELIVERED | _NOT_HERE, response_class=Response)
async def get_media(id: PublicMediaId, request: Request, caller: Caller, db: Db, files: InFiles) -> Response:
    """Give a file, or a range of it. One of an old message is fetched when it is first asked for."""
    async with db.transaction(caller.tenant) as tx:
        medium = await _seen(tx, caller, id)
        if medium.state == "pending" and medium.attempt == 1 and await _is_old(tx, medium):
            await outbox.add(tx, *await media.again(await raw(tx), medium))
    return await _give(request, files, medium, small=False)


@router.get("/{id}/thumbnail", responses=_DELIVERED | _NOT_HERE, response_class=Response)
async def get_thumbnail(id: PublicMediaId, request: Request, caller: Caller, db: Db, files: InFiles) -> Response:
    """Give a small JPEG of an image, a sticker or a video."""
    async with db.transaction(caller.tenant) as tx:
        medium = await _seen(tx, caller, id)
    return await _give(request, files, medium, small=True)


@router.post(
    "/{id}/retry",
    status_code=202,
    responses=answer(MediaView, status=202, description="It is fetched again; an event tells how that ends.") | problems(MediaMissing),
)
@needs(Scope.SEND)
async def retry(id: PublicMediaId, caller: Caller, db: Db) -> Json:
    """Fetch a file again that could not be had."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        await _seen(tx, caller, id)
        medium = await media.find(c, caller.tenant, id, lock=True)
        if medium is None:
            raise MediaMissing
        if medium.state in ("failed", "expired", "pending"):
            await outbox.add(tx, *await media.again(c, medium))
        medium = await media.find(c, caller.tenant, id)
        if medium is None:
            raise MediaMissing
    view = MediaView(id=ids.public(ids.MEDIA, id), mime=medium.mime, size=medium.size, state=medium.state)  # type: ignore[arg-type]
    return Json(view, status_code=202)


async def _seen(tx: Tx, caller: Principal, id: UUID) -> Medium:
    """Read a file of a message that the caller sees, or one that he sent here.  Raises: MediaMissing."""
    c = await raw(tx)
    medium = await media.find(c, caller.tenant, id)
    if medium is None or medium.state == "gone":
        raise MediaMissing
    if medium.message is None:
        if medium.author != caller.id:
            raise MediaMissing
        return medium
    if await reading.message(c, caller.tenant, medium.message, caller) is None:
        raise MediaMissing
    return medium


async def _is_old(tx: Tx, medium: Medium) -> bool:
    statement = "select history from messages where tenant = $1 and id = $2"
    return bool(await (await raw(tx)).fetchval(statement, medium.tenant, medium.message))


async def _give(request: Request, files: Files, medium: Medium, *, small: bool) -> Response:
    match medium.state:
        case "pending":
            raise MediaPending("Ask again in a moment.")
        case "failed":
            raise MediaFailed(medium.reason or "")
        case "expired":
            raise MediaExpired
    key = medium.object
    if key is None:
        raise MediaMissing
    etag = f'"{key.rpartition("/")[2][:32]}{"-small" if small else ""}"'
    headers = _HARMLESS | {"ETag": etag, "Last-Modified": format_datetime(medium.created_at, usegmt=True)}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    try:
        if small:
            return StreamingResponse(await files.picture(key, medium.mime), media_type="image/jpeg", headers=headers)
        return await _whole_or_part(request, files, medium, key, headers | {"Accept-Ranges": "bytes"}, etag)
    except NoPicture as error:
        raise PictureMissing from error
    except ObjectMissing as error:
        raise MediaMissing("The file is not in the store any more.") from error


async def _whole_or_part(request: Request, files: Files, medium: Medium, key: str, headers: dict[str, str], etag: str) -> Response:
    headers["Content-Disposition"] = content_disposition(medium.mime, medium.file_name)
    size = medium.size
    asked = request.headers.get("range")
    if asked is not None and request.headers.get("if-range", etag) == etag and (span := span_of(asked, size)) is not None:
        start, end = span
        if start >= end:
            raise RangeInvalid(f"It has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
        headers |= {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
        return _stream(await files.objects.read(key, start, end), 206, medium.mime, headers)
    headers["Content-Length"] = str(size)
    return _stream(await files.objects.read(key), 200, medium.mime, headers)


def _stream(content: AsyncIterator[bytes], status: int, mime: str, headers: dict[str, str]) -> Response:
    return StreamingResponse(content, status, headers | {"Content-Type": mime})


def span_of(text: str, size: int) -> tuple[int, int] | None:
    """Read one range as (start, end); an empty one where the file has no such bytes; None for what is to be ignored."""
    unit, _, rest = text.partition("=")
    first, dash, last = rest.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or "," in rest or not (first or last):
        return None
    if (first and not first.isdecimal()) or (last and not last.isdecimal()) or len(first) > 15 or len(last) > 15:
        return None
    if not first:
        return (max(size - int(last), 0), size) if int(last) else (size, size)
    start, end = int(first), int(last) + 1 if last else size
    if last and end <= start:
        return None
    return (start, min(end, size)) if start < size else (size, size)
