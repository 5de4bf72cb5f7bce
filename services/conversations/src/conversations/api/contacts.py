"""Contacts: who wrote, was written to, or was entered."""

from typing import Annotated
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import PublicContactId
from contracts.envelope import wrap
from contracts.events.conversations import ContactChanged, ContactCreated
from contracts.principal import Principal, Scope
from fastapi import APIRouter, Query
from pydantic import Field
from servicekit import cursors, outbox
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Body, Caller, Cursor, Json, Limit, Name, answer, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations import store
from conversations.api import shapes
from conversations.api.shapes import Contact, Db
from conversations.domain import phones
from conversations.domain.errors import ContactMissing, ContactUnseen, PhoneInvalid
from conversations.store import identities, reading

router = APIRouter(prefix="/api/contacts", tags=["contacts"])


class Entered(Body):
    """A contact by its phone."""

    phone: Annotated[str, Field(max_length=40, description="With the country code.", examples=["+55 11 91234-5678"])]
    name: Name | None = None


class Named(Body):
    """What a contact is called here; null: as he calls himself."""

    name: Name | None


@router.get("", responses=answer(Contact, page=True) | problems(BadCursor))
async def list_contacts(
    caller: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    q: Annotated[str | None, Query(max_length=100, description="How the name or phone begins.")] = None,
) -> Json:
    """List the contacts, the newest first."""
    query = (q or "").replace("\0", "").strip()
    name = f"contacts?q={query}"
    after = cursors.decode(caller.tenant, name, cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        rows = await reading.list_contacts(await raw(tx), caller.tenant, limit=limit + 1, after=after, query=query, seer=caller)
    more = len(rows) > limit
    following = cursors.encode(caller.tenant, name, (UUID(int=rows[limit - 1].id.int),)) if more else None
    return Json({"items": [shapes.contact(row) for row in rows[:limit]], "next_cursor": following})


@router.get("/{id}", responses=answer(Contact) | problems(ContactMissing))
async def get_contact(id: PublicContactId, caller: Caller, db: Db) -> Json:
    """Show one contact; the id of one who turned out to be another shows that one."""
    async with db.transaction(caller.tenant) as tx:
        row = await reading.contact(await raw(tx), caller.tenant, id, caller)
    if row is None:
        raise ContactMissing
    return Json(shapes.contact(row))


@router.post(
    "",
    status_code=201,
    responses=answer(Contact, status=201, description="The contact is new.")
    | answer(Contact, description="Somebody with this phone was known already.")
    | problems(PhoneInvalid, InFlight, Mismatch, ContactUnseen),
)
@needs(Scope.SEND)
async def enter(body: Entered, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Enter a contact by its phone; one that is known gets the name, if one is given.

    Who sees some numbers only may name whoever has a chat on one of them; whether others are known here is not told.
    """
    phone = phones.parse(body.phone)

    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c = await raw(tx)
            alias = caller.tenant, "pn", phone
            people = await identities.resolve(c, [(alias,)])
            id = people.contacts[alias]
            if await reading.contact(c, caller.tenant, id, caller) is None:
                raise ContactUnseen("Write to them from one of your numbers: then they are a contact of yours.")
            new = id in people.created
            changed = body.name is not None and await identities.name(c, caller.tenant, id, body.name)
            row = await reading.contact(c, caller.tenant, id)
            if row is None:
                raise store.Moved
            kind = ContactCreated if new else ContactChanged if changed else None
            if kind is not None:
                await outbox.add(tx, wrap(caller.tenant, kind(id=ids.public(ids.CONTACT, id), name=row.name, phone=row.phone)))
            return await idem.finish(tx, 201 if new else 200, msgspec.json.encode(shapes.contact(row)))

    return await store.persistently(once)


@router.patch("/{id}", responses=answer(Contact) | problems(ContactMissing))
@needs(Scope.SEND)
async def rename(id: PublicContactId, body: Named, caller: Caller, db: Db) -> Json:
    """Call a contact something else."""
    return await store.persistently(lambda: _rename(db, caller, id, body.name))


async def _rename(db: Db, caller: Principal, id: PublicContactId, name: str | None) -> Json:
    tenant = caller.tenant
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        known = await reading.contact(c, tenant, id, caller)
        if known is None:
            raise ContactMissing
        changed = await identities.name(c, tenant, known.id, name)
        row = await reading.contact(c, tenant, known.id)
        if row is None:
            raise store.Moved
        if changed:
            await outbox.add(tx, wrap(tenant, ContactChanged(id=ids.public(ids.CONTACT, row.id), name=row.name, phone=row.phone)))
    return Json(shapes.contact(row))
