"""Contacts as a file, a page at a time: none but the page stands in memory."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from contracts.edge import PublicContactStateId, PublicTagId
from contracts.principal import Principal
from fastapi import APIRouter, Query
from servicekit import sheets
from servicekit.db import raw
from servicekit.http import Caller
from starlette.responses import Response, StreamingResponse

from conversations.api.shapes import Db
from conversations.domain.profiles import Field
from conversations.files.sheets import written
from conversations.store import profiles, reading, tags
from conversations.store.reading import ContactRow

router = APIRouter(prefix="/api/contacts", tags=["contacts"])

PAGE = 1000
_CHUNK = 256 << 10
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"text/csv": {"schema": {"type": "string"}}, _XLSX: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    query: str
    state: UUID | None
    tag: UUID | None
    blocked: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What ids are called."""

    states: dict[UUID, str]
    tags: dict[UUID, str]
    fields: Sequence[Field]

    @property
    def head(self) -> tuple[str, ...]:
        return ("name", "phone", "email", "state", "tags", "created_at", "blocked", *(field.name for field in self.fields))

    def line(self, row: ContactRow) -> tuple[object, ...]:
        return (
            row.name,
            row.phone,
            row.email,
            self.states.get(row.state) if row.state else None,
            ", ".join(self.tags[tag] for tag in row.tags if tag in self.tags),
            row.created_at.isoformat(timespec="seconds"),
            "true" if row.blocked else "",
            *(row.fields.get(field.key) for field in self.fields),
        )


@router.get("/export", responses=_FILE, response_class=Response)
async def export_contacts(
    caller: Caller,
    db: Db,
    format: Literal["csv", "xlsx"] = "csv",
    q: Annotated[str | None, Query(max_length=100, description="How the name or phone begins.")] = None,
    state_id: PublicContactStateId | None = None,
    tag_id: PublicTagId | None = None,
    blocked: bool | None = None,
) -> Response:
    """Give the contacts that the caller sees, with the same filters as the list, as one file that can be brought in again."""
    wanted = _Wanted(query=(q or "").replace("\0", "").strip(), state=state_id, tag=tag_id, blocked=blocked)
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        states, fields = await profiles.settings(c, caller.tenant)
        words = _Words(
            states={one.id: one.name for one in states},
            tags={one.id: one.name for one in await tags.every(c, caller.tenant)},
            fields=fields,
        )
    pages = _pages(db, caller, wanted)
    headers = {
        "Content-Disposition": f'attachment; filename="clarin-contacts-{datetime.now(UTC):%Y-%m-%d}.{format}"',
        "Cache-Control": "no-store",
    }
    if format == "csv":
        return StreamingResponse(_csv(pages, words), media_type="text/csv; charset=utf-8", headers=headers)
    return StreamingResponse(_xlsx(pages, words), media_type=_XLSX, headers=headers)


async def _pages(db: Db, caller: Principal, wanted: _Wanted) -> AsyncIterator[list[ContactRow]]:
    after: tuple[str | None, UUID] | None = None
    while True:
        async with db.transaction(caller.tenant) as tx:
            some = await reading.list_contacts(
                await raw(tx),
                caller.tenant,
                limit=PAGE,
                after=after,
                query=wanted.query,
                seer=caller,
                state=wanted.state,
                tag=wanted.tag,
                blocked=wanted.blocked,
            )
        yield some
        if len(some) < PAGE:
            return
        after = None, UUID(int=some[-1].id.int)


async def _csv(pages: AsyncIterator[list[ContactRow]], words: _Words) -> AsyncIterator[str]:
    yield sheets.BOM + sheets.lines([words.head])
    async for some in pages:
        yield sheets.lines(words.line(row) for row in some)


async def _xlsx(pages: AsyncIterator[list[ContactRow]], words: _Words) -> AsyncIterator[bytes]:
    """Give the spreadsheet; it is whole on the disk before its first byte leaves."""
    with tempfile.TemporaryDirectory(prefix="clarin-export-") as folder:
        file = Path(folder) / "contacts.xlsx"
        async with written(file) as sheet:
            await sheet.write(words.head)
            async for some in pages:
                await sheet.write(*(words.line(row) for row in some))
            await sheet.finish()
        with file.open("rb") as source:
            while chunk := await asyncio.to_thread(source.read, _CHUNK):
                yield chunk
