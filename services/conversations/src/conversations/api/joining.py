"""Contacts that are one person, and contacts with whom nobody wants to speak."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from contracts.edge import PublicContactId
from contracts.ids import ContactId
from contracts.principal import Principal, Scope
from fastapi import APIRouter
from pydantic import Field
from servicekit import outbox
from servicekit.db import raw
from servicekit.http import Body, Caller, Json, answer, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations import store
from conversations.api import shapes
from conversations.api.shapes import Contact, Db
from conversations.domain.errors import ContactMissing, MergeInvalid
from conversations.store import blocking, joining, profiles, reading
from conversations.store.reading import ContactRow

router = APIRouter(prefix="/api/contacts", tags=["contacts"])

ALIKE = 10


class Merge(Body):
    """Into whom, and what of the contact that goes stands in place of the other's."""

    into: PublicContactId
    take: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(name|phone|email|state_id|fields\.[a-z][a-z0-9_]{0,39})$")], ...],
        Field(
            max_length=104, description="`name`, `phone`, `email`, `state_id`, or `fields.` and a key. Tags, notes and chats are joined."
        ),
    ] = ()


class Alike(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may be the same person.

    Attributes:
        why: What is alike.
    """

    contact: Contact
    why: Literal["phone", "email", "name"]


@router.get("/{id}/duplicates", responses=answer(Alike, page=True) | problems(ContactMissing))
async def list_duplicates(id: PublicContactId, caller: Caller, db: Db) -> Json:
    """List who may be the same person, the likeliest first; there is one page."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        row = await _seen(c, caller, id)
        some = await joining.alike(c, caller.tenant, row.id, limit=ALIKE)
        found = [(await reading.contact(c, caller.tenant, other, caller), why) for other, why in some]
    return Json({"items": [{"contact": shapes.contact(one), "why": why} for one, why in found if one is not None], "next_cursor": None})


@router.post(
    "/{id}/merge",
    responses=answer(Contact, description="The one that stands for both; the other's id leads to it.")
    | problems(ContactMissing, MergeInvalid, InFlight, Mismatch),
)
@needs(Scope.SEND)
async def merge_contact(id: PublicContactId, body: Merge, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Make two contacts one: chats, addresses, tags, notes and leads are the one's that is merged into. It cannot be undone."""
    if id == body.into:
        raise MergeInvalid("Nobody is merged into himself.")

    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c = await raw(tx)
            loser, survivor = await _seen(c, caller, id), await _seen(c, caller, body.into)
            if loser.id != survivor.id:  # else it was done already, by whomever
                now, actor = datetime.now(UTC), shapes.actor(caller)
                told = await joining.merge(c, caller.tenant, survivor.id, loser.id, body.take, now, actor)
                told += await blocking.align(c, caller.tenant, survivor.id, "merged", now)
                change = await blocking.changed(c, caller.tenant, survivor.id, "merged", actor=actor, merged=loser.id)
                await outbox.add(tx, change, *told)
            row = await _seen(c, caller, survivor.id)
            return await idem.finish(tx, 200, msgspec.json.encode(shapes.contact(row)))

    return await store.persistently(once)


@router.post("/{id}/block", responses=answer(Contact) | problems(ContactMissing))
@needs(Scope.SEND)
async def block_contact(id: PublicContactId, caller: Caller, db: Db) -> Json:
    """Have no more to do with somebody: chats are closed, nothing is sent, what comes is kept without a word.  Safe to repeat.

    Each number that has a chat with them blocks them on WhatsApp too, as soon as it can; `blocks` says how far that is. Repeated, what was
    given up is tried again.
    """
    return await store.persistently(lambda: _block(db, caller, id, blocked=True))


@router.post("/{id}/unblock", responses=answer(Contact) | problems(ContactMissing))
@needs(Scope.SEND)
async def unblock_contact(id: PublicContactId, caller: Caller, db: Db) -> Json:
    """Have to do with somebody again.  Safe to repeat."""
    return await store.persistently(lambda: _block(db, caller, id, blocked=False))


async def _block(db: Db, caller: Principal, id: ContactId, *, blocked: bool) -> Json:
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        found = await _seen(c, caller, id)
        if not await profiles.hold(c, caller.tenant, found.id):
            raise store.Moved
        row = await _seen(c, caller, found.id)
        now, actor, told = datetime.now(UTC), shapes.actor(caller), list[Any]()
        if row.blocked != blocked and blocked:
            told = await joining.block(c, caller.tenant, row.id, now, actor)
        elif row.blocked != blocked:
            await joining.unblock(c, caller.tenant, row.id)
        orders = await blocking.align(c, caller.tenant, row.id, "asked", now)
        if row.blocked != blocked:
            deed: blocking.Deed = "blocked" if blocked else "unblocked"
            await outbox.add(tx, await blocking.changed(c, caller.tenant, row.id, deed, actor=actor), *told, *orders)
        elif orders:
            await outbox.add(tx, await blocking.changed(c, caller.tenant, row.id), *orders)
        row = await _seen(c, caller, row.id)
    return Json(shapes.contact(row))


async def _seen(c: asyncpg.Connection, caller: Principal, id: ContactId) -> ContactRow:
    row = await reading.contact(c, caller.tenant, id, caller)
    if row is None:
        raise ContactMissing
    return row
