"""Messages: sending them, and looking one up."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

import msgspec
from contracts import ids, subjects
from contracts.edge import PublicChatId, PublicDeviceId, PublicMessageId
from contracts.envelope import Audience, wrap
from contracts.events.conversations import ContactCreated
from contracts.events.devices import DeviceChanged
from contracts.ids import DeviceId, TenantId
from contracts.principal import Principal, Scope
from contracts.views import Message, Scheduled
from contracts.whatsapp import Address, ContactCard, Location
from fastapi import APIRouter
from pydantic import AwareDatetime, Field, StringConstraints, model_validator
from servicekit import outbox
from servicekit.bus import BusAway
from servicekit.db import Tx, raw
from servicekit.http import Body, Caller, Json, answer, needs, problems
from servicekit.http.bodies import Storable
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations import store
from conversations.api.chats import hold
from conversations.api.scheduled import ahead
from conversations.api.shapes import Db, OnBus, Settings
from conversations.domain import phones
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
from conversations.domain.messages import LONGEST_TEXT
from conversations.store import chats, devices, identities, moves, reading, scheduled, writing
from conversations.store.chats import Held, Thread
from conversations.store.media import Medium
from conversations.store.messages import More, Row, view
from conversations.store.moves import Move
from conversations.store.scheduled import Later

router = APIRouter(prefix="/api/messages", tags=["messages"])

ASK_SECONDS = 2.0
LONGEST_WAIT = timedelta(days=7)


class Place(Body):
    """Where something is."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    name: Annotated[str | None, Field(max_length=200), Storable] = None
    address: Annotated[str | None, Field(max_length=300), Storable] = None


class Card(Body):
    """Somebody's card."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S"), Storable]
    phones: Annotated[list[Annotated[str, Field(max_length=40), Storable]], Field(max_length=10)] = Field(default_factory=list)


class Send(Body):
    """A text, a place or cards into a chat, or to a phone number over one of the account's numbers."""

    text: Annotated[str | None, StringConstraints(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S"), Storable] = None
    location: Place | None = None
    contacts: Annotated[list[Card] | None, Field(min_length=1, max_length=20)] = None
    chat_id: PublicChatId | None = None
    device_id: PublicDeviceId | None = None
    to: Annotated[str | None, Field(max_length=40, description="A phone, with its country code.", examples=["+55 11 91234-5678"])] = None
    reply_to: Annotated[PublicMessageId | None, Field(description="The message of the same chat that this one answers.")] = None
    send_at: Annotated[AwareDatetime | None, Field(description="Send it then, and not now: the answer is what waits.")] = None
    expires_in: Annotated[
        int | None,
        Field(ge=1, le=int(LONGEST_WAIT.total_seconds()), description="Seconds after which it is not sent any more; a day by default."),
    ] = None

    @model_validator(mode="after")
    def _one_way_to_say_where(self) -> Self:
        if (self.chat_id is None) == (self.device_id is None) or (self.device_id is None) != (self.to is None):
            raise ValueError("Say where to: either chat_id, or device_id and to.")
        if sum(one is not None for one in (self.text, self.location, self.contacts)) != 1:
            raise ValueError("Say what: a text, a location or contacts.")
        if self.send_at is not None and self.text is None:
            raise ValueError("Only a text is sent later.")
        if self.send_at is not None and self.expires_in is not None:
            raise ValueError("What is sent later does not expire before.")
        return self


@router.post(
    "/send",
    status_code=202,
    responses=answer(Message, status=202, description="It waits to be sent; events tell what becomes of it.")
    | answer(Scheduled, status=201, description="It waits for its time.")
    | problems(
        *(ChatMissing, ContactBlocked, ContactUnseen, DeviceMissing, PhoneInvalid),
        *(AccountSuspended, MessageLimit, QuoteInvalid, ScheduleInvalid),
        *(InFlight, Mismatch, DeviceOwnerAway),
    ),
)
@needs(Scope.SEND)
async def send(body: Send, caller: Caller, idem: Idempotent, db: Db, bus: OnBus, settings: Settings) -> Response:
    """Send a text, a place or cards.

    A number that is not connected, or a phone that is not on WhatsApp, shows in the message's status later.
    """
    phone = phones.parse(body.to) if body.to is not None else None
    await reach(db, bus, caller, body)

    async def once() -> Response:
        async with db.transaction(caller.tenant) as tx:
            if stored := await idem.begin(tx):
                return stored.response()
            held, quoted = await place(tx, caller, body, phone)
            if body.send_at is not None:
                later = await schedule(tx, caller, body.text or "", held, ahead(body.send_at), quoted)
                return await idem.finish(tx, 201, msgspec.json.encode(later))
            message = await _send(tx, caller, body, held, quoted, settings.send_expiry)
            return await idem.finish(tx, 202, msgspec.json.encode(message))

    return await store.persistently(once)


async def reach(db: Db, bus: OnBus, caller: Principal, body: Send) -> None:
    """The number that is written from is one that the caller sees.  Raises: DeviceMissing, DeviceOwnerAway."""
    if body.device_id is not None:
        if not caller.sees(body.device_id):
            raise DeviceMissing
        await _know(db, bus, caller.tenant, body.device_id)


async def place(tx: Tx, caller: Principal, body: Send, phone: str | None) -> tuple[Held, Row | None]:
    """Hold the chat that is written into, and read the message that is answered.  Raises: QuoteInvalid."""
    held = await _where(tx, caller, body, phone)
    quoted = None if body.reply_to is None else await reading.message(await raw(tx), caller.tenant, body.reply_to, caller)
    if body.reply_to is not None and (quoted is None or quoted.chat != held.id or quoted.wa_id is None):
        raise QuoteInvalid
    return held, quoted


async def _where(tx: Tx, caller: Principal, body: Send, phone: str | None) -> Held:
    """Hold the chat that is written into."""
    c = await raw(tx)
    if body.chat_id is not None:
        held = await hold(c, caller, body.chat_id)
    else:
        assert body.device_id is not None, "The body's validator demands it."  # noqa: S101
        assert phone is not None, "The body's validator demands it."  # noqa: S101
        held = await _chat_with(tx, caller.tenant, body.device_id, phone)
        if held.standing.revision and not caller.reads(held.device, held.standing.team, held.standing.assignee):
            raise ContactUnseen("Somebody else answers them.")
    if await devices.standing(c, caller.tenant, held.device) is False:
        raise DeviceMissing("This number has been removed from the account.")
    return held


async def _send(tx: Tx, caller: Principal, body: Send, held: Held, quoted: Row | None, expiry: timedelta) -> Message:
    now = datetime.now(UTC)
    expires_at = now + (timedelta(seconds=body.expires_in) if body.expires_in else expiry)
    row, told = await writing.queue(
        await raw(tx),
        held,
        author=caller.id,
        by_key=caller.kind == "key",
        kind="location" if body.location else "contact" if body.contacts else "text",
        text=body.text or _words(body),
        more=_more(body),
        at=now,
        expires_at=expires_at,
        quoted=quoted,
    )
    await outbox.add(tx, *told)
    return view(row)


def _words(body: Send) -> str | None:
    if body.location is not None:
        where = body.location
        return "\n".join(filter(None, [where.name, where.address, f"{where.latitude:.6f}, {where.longitude:.6f}"]))
    return "\n".join(card.name for card in body.contacts or ())


def _more(body: Send) -> More | None:
    if body.location is not None:
        return More(location=Location(**body.location.model_dump()))
    if body.contacts:
        return More(contacts=tuple(ContactCard(name=card.name, phones=tuple(card.phones)) for card in body.contacts))
    return None


async def schedule(
    tx: Tx, caller: Principal, text: str, held: Held, send_at: datetime, quoted: Row | None, medium: Medium | None = None
) -> Scheduled:
    """What was written waits in the chat (held by the caller) for its time, with its file."""
    c = await raw(tx)
    later = Later(
        tenant=caller.tenant,
        id=ids.new(),
        chat=held.id,
        author=caller.id,
        by_key=caller.kind == "key",
        text=text,
        quoted=None if quoted is None else quoted.id,
        send_at=send_at,
        media=None if medium is None else medium.id,
        kind="text" if medium is None else medium.kind,
        file=None if medium is None else msgspec.json.encode(medium.facts).decode(),
    )
    told = await scheduled.add(c, later, held)
    told += await moves.make(c, [Move(held=held, after=held.standing)], datetime.now(UTC))
    await outbox.add(tx, *told)
    return scheduled.view(later)


async def _chat_with(tx: Tx, tenant: TenantId, device: DeviceId, phone: str) -> Held:
    """Hold the chat with this phone's owner on *device*; who was not known is a contact now."""
    c = await raw(tx)
    alias = tenant, "pn", phone
    people = await identities.resolve(c, [(alias,)])
    contact = people.contacts[alias]
    if contact in people.created:
        created = ContactCreated(id=ids.public(ids.CONTACT, contact), name=None, phone=phone)
        await outbox.add(tx, wrap(tenant, created, audience=Audience(device=device)))
    thread = Thread(tenant, device, contact)
    chat = (await chats.open(c, {thread: (Address("pn", phone), datetime.now(UTC))}))[thread]
    return (await chats.lock(c, [(tenant, chat)]))[chat]


async def _know(db: Db, bus: OnBus, tenant: TenantId, device: DeviceId) -> None:
    """The device is one of the tenant's; one that nobody told of yet is asked for once.

    Raises:
        DeviceMissing: There is none, or no longer.
        DeviceOwnerAway: Nobody answers.
    """
    async with db.transaction(tenant) as tx:
        standing = await devices.standing(await raw(tx), tenant, device)
    if standing is None:
        question = msgspec.json.encode({"tenant": tenant, "device": device})
        try:
            told = msgspec.json.decode(await bus.ask(subjects.ask("devices", "device"), question, ASK_SECONDS), type=DeviceChanged | None)
        except (BusAway, TimeoutError) as error:
            raise DeviceOwnerAway from error
        if told is not None:
            async with db.transaction(tenant) as tx:
                await devices.learn(await raw(tx), [(tenant, told)])
            standing = True
    if not standing:
        raise DeviceMissing


@router.get("/{id}", responses=answer(Message) | problems(MessageMissing))
async def get_message(id: PublicMessageId, caller: Caller, db: Db) -> Json:
    """Show one message."""
    async with db.transaction(caller.tenant) as tx:
        row = await reading.message(await raw(tx), caller.tenant, id, caller)
    if row is None:
        raise MessageMissing
    return Json(view(row))
