"""Canned replies, at hand under a shortcut."""

from dataclasses import replace
from typing import Annotated

import msgspec
from contracts import ids
from contracts.edge import PublicChatId, PublicReplyId
from contracts.principal import Scope
from fastapi import APIRouter
from pydantic import Field, StringConstraints
from servicekit.db import raw
from servicekit.http import Body, Caller, Json, answer, needs, problems
from servicekit.http.bodies import Storable
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations.api.shapes import Db
from conversations.domain.errors import ChatMissing, ReplyMissing, ShortcutTaken, TooMany, VariableUnknown
from conversations.domain.replies import VARIABLES, check, fill
from conversations.store import reading, replies

router = APIRouter(prefix="/api/replies", tags=["replies"])

Shortcut = Annotated[str, Field(pattern="^[a-z0-9_-]{1,40}$", examples=["hola"])]
ReplyText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=4096, pattern=r"\S"),
    Storable,
    Field(description=f"In it may stand: {', '.join(f'`{{{{{name}}}}}`' for name in VARIABLES)}."),
]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A text that is at hand under its shortcut, with variables such as ``{{contact.name}}``."""

    id: str
    shortcut: str
    text: str


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """The text with its variables filled in, as it can be sent."""

    text: str


class NewReply(Body):
    """A canned reply to be made."""

    shortcut: Shortcut
    text: ReplyText


class ReplyChange(Body):
    """Another shortcut or text."""

    shortcut: Shortcut | None = None
    text: ReplyText | None = None


class For(Body):
    """Where it is to be used."""

    chat_id: PublicChatId


def _shown(reply: replies.Reply) -> Reply:
    return Reply(id=ids.public(ids.REPLY, reply.id), shortcut=reply.shortcut, text=reply.text)


@router.get("", responses=answer(Reply, page=True))
async def list_replies(caller: Caller, db: Db) -> Json:
    """List all canned replies by shortcut; there is one page."""
    async with db.transaction(caller.tenant) as tx:
        every = await replies.every(await raw(tx), caller.tenant)
    return Json({"items": [_shown(reply) for reply in every], "next_cursor": None})


@router.post(
    "", status_code=201, responses=answer(Reply, status=201) | problems(ShortcutTaken, VariableUnknown, TooMany, InFlight, Mismatch)
)
@needs(Scope.SEND)
async def create_reply(body: NewReply, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Make a canned reply."""
    check(body.text)
    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        reply = replies.Reply(id=ids.new(), shortcut=body.shortcut, text=body.text)
        await replies.add(await raw(tx), caller.tenant, reply)
        return await idem.finish(tx, 201, msgspec.json.encode(_shown(reply)))


@router.patch("/{id}", responses=answer(Reply) | problems(ReplyMissing, ShortcutTaken, VariableUnknown))
@needs(Scope.SEND)
async def change_reply(id: PublicReplyId, body: ReplyChange, caller: Caller, db: Db) -> Json:
    """Change a canned reply."""
    if body.text is not None:
        check(body.text)
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        before = await replies.one(c, caller.tenant, id)
        reply = replace(before, shortcut=body.shortcut or before.shortcut, text=body.text or before.text)
        await replies.save(c, caller.tenant, reply)
    return Json(_shown(reply))


@router.delete("/{id}", status_code=204, responses=problems(ReplyMissing))
@needs(Scope.SEND)
async def delete_reply(id: PublicReplyId, caller: Caller, db: Db) -> Response:
    """Delete a canned reply."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        await replies.one(c, caller.tenant, id)
        await replies.delete(c, caller.tenant, id)
    return Response(status_code=204)


@router.post("/{id}/fill", responses=answer(Filled) | problems(ReplyMissing, ChatMissing))
@needs(Scope.SEND)
async def fill_reply(id: PublicReplyId, body: For, caller: Caller, db: Db) -> Json:
    """Show a canned reply as it reads in a chat; nothing is sent."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        chat = await reading.chat_id(c, caller.tenant, body.chat_id, caller)
        if chat is None:
            raise ChatMissing
        reply = await replies.one(c, caller.tenant, id)
        text = fill(reply.text, await replies.values(c, caller.tenant, chat, caller.id))
    return Json(Filled(text=text))
