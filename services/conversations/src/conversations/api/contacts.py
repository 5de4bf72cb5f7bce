"""Contacts: who wrote, was written to, or was entered."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import PublicContactId, PublicContactStateId, PublicTagId
from contracts.envelope import wrap
from contracts.events.conversations import ContactChanged, ContactCreated
from contracts.principal import Actor, Principal, Scope
from fastapi import APIRouter, Query
from pydantic import Field
from servicekit import cursors, outbox
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Body, Caller, Cursor, Doer, Json, Limit, Name, answer, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations import store
from conversations.api import shapes
from conversations.api.shapes import Contact, Db
from conversations.domain import phones, rows
from conversations.domain.errors import ContactMissing, ContactUnseen, EmailInvalid, FieldInvalid, PhoneInvalid, StateMissing
from conversations.domain.profiles import checked
from conversations.store import identities, moves, profiles, reading

router = APIRouter(prefix="/api/contacts", tags=["contacts"])


class Entered(Body):
    """A contact by its phone."""

    phone: Annotated[str, Field(max_length=40, description="With the country code.", examples=["+55 11 91234-5678"])]
    name: Name | None = None


class Change(Body):
    """What is different about a contact; what is left out stays.

    Attributes:
        name: What it is called here; null: as he calls himself.
        state_id: Null: in none.
        fields: Values of the account's own fields by their keys; null takes one away.
        email: An address of mail; null: none.
    """

    name: Name | None = None
    state_id: PublicContactStateId | None = None
    fields: dict[str, str | float | bool | None] = Field(default_factory=dict, max_length=100)
    email: Annotated[str, Field(max_length=200)] | None = None
    add_tags: Annotated[tuple[PublicTagId, ...], Field(max_length=50)] = ()
    remove_tags: Annotated[tuple[PublicTagId, ...], Field(max_length=50)] = ()


@router.get("", responses=answer(Contact, page=True) | problems(BadCursor))
async def list_contacts(
    caller: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    q: Annotated[str | None, Query(max_length=100, description="How the name or phone begins.")] = None,
    state_id: PublicContactStateId | None = None,
    tag_id: PublicTagId | None = None,
    blocked: Annotated[bool | None, Query(description="Only those whom somebody has blocked, or has not.")] = None,
    order: Annotated[Literal["newest", "name"], Query(description="By name: who has none comes last.")] = "newest",
) -> Json:
    """List the contacts, the newest first, or by their names."""
    query = (q or "").replace("\0", "").strip()
    name = f"contacts?q={query}&state={state_id}&tag={tag_id}&blocked={blocked}&order={order}"
    after = cursors.decode(caller.tenant, name, cursor, tuple[str | None, UUID]) if cursor else None
    async with db.transaction(caller.tenant) as tx:
        some = await reading.list_contacts(
            await raw(tx),
            caller.tenant,
            limit=limit + 1,
            after=after,
            query=query,
            seer=caller,
            state=state_id,
            tag=tag_id,
            blocked=blocked,
            order=order,
        )
    more = len(some) > limit
    last = some[limit - 1] if more else None
    following = last and cursors.encode(caller.tenant, name, (last.sought if order == "name" else None, UUID(int=last.id.int)))
    return Json({"items": [shapes.contact(row) for row in some[:limit]], "next_cursor": following})


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
async def enter(body: Entered, caller: Caller, doer: Doer, idem: Idempotent, db: Db) -> Response:
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
            row = await reading.contact(c, caller.tenant, id, caller)
            if row is None:
                raise store.Moved
            kind = ContactCreated if new else ContactChanged if changed else None
            if kind is not None:
                await outbox.add(tx, wrap(caller.tenant, kind(id=ids.public(ids.CONTACT, id), name=row.name, phone=row.phone)))
            if kind is ContactChanged:
                await outbox.add(tx, *await moves.renamed(c, caller.tenant, id, datetime.now(UTC), doer))
            return await idem.finish(tx, 201 if new else 200, msgspec.json.encode(shapes.contact(row)))

    return await store.persistently(once)


@router.patch("/{id}", responses=answer(Contact) | problems(ContactMissing, EmailInvalid, FieldInvalid, StateMissing))
@needs(Scope.SEND)
async def change_contact(id: PublicContactId, body: Change, caller: Caller, doer: Doer, db: Db) -> Json:
    """Call a contact something else, put it into a state, tag it, or fill in fields."""
    return await store.persistently(lambda: _change(db, caller, doer, id, body))


async def _change(db: Db, caller: Principal, doer: Actor, id: PublicContactId, body: Change) -> Json:
    tenant, given = caller.tenant, body.model_fields_set
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        before = await reading.contact(c, tenant, id, caller)
        if before is None:
            raise ContactMissing
        if not await profiles.hold(c, tenant, before.id):
            raise store.Moved
        if "name" in given:
            await identities.name(c, tenant, before.id, body.name)
        if "email" in given:
            await identities.mail(c, tenant, before.id, _address(body.email))
        if given - {"name", "email"}:
            states, fields = await profiles.settings(c, tenant)
            if body.state_id is not None and body.state_id not in {state.id for state in states}:
                raise StateMissing("It was taken away: fetch the states.")
            await profiles.change(
                c,
                tenant,
                before.id,
                state=body.state_id if "state_id" in given else msgspec.UNSET,
                fields=checked(fields, body.fields),
                add=body.add_tags,
                remove=body.remove_tags,
            )
        row = await reading.contact(c, tenant, before.id, caller)
        if row is None:
            raise store.Moved
        shown = shapes.contact(row)
        if row != before:
            profile = reading.profile(row)
            await outbox.add(tx, wrap(tenant, ContactChanged(id=shown.id, name=row.name, phone=row.phone, profile=profile)))
        if row.name != before.name:
            await outbox.add(tx, *await moves.renamed(c, tenant, before.id, datetime.now(UTC), doer))
    return Json(shown)


def _address(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    if (address := rows.email(text)) is None:
        raise EmailInvalid("It looks like ana@example.com.")
    return address
