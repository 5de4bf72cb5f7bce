"""Leads: who may buy, and what is known and to be done about them."""

from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from contracts import asks, ids
from contracts.asks import ChatsKnown, ChatsNamed
from contracts.edge import PublicChatId, PublicContactId, PublicLeadId, PublicNoteId, PublicPipelineId, PublicStageId
from contracts.ids import ChatId, ContactId, LeadId, TenantId, UserId
from contracts.leads import StageKind
from contracts.principal import Principal, Scope
from fastapi import APIRouter, Depends, Query, Response
from servicekit import cursors, outbox
from servicekit.bus import Bus, BusAway
from servicekit.cursors import BadCursor
from servicekit.db import Database, raw
from servicekit.http import Body, Caller, Cursor, Json, Limit, answer, needs, problems
from servicekit.idempotency import Idempotency, Idempotent, InFlight, Mismatch

from pipeline import store
from pipeline.api import shapes
from pipeline.api.shapes import Db, LeadCard, LeadChange, Move, NewLead, NoteText, OnBus, given
from pipeline.domain import errors
from pipeline.store import board, deeds, known, leads, redirects, views
from pipeline.store.board import Filter

router = APIRouter(prefix="/api/leads", tags=["leads"])

ASK_SECONDS = 2.0

MISSING = (errors.PipelineMissing, errors.StageMissing, errors.ContactMissing, errors.ChatMissing, errors.UserMissing)


class Place(NamedTuple):
    """Where a page ends: the newest first."""

    at: datetime
    id: UUID


@router.get("", responses=answer(LeadCard, page=True) | problems(BadCursor, errors.CurrencyUnknown))
async def list_leads(
    caller: Caller,
    db: Db,
    filter: Annotated[Filter, Depends(shapes.filters)],
    limit: Limit = 50,
    cursor: Cursor = None,
    pipeline_id: Annotated[PublicPipelineId | None, Query()] = None,
    stage_id: Annotated[PublicStageId | None, Query()] = None,
    chat_id: Annotated[PublicChatId | None, Query(description="Of this chat.")] = None,
    contact_id: Annotated[PublicContactId | None, Query(description="Of this contact.")] = None,
    status: Annotated[StageKind | None, Query()] = None,
) -> Json:
    """List the leads, the newest first."""
    wanted = {"pipeline": pipeline_id, "stage": stage_id, "chat": chat_id, "contact": contact_id, "status": status}
    filter = Filter(**{name: getattr(filter, name) for name in filter.__slots__} | wanted)
    name = f"leads?{filter.name()}"
    after = cursors.decode(caller.tenant, name, cursor, Place) if cursor else None
    async with db.transaction(caller.tenant) as tx:
        found = await board.newest(await raw(tx), caller.tenant, filter, caller, limit=limit + 1, after=after)
    following = None
    if len(found) > limit:
        last = found[limit - 1].lead
        following = cursors.encode(caller.tenant, name, (last.created_at, UUID(int=last.id.int)))
    return Json({"items": [shapes.card(one, caller) for one in found[:limit]], "next_cursor": following})


@router.post(
    "",
    status_code=201,
    responses=answer(LeadCard, status=201, description="It is at the top of its stage.")
    | problems(*MISSING, errors.StageElsewhere, errors.CurrencyUnknown, InFlight, Mismatch),
)
@needs(Scope.SEND)
async def enter(body: NewLead, caller: Caller, idem: Idempotent, db: Db, bus: OnBus) -> Response:
    """Enter a lead."""
    return await entered(body, caller, idem, db, bus)


async def entered(body: NewLead, caller: Principal, idem: Idempotency, db: Database, bus: Bus) -> Response:
    """The lead is here, and shown."""
    named = ([body.chat_id] if body.chat_id else []) + body.chat_ids
    await _hear_of(db, bus, caller.tenant, named)

    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c = await raw(tx)
            chats = await _chats(c, caller, named)
            new = deeds.New(
                title=body.title,
                pipeline=body.pipeline_id,
                stage=body.stage_id,
                value=body.value,
                currency=body.currency,
                contact=await _contact(c, caller.tenant, body.contact_id),
                chats=tuple(chats),
                owner=await _owner(c, caller, body.owner_id) if "owner_id" in body.model_fields_set else _self(caller),
                source=body.source,
                tags=tuple(dict.fromkeys(body.tags)),
                expected_close=body.expected_close,
            )
            lead, told = await deeds.create(c, caller.tenant, new, deeds.By(caller=caller))
            await outbox.add(tx, *told)
            return await idem.finish(tx, 201, msgspec.json.encode(await _shown(c, caller, lead.id)))

    return await store.persistently(once)


@router.get("/{id}", responses=answer(LeadCard) | problems(errors.LeadMissing))
async def read(id: PublicLeadId, caller: Caller, db: Db) -> Json:
    """Show one lead."""
    async with db.transaction(caller.tenant) as tx:
        return Json(await _shown(await raw(tx), caller, id))


CHANGING = (errors.LeadMissing, *MISSING, errors.LeadMoved, errors.CurrencyUnknown)


@router.put("/{id}", responses=answer(LeadCard) | problems(*CHANGING))
@needs(Scope.SEND)
async def change(id: PublicLeadId, body: LeadChange, caller: Caller, db: Db, bus: OnBus) -> Json:
    """Change a lead: what is left out stays as it is."""
    return await changed(id, body, caller, db, bus)


@router.patch("/{id}", responses=answer(LeadCard) | problems(*CHANGING))
@needs(Scope.SEND)
async def patch(id: PublicLeadId, body: LeadChange, caller: Caller, db: Db, bus: OnBus) -> Json:
    """Change a lead, as `PUT` does."""
    return await changed(id, body, caller, db, bus)


async def changed(id: LeadId, body: LeadChange, caller: Principal, db: Database, bus: Bus) -> Json:
    """The lead is different, and shown."""
    await _hear_of(db, bus, caller.tenant, body.chat_ids or ())

    async def once() -> Json:
        async with db.transaction(caller.tenant) as tx:
            c = await raw(tx)
            by = deeds.By(caller=caller)
            told: deeds.Told = []
            version = body.version
            if body.stage_id is not None:
                current = await leads.find(c, caller.tenant, id, caller)
                if current.stage != body.stage_id:
                    to = deeds.To(stage=body.stage_id, lost_reason=body.lost_reason)
                    _, told = await deeds.move(c, caller.tenant, id, to, by, version=version)
                    version = None
            lead = await leads.find(c, caller.tenant, id, caller, lock=True)
            deeds.agrees(lead, version)
            changes = await _changes(c, caller, lead, body)
            _, more = await deeds.change(c, lead, by, **changes)
            await outbox.add(tx, *told, *more)
            return Json(await _shown(c, caller, id, anyway=True))

    return await store.persistently(once)


@router.post("/{id}/move", responses=answer(LeadCard) | problems(errors.LeadMissing, errors.StageMissing, errors.LeadMoved))
@needs(Scope.SEND)
async def move(id: PublicLeadId, body: Move, caller: Caller, db: Db) -> Json:
    """Move a lead to a place on the board. Who moves it second is answered 409, with the lead as it is by then in `lead`."""
    to = deeds.To(stage=body.stage_id, before=body.before_id, after=body.after_id, lost_reason=body.lost_reason)

    async def once() -> Json:
        async with db.transaction(caller.tenant) as tx:
            c = await raw(tx)
            lead, told = await deeds.move(c, caller.tenant, id, to, deeds.By(caller=caller), version=body.version)
            await outbox.add(tx, *told)
            return Json(await _shown(c, caller, lead.id))

    return await store.persistently(once)


@router.delete("/{id}", status_code=204, response_class=Response, responses=problems(errors.LeadMissing))
@needs(Scope.SEND)
async def delete(id: PublicLeadId, caller: Caller, db: Db) -> None:
    """Delete a lead with its notes, tasks and history; its chat and its contact stay."""

    async def once() -> None:
        async with db.transaction(caller.tenant) as tx:
            c = await raw(tx)
            lead = await leads.find(c, caller.tenant, id, caller, lock=True)
            await outbox.add(tx, *await deeds.delete(c, lead, deeds.By(caller=caller)))

    await store.persistently(once)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a lead's history.

    Attributes:
        what: ``created``, ``changed``, ``moved``.
        actor_id: ``usr_…`` or ``key_…``; None for a rule (*rule_id*) and for what happened in the chat.
        changes: By the name of each field: what it was and what it is.
    """

    id: str
    at: datetime
    what: str
    actor_id: str | None
    rule_id: str | None
    changes: dict[str, Any]


@router.get("/{id}/history", responses=answer(Line, page=True) | problems(errors.LeadMissing, BadCursor))
async def history(id: PublicLeadId, caller: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """List what has happened to a lead, the newest first."""
    name = f"history?lead={id}"
    after = cursors.decode(caller.tenant, name, cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        await leads.find(c, caller.tenant, id, caller)
        found = await leads.history(c, caller.tenant, id, limit=limit + 1, after=after)
    following = cursors.encode(caller.tenant, name, (UUID(int=found[limit - 1]["id"].int),)) if len(found) > limit else None
    return Json({"items": [_line(one) for one in found[:limit]], "next_cursor": following})


class NewNote(Body):
    """Something to remember about a lead."""

    text: NoteText


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is remembered about a lead."""

    id: str
    text: str
    author_id: str | None
    at: datetime


@router.get("/{id}/notes", responses=answer(Note, page=True) | problems(errors.LeadMissing, BadCursor))
async def list_notes(id: PublicLeadId, caller: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """List a lead's notes, the newest first."""
    name = f"notes?lead={id}"
    after = cursors.decode(caller.tenant, name, cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        await leads.find(c, caller.tenant, id, caller)
        found = await leads.notes(c, caller.tenant, id, limit=limit + 1, after=after)
    following = cursors.encode(caller.tenant, name, (UUID(int=found[limit - 1]["id"].int),)) if len(found) > limit else None
    items = [
        Note(id=ids.public(ids.NOTE, one["id"]), text=one["text"], author_id=views.maybe(ids.USER, one["author"]), at=one["at"])
        for one in found[:limit]
    ]
    return Json({"items": items, "next_cursor": following})


@router.post("/{id}/notes", status_code=201, responses=answer(Note, status=201) | problems(errors.LeadMissing, InFlight, Mismatch))
@needs(Scope.SEND)
async def add_note(id: PublicLeadId, body: NewNote, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Add a note to a lead."""
    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        c = await raw(tx)
        lead = await leads.find(c, caller.tenant, id, caller)
        note, now = ids.new(), datetime.now(UTC)
        author = _self(caller)
        await leads.add_note(c, caller.tenant, lead.id, note, author, body.text, now)
        shown = Note(id=ids.public(ids.NOTE, note), text=body.text, author_id=views.maybe(ids.USER, author), at=now)
        return await idem.finish(tx, 201, msgspec.json.encode(shown))


@router.delete("/{id}/notes/{note}", status_code=204, response_class=Response, responses=problems(errors.LeadMissing, errors.NoteMissing))
@needs(Scope.SEND)
async def delete_note(id: PublicLeadId, note: PublicNoteId, caller: Caller, db: Db) -> None:
    """Delete a note."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        await leads.find(c, caller.tenant, id, caller)
        if not await leads.remove_note(c, caller.tenant, id, note):
            raise errors.NoteMissing


async def _shown(c: Any, caller: Principal, id: LeadId, *, anyway: bool = False) -> LeadCard:
    """Show a lead; with *anyway* also to who has just given it away."""
    found = await board.newest(c, caller.tenant, Filter(), None if anyway else caller, limit=1, id=id)
    if not found:
        raise errors.LeadMissing
    return shapes.card(found[0], caller)


async def _hear_of(db: Database, bus: Bus, tenant: TenantId, chats: Any) -> None:
    """Chats that nobody has told of yet are asked for, once; nothing is open meanwhile."""
    if not chats:
        return
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        chats = await redirects.today(c, tenant, chats)
        here = await known.chats(c, tenant, chats)
    unknown = tuple(chat for chat in chats if chat not in here)
    if not unknown:
        return
    try:
        payload = await bus.ask(asks.CHATS, msgspec.json.encode(ChatsNamed(tenant=tenant, chats=unknown)), timeout=ASK_SECONDS)
        told = msgspec.json.decode(payload, type=ChatsKnown).chats
    except (BusAway, msgspec.MsgspecError):
        return
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        for chat, audience in told.items():
            if audience.device is not None:
                await known.learn_chat(c, tenant, ChatId(chat), audience.device, audience.team, audience.assignee)


async def _chats(c: Any, caller: Principal, named: Any) -> list[known.Chat]:
    """Give chats in their order, each once as the one that it is today, and hold them.  Raises: ChatMissing, Moved."""
    named = await redirects.today(c, caller.tenant, named)
    here = await known.chats(c, caller.tenant, named, hold=True)
    if await redirects.today(c, caller.tenant, named) != named:
        raise store.Moved  # just now
    found = [here[chat] for chat in named if chat in here]
    if len(found) < len(named) or not all(caller.reads(chat.device, chat.team, chat.assignee) for chat in found):
        raise errors.ChatMissing
    return found


async def _contact(c: Any, tenant: TenantId, id: ContactId | None) -> ContactId | None:
    if id is None:
        return None
    contact = await known.contact_id(c, tenant, id)
    if contact is None:
        raise errors.ContactMissing
    return contact


async def _owner(c: Any, caller: Principal, id: UserId | None) -> UserId | None:
    if id is None or id == _self(caller):
        return id
    if not await known.is_user(c, caller.tenant, id):
        raise errors.UserMissing
    return id


def _self(caller: Principal) -> UserId | None:
    return UserId(UUID(int=caller.id.int)) if caller.kind == "user" else None


_NEVER_NULL = {"title", "value", "currency", "tags", "chat_ids"}


async def _changes(c: Any, caller: Principal, lead: Any, body: LeadChange) -> dict[str, Any]:
    """Read what is to be different, by the names of the lead's own fields."""
    changes: dict[str, Any] = {}
    for name, value in given(body).items():
        if name in {"stage_id", "version"} or (value is None and name in _NEVER_NULL):
            continue
        match name:
            case "contact_id":
                changes["contact"] = await _contact(c, caller.tenant, value)
            case "owner_id":
                changes["owner"] = await _owner(c, caller, value)
            case "tags":
                changes["tags"] = tuple(dict.fromkeys(value))
            case "chat_ids":
                # what it has already may stay, seen or not
                value = await redirects.today(c, caller.tenant, value)
                fresh = await _chats(c, caller, [chat for chat in value if chat not in lead.chats])
                kept = await known.chats(c, caller.tenant, lead.chats)
                every = kept | {chat.id: chat for chat in fresh}
                changes |= deeds.linked(lead, [every[chat] for chat in value if chat in every])
            case "lost_reason":
                if lead.kind == "lost":
                    changes["lost_reason"] = value
            case _:
                changes[name] = value
    return changes


def _line(one: Any) -> Line:
    actor = None
    if one["actor"] is not None:
        actor = ids.public(ids.KEY if one["actor_kind"] == "key" else ids.USER, one["actor"])
    return Line(
        id=str(one["id"]),
        at=one["at"],
        what=one["what"],
        actor_id=actor,
        rule_id=views.maybe(ids.RULE, one["rule"]),
        changes=shown_changes(one["changes"]),
    )


_PREFIXES = {"stage": ids.STAGE, "owner": ids.USER, "contact": ids.CONTACT, "tags": ids.TAG, "chats": ids.CHAT}


def shown_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """Give changes with the ids that the API shows."""

    def public(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [public(name, one) for one in value]
        if value is None or name not in _PREFIXES:
            return value
        return ids.public(_PREFIXES[name], UUID(value))

    return {name: public(name, value) for name, value in changes.items()}
