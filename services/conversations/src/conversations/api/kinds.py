"""Messages that carry a file, and what is done to messages: reactions, edits, deletions."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from contracts import ids
from contracts.commands import SendMessage
from contracts.edge import PublicMessageId
from contracts.envelope import wrap
from contracts.errors import Conflict
from contracts.principal import Principal, Scope
from contracts.views import Message, Scheduled
from contracts.whatsapp import Quoted
from fastapi import APIRouter
from pydantic import StringConstraints, ValidationError
from servicekit import outbox
from servicekit.db import Tx, raw
from servicekit.http import Body, Caller, Json, answer, needs, problems
from servicekit.http.bodies import Storable
from servicekit.idempotency import Idempotency, Idempotent, InFlight, Mismatch, fingerprint
from servicekit.objects import ObjectsAway
from starlette.requests import Request
from starlette.responses import Response

from conversations import store
from conversations.api import messages as api_messages
from conversations.api.chats import hold
from conversations.api.media import FORM, InFiles, MediaInvalid, MediaMissing, take_in
from conversations.api.messages import Send
from conversations.api.scheduled import ahead
from conversations.api.shapes import Db, OnBus, Settings
from conversations.domain import phones
from conversations.domain.acts import DELETES_WITHIN, EDITS_WITHIN, Act, ActKind
from conversations.domain.allowance import AccountSuspended, MessageLimit
from conversations.domain.errors import (
    ChatMissing,
    ContactBlocked,
    ContactUnseen,
    DeviceMissing,
    DeviceOwnerAway,
    MessageMissing,
    PhoneInvalid,
    QuoteInvalid,
    ScheduleInvalid,
)
from conversations.domain.identities import address_of
from conversations.domain.messages import CAPTIONED, LONGEST_TEXT
from conversations.files import TooLarge, UploadBroken
from conversations.store import acts, devices, media, reading, writing
from conversations.store.messages import Row, view

router = APIRouter(prefix="/api/messages", tags=["messages"])

_PLACES = ("chat_id", "device_id", "to", "reply_to", "send_at", "expires_in")


class MessageNotOurs(Conflict):
    """Only what was written from this number can be changed or taken back."""

    code = "message-not-ours"


class MessageNotSent(Conflict):
    """WhatsApp does not have this message (yet)."""

    code = "message-not-sent"


class MessageUnchangeable(Conflict):
    """A message of this kind, or one that was taken back, cannot be changed."""

    code = "message-unchangeable"


class EditWindowOver(Conflict):
    """WhatsApp lets a message be changed for 15 minutes."""

    code = "edit-window-over"


class DeleteWindowOver(Conflict):
    """WhatsApp lets a message be taken back for 60 hours."""

    code = "delete-window-over"


class React(Body):
    """An emoji; empty: the reaction is taken away."""

    emoji: Annotated[str, StringConstraints(max_length=32), Storable]


class Edit(Body):
    """The new text."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S"), Storable]


def _form() -> dict[str, Any]:
    form: Any = FORM
    body = form["requestBody"]["content"]["multipart/form-data"]["schema"]
    texts = {name: {"type": "string"} for name in (*_PLACES, "caption", "media_id")}
    schema = body | {"required": [], "properties": body["properties"] | texts}
    named = {"type": "object", "required": ["media_id"], "properties": texts}
    content = {"multipart/form-data": {"schema": schema}, "application/json": {"schema": named}}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/send/media",
    status_code=202,
    responses=answer(Message, status=202, description="It waits to be sent; events tell what becomes of it.")
    | answer(Scheduled, status=201, description="It waits for its time.")
    | problems(
        *(ChatMissing, ContactBlocked, ContactUnseen, DeviceMissing, PhoneInvalid, AccountSuspended, MessageLimit, QuoteInvalid),
        ScheduleInvalid,
        *(TooLarge, UploadBroken, MediaInvalid, MediaMissing, ObjectsAway, InFlight, Mismatch, DeviceOwnerAway),
    ),
    openapi_extra=_form(),
)
@needs(Scope.SEND)
async def send_media(
    request: Request, caller: Caller, idem: Idempotent, db: Db, bus: OnBus, settings: Settings, files: InFiles
) -> Response:
    """Send a file with a message: as multipart with `file`, or, uploaded before, by its `media_id` (multipart or JSON).

    With `send_at` it is sent then, and waits with its message for as long.
    """
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            fields = msgspec.json.decode(await request.body(), type=dict[str, str | int | None])
        except msgspec.DecodeError as error:
            raise UploadBroken from error
        told = {name: str(value) for name, value in fields.items() if value is not None}
        return await _send(told, None, caller, idem, db, bus, settings)
    async with files.received(request, file=False) as form:
        medium = None
        if form.has_file:
            medium = await take_in(files, caller, form)
        said = ",".join(f"{len(v)}:{k}={v}" for k, v in sorted(form.fields.items()))
        idem.fingerprint = fingerprint(idem.fingerprint, form.sha256, form.name or "", said)
        return await _send(form.fields, medium, caller, idem, db, bus, settings)


async def _send(
    fields: dict[str, str],
    medium: media.Medium | None,
    caller: Principal,
    idem: Idempotency,
    db: Any,
    bus: Any,
    settings: Any,
) -> Response:
    caption = fields.get("caption", "").strip()
    try:
        body = Send.model_validate({name: fields[name] for name in _PLACES if fields.get(name)} | {"text": caption or "-"})
        caption = (body.text or "") if caption else ""  # checked, as every text is
        named = ids.parse(ids.MEDIA, fields["media_id"]) if medium is None else None
    except KeyError as error:
        raise MediaInvalid("Give a file, or the media_id of one.") from error
    except (ValidationError, ValueError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise MediaInvalid(first) from error
    phone = phones.parse(body.to) if body.to is not None else None
    await api_messages.reach(db, bus, caller, body)

    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            c = await raw(tx)
            sent = medium
            if sent is not None:
                await media.upload(c, sent)
            elif named is not None:
                sent = await media.find(c, caller.tenant, named, lock=True)
            if sent is None or sent.facts is None or (named is not None and (sent.author != caller.id or sent.used)):
                raise MediaMissing("Upload it first; each upload is sent once.")
            if caption and sent.kind not in CAPTIONED:
                raise MediaInvalid(f"A message of the kind {sent.kind} has no caption.")
            held, quoted = await api_messages.place(tx, caller, body, phone)
            if body.send_at is not None:
                later = await api_messages.schedule(tx, caller, caption, held, ahead(body.send_at), quoted, sent)
                return await idem.finish(tx, 201, msgspec.json.encode(later))
            now = datetime.now(UTC)
            row, told = await writing.queue(
                c,
                held,
                author=caller.id,
                by_key=caller.kind == "key",
                kind=sent.kind,
                text=caption or None,
                media=msgspec.json.encode(sent.facts).decode(),
                at=now,
                expires_at=now + (timedelta(seconds=body.expires_in) if body.expires_in else settings.send_expiry),
                quoted=quoted,
            )
            await media.use(c, caller.tenant, sent.id, row)
            await outbox.add(tx, *told)
            return await idem.finish(tx, 202, msgspec.json.encode(view(row)))

    return await store.persistently(once)


class FormerText(msgspec.Struct, frozen=True, kw_only=True):
    """What a message said from *at* on, until it was changed."""

    text: str
    at: datetime


class FormerTexts(msgspec.Struct, frozen=True, kw_only=True):
    """What a message said before, the oldest first; nothing of one that was taken back."""

    items: tuple[FormerText, ...]


@router.get("/{id}/edits", responses=answer(FormerTexts) | problems(MessageMissing))
async def list_edits(id: PublicMessageId, caller: Caller, db: Db) -> Json:
    """List what a message said before its sender changed it."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        row = await reading.message(c, caller.tenant, id, caller)
        if row is None:
            raise MessageMissing
        said = await acts.former(c, caller.tenant, row.id)
    return Json(FormerTexts(items=tuple(FormerText(text=one.text, at=one.at) for one in said)))


_ACCEPTED = answer(Message, status=202, description="The message as it stands; an event tells when the change has reached WhatsApp.")
_REFUSED = (MessageMissing, ContactBlocked, MessageNotSent, MessageUnchangeable, DeviceMissing, AccountSuspended, InFlight, Mismatch)


@router.post("/{id}/react", status_code=202, responses=_ACCEPTED | problems(*_REFUSED))
@needs(Scope.SEND)
async def react(id: PublicMessageId, body: React, caller: Caller, idem: Idempotent, db: Db, settings: Settings) -> Response:
    """Put an emoji on a message, or take it away."""
    return await _act(id, "reaction", body.emoji, caller, idem, db, settings.send_expiry)


@router.patch("/{id}", status_code=202, responses=_ACCEPTED | problems(*_REFUSED, MessageNotOurs, EditWindowOver))
@needs(Scope.SEND)
async def edit(id: PublicMessageId, body: Edit, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Change the text of a message that was sent less than 15 minutes ago."""
    return await _act(id, "edit", body.text, caller, idem, db, EDITS_WITHIN)


@router.delete("/{id}", status_code=202, responses=_ACCEPTED | problems(*_REFUSED, MessageNotOurs, DeleteWindowOver))
@needs(Scope.SEND)
async def delete(id: PublicMessageId, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Take a message back for everyone."""
    return await _act(id, "delete", None, caller, idem, db, DELETES_WITHIN)


async def _act(
    id: PublicMessageId, kind: ActKind, text: str | None, caller: Principal, idem: Idempotency, db: Any, lives: timedelta
) -> Response:
    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            row = await _order(tx, id, kind, text, caller, lives)
            return await idem.finish(tx, 202, msgspec.json.encode(view(row)))

    return await store.persistently(once)


async def _order(tx: Tx, id: PublicMessageId, kind: ActKind, text: str | None, caller: Principal, lives: timedelta) -> Row:
    c = await raw(tx)
    found = await reading.message(c, caller.tenant, id, caller)
    if found is None:
        raise MessageMissing
    held = await hold(c, caller, found.chat)
    row = await reading.message(c, caller.tenant, id, caller)
    if row is None:
        raise store.Moved
    now = datetime.now(UTC)
    _check(row, kind, now)
    if await devices.standing(c, caller.tenant, held.device) is False:
        raise DeviceMissing("This number has been removed from the account.")
    if kind != "delete":
        await writing.refuse_blocked(c, held)
    assert row.wa_id is not None, "It was checked."  # noqa: S101
    order = ids.MessageId(ids.new())
    act = Act(tenant=row.tenant, id=order, device=row.device, chat=row.chat, wa_id=row.wa_id, kind=kind, from_me=True, at=now, text=text)
    await acts.keep(c, [act], "ordered")
    about = Quoted(wa_id=row.wa_id, sender=address_of(row.participant), from_me=row.from_me)
    expires_at = min(row.at + lives, now + timedelta(hours=24)) if kind != "reaction" else now + lives
    body = SendMessage(
        message=order,
        device=held.device,
        to=held.address,
        kind=kind,
        text=text,
        quoted=about,
        expires_at=max(expires_at, now + timedelta(seconds=5)),
    )
    await outbox.add(tx, wrap(row.tenant, body, id=ids.derived("send", order)))
    return row


def _check(row: Row, kind: ActKind, now: datetime) -> None:
    if row.kind == "note" or row.deleted_at is not None or row.kind == "undecryptable":
        raise MessageUnchangeable
    if kind != "reaction":
        if not row.from_me:
            raise MessageNotOurs
        if kind == "edit" and row.kind != "text":
            raise MessageUnchangeable("Only a text can be changed.")
    if row.wa_id is None:
        raise MessageNotSent
    if kind == "edit" and now - row.at > EDITS_WITHIN:
        raise EditWindowOver
    if kind == "delete" and now - row.at > DELETES_WITHIN:
        raise DeleteWindowOver
