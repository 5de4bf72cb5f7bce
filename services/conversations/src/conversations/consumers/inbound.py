"""The part of a batch that WhatsApp brought: messages observed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import ContactChanged, ContactCreated, MessageReceived, MessageReplaced
from contracts.events.devices import MessageObserved
from contracts.ids import ChatId, ContactId, MessageId, TenantId
from contracts.views import MessageStatus
from contracts.whatsapp import Address
from servicekit import tracing

from conversations.consumers.acts import act_of
from conversations.consumers.batch import Batch
from conversations.domain.acts import KINDS, Act
from conversations.domain.identities import PERSONAL, Alias, Plan, alias, participant
from conversations.domain.messages import NOTES, PLACEHOLDER, clean
from conversations.domain.standing import Standing
from conversations.store import identities, media, messages, receipts
from conversations.store.chats import Growth, Held, Thread
from conversations.store.media import Expected
from conversations.store.messages import File, More, QuotedThen, Row, fields, file_of
from conversations.store.moves import Move
from conversations.store.receipts import Pending


@dataclass(slots=True)
class Inbound:
    """What the observed messages of one batch become.

    Attributes:
        new: What was not here before, in stream order.
        known: How many were here already, or came twice in this batch.
        replaced: Placeholders that have their content now.
        pending: Ticks that were waiting for one of these messages.
        acts: What was done to other messages.
    """

    batch: Batch
    new: list[Row] = field(default_factory=list)
    known: int = 0
    replaced: list[Row] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    fetches: list[Envelope[Any]] = field(default_factory=list)
    growth: dict[tuple[TenantId, ChatId], Growth] = field(default_factory=dict)
    _threads: list[Thread] = field(default_factory=list)
    _traces: dict[tuple[TenantId, UUID, str | None], str | None] = field(default_factory=dict)
    _contacts: Mapping[Alias, ContactId] = field(default_factory=dict)

    def threads(self, contacts: Mapping[Alias, ContactId]) -> dict[Thread, tuple[Address, datetime]]:
        """Name the thread of each message, with the address to write to and a time."""
        wanted: dict[Thread, tuple[Address, datetime]] = {}
        self._threads = []
        self._contacts = contacts
        for envelope in self.batch.observed:
            fact = envelope.data
            thread = thread_of(envelope.tenant, fact.device, fact.chat, contacts)
            assert thread is not None, "An observed message's addresses are resolved."  # noqa: S101
            self._threads.append(thread)
            wanted.setdefault(thread, (fact.chat, fact.at))
        return wanted

    async def store(
        self, c: asyncpg.Connection, threads: Mapping[Thread, ChatId], blocked: Collection[tuple[TenantId, ContactId]] = ()
    ) -> None:
        """The messages are stored, each once, and placeholders have their content.

        Args:
            blocked: Whose messages are kept as old ones are: nobody is told, nothing is unread, no chat opens.
        """
        if not self.batch.observed:
            return
        rows: dict[object, Row] = {}
        addresses: dict[MessageId, Address] = {}
        for envelope, thread in zip(self.batch.observed, self._threads, strict=True):
            if envelope.data.kind in KINDS:
                if (act := act_of(envelope, threads[thread], thread.contact)) is not None:
                    self.acts.append(act)
                continue
            row = _row(envelope, threads[thread], thread.contact)
            row.sender = self._author(envelope)
            if not row.from_me and thread.contact is not None and (thread.tenant, thread.contact) in blocked:
                row.history, row.unseen = True, False
            present = rows.get(row.name)
            if present is None:
                rows[row.name] = row
                addresses[row.id] = envelope.data.chat
            elif present.kind == PLACEHOLDER != row.kind:
                row.id = present.id
                row.unseen = row.unseen or present.unseen
                rows[row.name] = row
        stored = list(rows.values())
        self.pending = await receipts.waiting(c, [(r.tenant, r.device, r.wa_id) for r in stored if r.wa_id])
        seen = {tick.name for tick in self.pending if tick.own}
        for row in stored:
            if row.unseen and (row.tenant, row.device, row.wa_id) in seen:
                row.unseen = False
        await self._quote(c, stored)
        new = await messages.insert(c, stored)
        self.new = [row for row in stored if row.id in new]
        self.known = sum(e.data.kind not in KINDS for e in self.batch.observed) - len(new)
        self.replaced = await messages.fill_placeholders(c, [r for r in stored if r.id not in new and r.kind != PLACEHOLDER])
        await self._expect_files(c)
        for row in self.new:
            growth = self.growth.setdefault((row.tenant, row.chat), Growth())
            growth.add(row.at, row.id, unseen=row.unseen, shown=row.kind not in NOTES, address=addresses[row.id], asks=_asks(row))

    def _author(self, envelope: Envelope[MessageObserved]) -> ContactId | None:
        """Give who of its members wrote a message of a group."""
        fact = envelope.data
        if fact.from_me or fact.chat.kind in PERSONAL or fact.sender is None:
            return None
        return self._contacts.get(alias(envelope.tenant, fact.sender))

    async def _expect_files(self, c: asyncpg.Connection) -> None:
        """Every file has its row, and is fetched: at once, or of an old message when somebody wants it."""
        facts = {(e.tenant, e.data.device, e.data.wa_id): e.data for e in self.batch.observed if e.data.media is not None}
        files: list[Expected] = []
        for row in (*self.new, *self.replaced):
            fact = facts.get((row.tenant, row.device, row.wa_id or ""))
            if fact is not None and fact.media is not None and (file := file_of(row)) is not None and file.id is not None:
                files.append(Expected(row=row, file=file, source=fact.media.source))
        self.fetches = await media.expect(c, files)

    async def _quote(self, c: asyncpg.Connection, stored: list[Row]) -> None:
        """The messages that answer another one know its id, as far as it is here."""
        quotes = {
            (e.tenant, e.data.device, e.data.wa_id): (e.tenant, e.data.device, e.data.quoted.wa_id)
            for e in self.batch.observed
            if e.data.quoted is not None and e.data.quoted.wa_id
        }
        if not quotes:
            return
        known = await messages.by_names(c, set(quotes.values()))
        known |= {(r.tenant, r.device, r.wa_id, r.chat): r.id for r in stored if r.wa_id}
        for row in stored:
            quoted = row.wa_id and quotes.get((row.tenant, row.device, row.wa_id))
            if quoted:
                row.quoted = known.get((*quoted, row.chat))

    def push_names(self) -> list[tuple[TenantId, ContactId, str, datetime]]:
        """Give the newest name that each person gave himself."""
        newest: dict[tuple[TenantId, ContactId], tuple[datetime, str]] = {}
        for envelope, thread in zip(self.batch.observed, self._threads, strict=True):
            fact, contact = envelope.data, thread.contact or self._author(envelope)
            name = (clean(fact.push_name) or "").strip()
            if contact is None or fact.from_me or not name:
                continue
            key = envelope.tenant, contact
            if key not in newest or newest[key] < (fact.at, name):
                newest[key] = fact.at, name
        return [(tenant, contact, newest[tenant, contact][1], newest[tenant, contact][0]) for tenant, contact in sorted(newest)]

    async def tell_contacts(
        self, c: asyncpg.Connection, people: Plan, renamed: Iterable[tuple[TenantId, ContactId]]
    ) -> list[Envelope[Any]]:
        """Say who is known now, who has another name or one more address, and who turned out to be whom."""
        created = {(tenant, contact) for contact, (tenant, _) in people.created.items()}
        merged = [(m.tenant, m.survivor, m.loser) for m in people.merges]
        changed = set(renamed) | {(one[0], contact) for one, contact in people.learned.items()}
        changed -= created | {(tenant, survivor) for tenant, survivor, _ in merged}
        shown = await identities.contacts(c, created | changed | {(tenant, survivor) for tenant, survivor, _ in merged})
        # Where it was heard of here: who does not see that number hears nothing of the contact.
        heard = {
            (thread.tenant, thread.contact or self._author(envelope)): Audience(device=thread.device)
            for envelope, thread in zip(self.batch.observed, self._threads, strict=True)
        }
        told: list[Envelope[Any]] = []
        for tenant, contact in sorted(created):
            name, phone = shown[tenant, contact]
            body = ContactCreated(id=ids.public(ids.CONTACT, contact), name=name, phone=phone)
            told.append(wrap(tenant, body, audience=heard.get((tenant, contact))))
        for tenant, contact in sorted(changed):
            name, phone = shown[tenant, contact]
            change = ContactChanged(id=ids.public(ids.CONTACT, contact), name=name, phone=phone)
            told.append(wrap(tenant, change, audience=heard.get((tenant, contact))))
        for tenant, survivor, loser in merged:
            name, phone = shown[tenant, survivor]
            public = ids.public(ids.CONTACT, survivor)
            merger = ContactChanged(id=public, name=name, phone=phone, merged=ids.public(ids.CONTACT, loser))
            told.append(wrap(tenant, merger, audience=heard.get((tenant, survivor))))
        return told

    def moves(self, held: Mapping[ChatId, Held]) -> list[Move]:
        """Say where the chats stand after what came, in the order of the messages' own time."""
        after: dict[ChatId, Standing] = {}
        alive: set[ChatId] = set()
        for row in sorted(self.new, key=lambda row: (row.at, row.id)):
            standing = after.get(row.chat, held[row.chat].standing)
            if row.history:
                pass
            elif _asks(row):
                standing = standing.asked(row.at)
            elif row.from_me and row.kind not in NOTES:
                standing = standing.answered(row.at, None)
            alive |= set() if row.history else {row.chat}
            after[row.chat] = standing
        return [
            Move(held=held[chat], after=standing.old() if standing.revision == 0 and chat not in alive else standing)
            for chat, standing in sorted(after.items())
        ]

    def tell(self, audiences: Mapping[ChatId, Audience]) -> list[Envelope[Any]]:
        """Say what came, except what is old, and which placeholders have their content."""
        self._traces = {(e.tenant, e.data.device, e.data.wa_id): tracing.of(e) for e in self.batch.observed}
        told: list[Envelope[Any]] = [
            wrap(
                row.tenant,
                MessageReceived(**fields(row), history=row.history, group=row.contact is None),  # type: ignore[arg-type]
                audience=audiences[row.chat],
                trace=self._traces.get((row.tenant, row.device, row.wa_id)),
            )
            for row in self.new
            if not row.history
        ]
        told += [
            wrap(row.tenant, MessageReplaced(**fields(row)), audience=audiences.get(row.chat, Audience(device=row.device)))  # type: ignore[arg-type]
            for row in self.replaced
        ]
        return told


def _asks(row: Row) -> bool:
    """Tell whether somebody should answer it."""
    return not (row.from_me or row.history or row.kind in NOTES)


def thread_of(tenant: TenantId, device: UUID, chat: Address, contacts: Mapping[Alias, ContactId]) -> Thread | None:
    """Name the thread of an address on a device; None for a person whom nobody knows."""
    if chat.kind not in PERSONAL:
        return Thread(tenant, device, None, chat.value)  # type: ignore[arg-type]
    contact = contacts.get(alias(tenant, chat))
    return contact and Thread(tenant, device, contact)  # type: ignore[arg-type,return-value]


def _row(envelope: Envelope[MessageObserved], chat: ChatId, contact: ContactId | None) -> Row:
    fact = envelope.data
    file = None
    if fact.media is not None:
        told = fact.media
        file = File(
            id=ids.new(),
            mime=clean(told.mime) or "application/octet-stream",
            size=told.size,
            file_name=clean(told.file_name),
            seconds=told.seconds,
            width=told.width,
            height=told.height,
            waveform=told.waveform,
            sha256=told.sha256,
            state="pending" if told.source is not None else "expired",
        )
    return Row(
        tenant=envelope.tenant,
        id=MessageId(ids.new()),
        device=fact.device,
        chat=chat,
        contact=contact,
        from_me=fact.from_me,
        kind=fact.kind,
        status=MessageStatus.SENT if fact.from_me else MessageStatus.RECEIVED,
        at=fact.at,
        wa_id=fact.wa_id,
        participant="" if fact.from_me or contact is not None else participant(fact.sender, fact.sender_alt),
        sender_name=None if fact.from_me else clean(fact.push_name),
        text=clean(fact.text),
        media=msgspec.json.encode(file).decode() if file else None,
        more=_more(fact),
        unseen=not (fact.from_me or fact.history or fact.kind in NOTES),
        history=fact.history,
        ephemeral=fact.ephemeral,
    )


def _more(fact: MessageObserved) -> str | None:
    """Write what few messages have."""
    quoted = fact.quoted and QuotedThen(kind=fact.quoted.kind, text=fact.quoted.text)
    more = More(
        location=fact.location,
        contacts=fact.contacts,
        mentions=fact.mentions,
        quoted=quoted if quoted and (quoted.kind or quoted.text) else None,
        view_once=fact.view_once,
        raw=fact.raw,
    )
    return None if more == More() else msgspec.json.encode(_storable(msgspec.to_builtins(more))).decode()


def _storable(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case list() | tuple():
            return [_storable(one) for one in value]
        case dict():
            return {key: _storable(one) for key, one in value.items()}
    return value
