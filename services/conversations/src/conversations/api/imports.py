"""Lists of contacts that somebody brings: looked at, tried, taken in, and what was refused of them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import PublicImportId
from contracts.errors import Gone
from contracts.errors import TooLarge as TooLargeError
from contracts.principal import Principal
from contracts.views import ContactImport, ImportCounts
from fastapi import APIRouter
from pydantic import Field
from servicekit import cursors, outbox, sheets
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Admin, Body, Cursor, Json, Limit, answer, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch, fingerprint
from servicekit.objects import ObjectsAway
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from conversations.api import shapes
from conversations.api.media import InFiles
from conversations.api.shapes import Db, Settings
from conversations.domain import columns, phones
from conversations.domain.columns import MOST, Mapping
from conversations.domain.errors import ColumnsInvalid, ImportMissing, ImportStands, SheetInvalid
from conversations.domain.profiles import Field as OwnField
from conversations.files import UploadBroken
from conversations.files.reader import Seen
from conversations.files.sheets import look
from conversations.store import devices, imports, profiles
from conversations.store.imports import WORKING, Import, Sheet

router = APIRouter(prefix="/api/contacts/imports", tags=["contacts"])

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": "CSV, XLSX, XLS or ODS."}},
                }
            }
        },
    }
}
PAGE = 1000
_CSV: dict[int | str, dict[str, Any]] = {200: {"description": "A CSV file.", "content": {"text/csv": {"schema": {"type": "string"}}}}}


class ImportTooLarge(TooLargeError):
    """The list is larger than one may be; bring it in parts."""

    code = "import-too-large"


class ImportGone(Gone):
    """The file of this list is not kept any more; bring it again."""

    code = "import-gone"


class ImportColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a list.

    Attributes:
        target: What it is: ``phone``, ``name``, ``email``, ``tags``, ``state``, ``field:<key>``, or None: it is left out.
    """

    name: str
    samples: tuple[str, ...]
    target: str | None


class ImportPlan(ContactImport, frozen=True, kw_only=True):
    """A list of contacts, with how it is read.

    Attributes:
        header: The first row says what the columns are.
        country: Where a phone without a country code is from (ISO 3166); None: each has its code.
        overwrite: What the list says wins; else it only fills in what is empty.
        create_tags: A tag that is not here is made; else its row is refused.
    """

    columns: tuple[ImportColumn, ...]
    header: bool
    country: str | None
    overwrite: bool
    create_tags: bool


class ImportReading(Body):
    """How a list is to be read; what is left out stays as it was."""

    columns: Annotated[tuple[str | None, ...] | None, Field(max_length=MOST, description="What each column is.")] = None
    header: bool | None = None
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    overwrite: bool | None = None
    create_tags: bool | None = None


_ACCEPTED = answer(ImportPlan, status=202, description="It is being worked on; events tell how far it is.")
_REFUSED = problems(ImportMissing, ImportStands, ColumnsInvalid, ImportGone)


@router.post(
    "",
    status_code=201,
    responses=answer(ImportPlan, status=201, description="Nothing has been done with it yet.")
    | problems(SheetInvalid, ImportTooLarge, UploadBroken, ObjectsAway, InFlight, Mismatch),
    openapi_extra=FORM,
)
async def upload_import(request: Request, admin: Admin, idem: Idempotent, db: Db, files: InFiles, settings: Settings) -> Response:
    """Bring a list: what its columns probably are, and its first rows."""
    async with files.received(request) as form:
        if form.size > settings.import_bytes:
            raise ImportTooLarge(f"A list has at most {settings.import_bytes} bytes.")
        idem.fingerprint = fingerprint(idem.fingerprint, form.sha256, form.name or "")
        seen = await look(form.file, settings.import_rows)
        if seen.rows > settings.import_rows + 1:
            raise ImportTooLarge(f"A list has at most {settings.import_rows} rows.")
        id = ids.new()
        key = f"{admin.tenant}/imports/{id}"
        await files.objects.put(key, form.file)
    kept = False
    try:
        async with db.transaction(admin.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c = await raw(tx)
            _, fields = await profiles.settings(c, admin.tenant)
            one = _brought(admin, id, key, form.name, seen, fields, await _country(c, admin))
            await imports.add(c, one)
            answered = await idem.finish(tx, 201, msgspec.json.encode(shown(one)))
        kept = True
        return answered
    finally:
        if not kept:
            await files.objects.delete(key)


def _brought(
    caller: Principal, id: UUID, key: str, name: str | None, seen: Seen, fields: tuple[OwnField, ...], country: str | None
) -> Import:
    header = columns.is_header(seen.head[0])
    names = seen.head[0] if header else ("",) * seen.width
    return Import(
        tenant=caller.tenant,
        id=id,
        author=caller.id,
        by_key=caller.kind == "key",
        file_name=name,
        object=key,
        sheet=Sheet(**{name: getattr(seen, name) for name in Sheet.__struct_fields__}),
        mapping=Mapping(columns=columns.guess(names, seen.head[header:], fields), header=header, country=country),
        state="ready",
        place=0,
        counts=ImportCounts(),
        created_at=datetime.now(UTC),
    )


async def _country(c: Any, caller: Principal) -> str | None:
    """Guess where the account's customers are: where its own numbers are."""
    found = [phones.country_of(phone) for phone in await devices.phones(c, caller.tenant)]
    known = [country for country in found if country is not None]
    return max(known, key=known.count) if known else None


@router.get("", responses=answer(ContactImport, page=True) | problems(BadCursor))
async def list_imports(admin: Admin, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """List what was brought in the last days, the newest first."""
    after = cursors.decode(admin.tenant, "imports", cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(admin.tenant) as tx:
        some = await imports.every(await raw(tx), admin.tenant, after=after, limit=limit + 1)
    following = cursors.encode(admin.tenant, "imports", (some[limit - 1].id,)) if len(some) > limit else None
    return Json({"items": [imports.view(one) for one in some[:limit]], "next_cursor": following})


@router.get("/{id}", responses=answer(ImportPlan) | problems(ImportMissing))
async def get_import(id: PublicImportId, admin: Admin, db: Db) -> Json:
    """Show a list, how it is read, and how far it is."""
    async with db.transaction(admin.tenant) as tx:
        return Json(shown(await imports.one(await raw(tx), admin.tenant, id)))


@router.post("/{id}/check", status_code=202, responses=_ACCEPTED | _REFUSED)
async def check_import(id: PublicImportId, body: ImportReading, admin: Admin, db: Db) -> Json:
    """Try it: count what would be new, changed, as it is, and refused, and change nothing."""
    return await _begin(db, admin, id, body, "checking")


@router.post("/{id}/start", status_code=202, responses=_ACCEPTED | _REFUSED)
async def start_import(id: PublicImportId, body: ImportReading, admin: Admin, db: Db) -> Json:
    """Take it in. Starting one that is at work changes nothing, and one that is done finds everything as it is."""
    return await _begin(db, admin, id, body, "running")


async def _begin(db: Db, admin: Principal, id: UUID, body: ImportReading, state: str) -> Json:
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        one = await imports.one(c, admin.tenant, id, lock=True)
        if one.state == state:
            return Json(shown(one), status_code=202)
        if one.state in WORKING:
            raise ImportStands("It is being worked on: wait, or cancel it.")
        if one.object is None:
            raise ImportGone
        _, fields = await profiles.settings(c, admin.tenant)
        mapping = _mapping(one, body, fields)
        one = msgspec.structs.replace(
            one, mapping=mapping, state=state, place=0, counts=ImportCounts(), reason=None, detail=None, finished_at=None
        )
        await imports.save(c, one, claim=None)
        await imports.forget(c, one, refusals=True)
        await outbox.add(tx, imports.told(one, shapes.actor(admin) if state == "running" else None))
    return Json(shown(one), status_code=202)


def _mapping(one: Import, body: ImportReading, fields: tuple[OwnField, ...]) -> Mapping:
    said = {name: getattr(body, name) for name in body.model_fields_set if name == "country" or getattr(body, name) is not None}
    mapping = msgspec.structs.replace(one.mapping, **said)
    columns.check(mapping, one.sheet.width, fields)
    return mapping


@router.post("/{id}/cancel", responses=answer(ImportPlan) | problems(ImportMissing))
async def cancel_import(id: PublicImportId, admin: Admin, db: Db) -> Json:
    """Stop it: the rows that are in stay, the others do not come. One that is not at work stays as it is."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        one = await imports.one(c, admin.tenant, id, lock=True)
        if one.state in WORKING:
            running = one.state == "running"
            one = msgspec.structs.replace(
                one, state="cancelled" if running else "ready", finished_at=datetime.now(UTC) if running else None
            )
            await imports.save(c, one, claim=None)
            await imports.forget(c, one, refusals=False)
            await outbox.add(tx, imports.told(one, shapes.actor(admin) if running else None))
    return Json(shown(one))


@router.get("/{id}/errors", responses=_CSV | problems(ImportMissing), response_class=Response)
async def get_import_errors(id: PublicImportId, admin: Admin, db: Db) -> Response:
    """Give the rows that were refused, each with its place in the file and the reason, as CSV."""
    async with db.transaction(admin.tenant) as tx:
        one = await imports.one(await raw(tx), admin.tenant, id)
    name = f"clarin-import-{one.created_at:%Y-%m-%d}-refused.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_refused(db, one), media_type="text/csv; charset=utf-8", headers=headers)


async def _refused(db: Db, one: Import) -> AsyncIterator[str]:
    names = [column.name for column in shown(one).columns]
    yield sheets.BOM + sheets.lines([("row", "reason", "column", *names)])
    after = 0
    while True:
        async with db.transaction(one.tenant) as tx:
            some = await imports.refused(await raw(tx), one.tenant, one.id, after=after, limit=PAGE)
        if some:
            yield sheets.lines((place, why, "" if at is None else names[at], *cells) for place, why, at, cells in some)
        if len(some) < PAGE:
            return
        after = some[-1][0]


def shown(one: Import) -> ImportPlan:
    """Show a list, with how it is read."""
    view, head, mapping = imports.view(one), one.sheet.head, one.mapping
    names = head[0] if mapping.header else ("",) * one.sheet.width
    return ImportPlan(
        **{name: getattr(view, name) for name in view.__struct_fields__},
        columns=tuple(
            ImportColumn(
                name=names[place] or _letter(place),
                samples=tuple(row[place] for row in head[mapping.header :]),
                target=mapping.columns[place],
            )
            for place in range(one.sheet.width)
        ),
        header=mapping.header,
        country=mapping.country,
        overwrite=mapping.overwrite,
        create_tags=mapping.create_tags,
    )


def _letter(place: int) -> str:
    """Name a column as spreadsheets do."""
    return chr(65 + place) if place < 26 else _letter(place // 26 - 1) + _letter(place % 26)
