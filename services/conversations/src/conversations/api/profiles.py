"""What an account wants to know of its contacts, states and fields; and notes about each."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import PublicContactId, PublicContactNoteId, PublicContactStateId
from contracts.principal import Principal, Scope
from fastapi import APIRouter
from pydantic import Field as Limits
from pydantic import StringConstraints, model_validator
from servicekit import cursors
from servicekit.cursors import BadCursor
from servicekit.db import Tx, raw
from servicekit.http import Admin, Body, Caller, Cursor, Json, Limit, Name, Text, answer, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations import store
from conversations.api.shapes import Db
from conversations.domain.errors import ContactMissing, NoteMissing
from conversations.domain.profiles import Field, Kind, State
from conversations.store import profiles, reading
from conversations.store.profiles import Note

states = APIRouter(prefix="/api/contact-states", tags=["contacts"])
fields = APIRouter(prefix="/api/contact-fields", tags=["contacts"])
notes = APIRouter(prefix="/api/contacts", tags=["contacts"])

Color = Annotated[str, Limits(pattern="^#[0-9a-f]{6}$")]


class ContactState(msgspec.Struct, frozen=True, kw_only=True):
    """One state that a contact can be in."""

    id: str
    name: str
    color: str


class ContactField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the account's own."""

    key: str
    name: str
    kind: Kind
    choices: tuple[str, ...] = ()


class ContactNote(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote about a contact.  *author_id*: ``usr_…`` or ``key_…``."""

    id: str
    author_id: str
    text: str
    created_at: datetime


class StatePut(Body):
    """A state; without an id it is a new one."""

    id: PublicContactStateId | None = None
    name: Name
    color: Color = "#868e96"


class StatesPut(Body):
    """All states, in their order."""

    items: Annotated[tuple[StatePut, ...], Limits(max_length=50)]

    @model_validator(mode="after")
    def _differ(self) -> "StatesPut":
        if len({one.name.casefold() for one in self.items}) < len(self.items) or len({one.id for one in self.items if one.id}) < sum(
            one.id is not None for one in self.items
        ):
            raise ValueError("Two states have the same name or id.")
        return self


class FieldPut(Body):
    """A field. Its kind says what it takes: a text, a number, a date, true or false, or one of its choices."""

    key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    name: Name
    kind: Kind
    choices: Annotated[tuple[Name, ...], Limits(max_length=100)] = ()

    @model_validator(mode="after")
    def _fits(self) -> "FieldPut":
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("A choice, and nothing else, has choices.")
        return self


class FieldsPut(Body):
    """All fields, in their order."""

    items: Annotated[tuple[FieldPut, ...], Limits(max_length=100)]

    @model_validator(mode="after")
    def _differ(self) -> "FieldsPut":
        if len({one.key for one in self.items}) < len(self.items):
            raise ValueError("Two fields have the same key.")
        return self


class NewNote(Body):
    """A note about a contact."""

    text: Text


@states.get("", responses=answer(ContactState, page=True))
async def list_contact_states(caller: Caller, db: Db) -> Json:
    """List the states in their order; there is one page."""
    async with db.transaction(caller.tenant) as tx:
        some, _ = await profiles.settings(await raw(tx), caller.tenant)
    return _states(some)


@states.put("", responses=answer(ContactState, page=True))
async def set_contact_states(body: StatesPut, admin: Admin, db: Db) -> Json:
    """Have these states and no others; contacts in one that is gone are in none."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        before, _ = await profiles.settings(c, admin.tenant, lock=True)
        known = {state.id for state in before}
        some = tuple(State(id=one.id if one.id in known else ids.new(), name=one.name, color=one.color) for one in body.items)
        await profiles.set_states(c, admin.tenant, some)
    return _states(some)


@fields.get("", responses=answer(ContactField, page=True))
async def list_contact_fields(caller: Caller, db: Db) -> Json:
    """List the account's own fields in their order; there is one page."""
    async with db.transaction(caller.tenant) as tx:
        _, some = await profiles.settings(await raw(tx), caller.tenant)
    return Json({"items": some, "next_cursor": None})


@fields.put("", responses=answer(ContactField, page=True))
async def set_contact_fields(body: FieldsPut, admin: Admin, db: Db) -> Json:
    """Keep these fields and no others; values of one that is gone come back with it."""
    some = tuple(Field(key=one.key, name=one.name, kind=one.kind, choices=one.choices) for one in body.items)
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await profiles.settings(c, admin.tenant, lock=True)
        await profiles.set_fields(c, admin.tenant, some)
    return Json({"items": some, "next_cursor": None})


@notes.get("/{id}/notes", responses=answer(ContactNote, page=True) | problems(ContactMissing, BadCursor))
async def list_contact_notes(id: PublicContactId, caller: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """List what was written about a contact, the newest first."""
    name = f"contact notes {id}"
    after = cursors.decode(caller.tenant, name, cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        contact = await _seen(tx, caller, id)
        some = await profiles.notes(await raw(tx), caller.tenant, contact, after=after, limit=limit + 1)
    following = cursors.encode(caller.tenant, name, (some[limit - 1].id,)) if len(some) > limit else None
    return Json({"items": [_note(one) for one in some[:limit]], "next_cursor": following})


@notes.post("/{id}/notes", status_code=201, responses=answer(ContactNote, status=201) | problems(ContactMissing, InFlight, Mismatch))
@needs(Scope.SEND)
async def add_contact_note(id: PublicContactId, body: NewNote, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Write something about a contact, for the team alone."""

    async def write() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c, contact = await raw(tx), await _seen(tx, caller, id)
            if not await profiles.hold(c, caller.tenant, contact):
                raise store.Moved
            note = await profiles.add_note(c, caller.tenant, contact, caller.id, by_key=caller.kind == "key", text=body.text)
            return await idem.finish(tx, 201, msgspec.json.encode(_note(note)))

    return await store.persistently(write)


@notes.delete("/{id}/notes/{note_id}", status_code=204, responses=problems(ContactMissing, NoteMissing))
@needs(Scope.SEND)
async def delete_contact_note(id: PublicContactId, note_id: PublicContactNoteId, caller: Caller, db: Db) -> Response:
    """Take a note away."""
    async with db.transaction(caller.tenant) as tx:
        contact = await _seen(tx, caller, id)
        if not await profiles.delete_note(await raw(tx), caller.tenant, contact, note_id):
            raise NoteMissing("It is gone already.")
    return Response(status_code=204)


async def _seen(tx: Tx, caller: Principal, id: PublicContactId) -> PublicContactId:
    row = await reading.contact(await raw(tx), caller.tenant, id, caller)
    if row is None:
        raise ContactMissing
    return row.id


def _states(some: tuple[State, ...]) -> Json:
    shown = [ContactState(id=ids.public(ids.CONTACT_STATE, one.id), name=one.name, color=one.color) for one in some]
    return Json({"items": shown, "next_cursor": None})


def _note(note: Note) -> ContactNote:
    return ContactNote(
        id=ids.public(ids.CONTACT_NOTE, note.id),
        author_id=ids.public(ids.KEY if note.by_key else ids.USER, note.author),
        text=note.text,
        created_at=note.created_at,
    )
