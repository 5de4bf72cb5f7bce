"""Tags with their colours."""

from dataclasses import replace
from typing import Annotated

import msgspec
from contracts import ids
from contracts.edge import PublicTagId
from contracts.envelope import wrap
from contracts.events.conversations import TagChanged
from contracts.principal import Scope
from fastapi import APIRouter
from pydantic import Field
from servicekit import outbox
from servicekit.db import raw
from servicekit.http import Body, Caller, Json, Name, answer, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations.api.shapes import Db
from conversations.domain.errors import TagMissing, TagTaken, TooMany
from conversations.store import tags

router = APIRouter(prefix="/api/tags", tags=["tags"])

Color = Annotated[str, Field(pattern="^#[0-9a-f]{6}$", examples=["#7048e8"])]


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """What chats and contacts can bear; *color* is ``#rrggbb``."""

    id: str
    name: str
    color: str


class NewTag(Body):
    """A tag to be made."""

    name: Name
    color: Color = "#868e96"


class TagChange(Body):
    """Another name or colour."""

    name: Name | None = None
    color: Color | None = None


def _shown(tag: tags.Tag) -> Tag:
    return Tag(id=ids.public(ids.TAG, tag.id), name=tag.name, color=tag.color)


@router.get("", responses=answer(Tag, page=True))
async def list_tags(caller: Caller, db: Db) -> Json:
    """List all tags by name; there is one page."""
    async with db.transaction(caller.tenant) as tx:
        every = await tags.every(await raw(tx), caller.tenant)
    return Json({"items": [_shown(tag) for tag in every], "next_cursor": None})


@router.post("", status_code=201, responses=answer(Tag, status=201) | problems(TagTaken, TooMany, InFlight, Mismatch))
@needs(Scope.SEND)
async def create_tag(body: NewTag, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Make a tag."""
    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        tag = tags.Tag(id=ids.new(), name=body.name, color=body.color)
        await tags.add(await raw(tx), caller.tenant, tag)
        await outbox.add(tx, wrap(caller.tenant, TagChanged(id=ids.public(ids.TAG, tag.id), name=tag.name, color=tag.color)))
        return await idem.finish(tx, 201, msgspec.json.encode(_shown(tag)))


@router.patch("/{id}", responses=answer(Tag) | problems(TagMissing, TagTaken))
@needs(Scope.SEND)
async def change_tag(id: PublicTagId, body: TagChange, caller: Caller, db: Db) -> Json:
    """Call or colour a tag differently."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        before = await tags.one(c, caller.tenant, id)
        tag = replace(before, name=body.name or before.name, color=body.color or before.color)
        if tag != before:
            await tags.save(c, caller.tenant, tag)
            await outbox.add(tx, wrap(caller.tenant, TagChanged(id=ids.public(ids.TAG, tag.id), name=tag.name, color=tag.color)))
    return Json(_shown(tag))


@router.delete("/{id}", status_code=204, responses=problems(TagMissing))
@needs(Scope.SEND)
async def delete_tag(id: PublicTagId, caller: Caller, db: Db) -> Response:
    """Delete a tag, and take it from everything that bears it."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        tag = await tags.one(c, caller.tenant, id)
        await tags.delete(c, caller.tenant, id)
        told = TagChanged(id=ids.public(ids.TAG, id), name=tag.name, color=tag.color, deleted=True)
        await outbox.add(tx, wrap(caller.tenant, told))
    return Response(status_code=204)
