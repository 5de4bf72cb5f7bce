"""The part of a batch that is about messages of ours: taken by WhatsApp, not sent, ticked, not readable; and what our own phone read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
from contracts import ids
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import ChatRead, MessageAdvanced, MessageConfirmed
from contracts.events.devices import MessageObserved
from contracts.ids import ChatId, ContactId, MessageId, TenantId
from contracts.views import MessageStatus
from servicekit import tracing

from conversations.consumers import metrics
from conversations.consumers.batch import Batch
from conversations.consumers.inbound import Inbound, thread_of
from conversations.domain.identities import PERSONAL, Alias
from conversations.domain.messages import Ours, Tick, claim, lone_unknown
from conversations.domain.statuses import RANK
from conversations.store import messages, receipts
from conversations.store.chats import Held, Thread
from conversations.store.messages import Row, WaName, fields
from conversations.store.receipts import Pending

Key = tuple[TenantId, ChatId]

_SESSIONS = "3EB0"


@dataclass(slots=True)
class Outbound:
    """What the facts of one batch make of messages of ours.

    Attributes:
        ids: Messages that the worker names by our id.
        names: Messages that WhatsApp names by its own.
        recount: Chats whose newest message or count of unseen ones may be another now.
        kept: How many ticks wait for their message.
    """

    batch: Batch
    ids: set[tuple[TenantId, MessageId]] = field(init=False)
    names: set[WaName] = field(init=False)
    own_names: set[WaName] = field(init=False)
    recount: set[Key] = field(default_factory=set)
    kept: int = 0
    _rows: dict[MessageId, Row] = field(default_factory=dict)
    _state: dict[MessageId, Ours] = field(default_factory=dict)
    _by_name: dict[WaName, set[MessageId]] = field(default_factory=dict)
    _copies: dict[MessageId, tuple[TenantId, MessageId, MessageId]] = field(default_factory=dict)
    _confirmed: dict[MessageId, None] = field(default_factory=dict)
    _moved_at: dict[MessageId, datetime] = field(default_factory=dict)
    _changed: list[Ours] = field(default_factory=list)
    _traces: dict[MessageId, str | None] = field(default_factory=dict)
    _ticked: dict[WaName, str | None] = field(default_factory=dict)
    _read: dict[Key, datetime] = field(default_factory=dict)
    _grown: dict[Key, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        batch = self.batch
        self.ids = {(e.tenant, e.data.message) for e in batch.sent} | {(e.tenant, e.data.message) for e in batch.unsent}
        self.names = {(e.tenant, e.data.device, e.data.wa_id) for e in batch.sent}
        self.names |= {(e.tenant, e.data.device, wa_id) for e in batch.receipts if not e.data.own for wa_id in e.data.wa_ids}
        self.names |= {(e.tenant, e.data.device, e.data.wa_id) for e in batch.unreadable}
        self._ticked = {(e.tenant, e.data.device, wa_id): tracing.of(e) for e in batch.receipts for wa_id in e.data.wa_ids}
        self.names |= {(e.tenant, e.data.device, e.data.quoted.wa_id) for e in batch.observed if e.data.quoted and _of_ours(e.data)}
        self.own_names = {(e.tenant, e.data.device, wa_id) for e in batch.receipts if e.data.own for wa_id in e.data.wa_ids}

    @property
    def advanced(self) -> int:
        """Count the messages that stand elsewhere now."""
        return len(self._changed)

    def threads(self, contacts: Mapping[Alias, ContactId]) -> list[Thread]:
        """Name the threads that receipts are from, as far as anybody knows the address."""
        named = [(e.tenant, e.data.device, e.data.chat) for e in self.batch.receipts]
        named += [(e.tenant, e.data.device, e.data.chat) for e in self.batch.unreadable]
        some = (thread_of(*one, contacts) for one in named)
        return list(dict.fromkeys(thread for thread in some if thread is not None))

    async def store(
        self, c: asyncpg.Connection, contacts: Mapping[Alias, ContactId], threads: Mapping[Thread, ChatId], inbound: Inbound
    ) -> None:
        """The messages stand as the facts say; what is about no message yet waits; what our own phone read is seen."""
        ticks, waiting = await self._ticks(c, contacts, threads, inbound)
        if self.ids or ticks or waiting:
            self._load(await messages.ours(c, self.ids, self.names | {tick.name for tick in waiting}))
            self._take_sent()
            self._take_unsent()
            kept = [tick for tick in ticks if not self._apply(tick)]
            done = [tick for tick in waiting if self._apply(tick)]
            kept, settled = await self._settle(c, kept)
            await self._save(c)
            await receipts.drop(c, done + settled)
            await receipts.keep(c, kept)
            self.kept += len(kept)
            copies = set(self._copies)
            inbound.new = [row for row in inbound.new if row.id not in copies]
        await receipts.drop(c, [tick for tick in inbound.pending if tick.own])
        await self._read_by_own_phone(c, contacts, threads)
        self._grown = {key: growth.unread for key, growth in inbound.growth.items()}

    async def _ticks(
        self, c: asyncpg.Connection, contacts: Mapping[Alias, ContactId], threads: Mapping[Thread, ChatId], inbound: Inbound
    ) -> tuple[list[Pending], list[Pending]]:
        """Give the ticks that came now, and those that were waiting for what came now. ``unknown``: a phone could not read it."""

        def pending(e: Envelope[Any], wa_id: str, status: MessageStatus) -> Pending:
            chat = self._chat(e, contacts, threads)
            return Pending(tenant=e.tenant, device=e.data.device, wa_id=wa_id, own=False, status=status, at=e.data.at, chat=chat)

        came = [
            pending(e, wa_id, MessageStatus(e.data.status))
            for e in self.batch.receipts
            if not e.data.own
            for wa_id in dict.fromkeys(e.data.wa_ids)
        ]
        came += [
            pending(e, e.data.quoted.wa_id, MessageStatus.DELIVERED) for e in self.batch.observed if e.data.quoted and _of_ours(e.data)
        ]
        came += [pending(e, e.data.wa_id, MessageStatus.UNKNOWN) for e in self.batch.unreadable]
        waiting = await receipts.waiting(c, {(e.tenant, e.data.device, e.data.wa_id) for e in self.batch.sent})
        return came, [tick for tick in (*waiting, *inbound.pending) if not tick.own]

    def _chat(self, e: Envelope[Any], contacts: Mapping[Alias, ContactId], threads: Mapping[Thread, ChatId]) -> ChatId | None:
        thread = thread_of(e.tenant, e.data.device, e.data.chat, contacts)
        return threads.get(thread) if thread is not None else None

    def _load(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row.id in self._rows:
                continue
            self._rows[row.id] = row
            self._state[row.id] = row.ours()
            if row.wa_id is not None:
                self._by_name.setdefault((row.tenant, row.device, row.wa_id), set()).add(row.id)

    def _take_sent(self) -> None:
        for e in self.batch.sent:
            self._traces[e.data.message] = tracing.of(e)
            message = self._state.get(e.data.message)
            if message is None or message.tenant != e.tenant:
                metrics.IGNORED.labels("unknown-message").inc()
                continue
            name = e.tenant, message.device, e.data.wa_id
            holders = self._by_name.setdefault(name, set())
            unreadable = any(self._state[id].is_unreadable for id in holders)
            for holder in [self._state[id] for id in holders if id != message.id]:
                if holder.ordered:
                    self._state[holder.id] = holder.unsettled()
                else:
                    self._copies[holder.id] = e.tenant, holder.id, message.id
                    self.recount.add((holder.tenant, holder.chat))
                    message = message.received(holder.status)
                    del self._state[holder.id]
            holders.clear()
            holders.add(message.id)
            after = message.sent(e.data.wa_id, e.data.at)
            after = after.unreadable() if unreadable else after
            if after != self._state[message.id]:
                self._confirmed[message.id] = None
                self._state[message.id] = after
                self.recount.add((after.tenant, after.chat))

    def _take_unsent(self) -> None:
        for e in self.batch.unsent:
            self._traces[e.data.message] = tracing.of(e)
            message = self._state.get(e.data.message)
            if message is None or message.tenant != e.tenant:
                metrics.IGNORED.labels("unknown-message").inc()
                continue
            self._state[message.id] = message.unsent(e.data.outcome, e.data.reason)
            self._moved(message.id, e.data.at)

    def _apply(self, tick: Pending) -> bool:
        """The messages that *tick* names have come this far, or could not be read; False when it names none."""
        named = [id for id in self._by_name.get(tick.name, ()) if id in self._state]
        for id in named:
            self._traces[id] = self._ticked.get(tick.name) or self._traces.get(id)
            before = self._state[id]
            if tick.status is not MessageStatus.UNKNOWN:
                self._state[id] = before.received(tick.status)
            elif self._rows[id].contact is not None:  # of a group, one member says nothing
                self._state[id] = before.unreadable()
            if self._state[id] != before:
                self._moved(id, tick.at)
        return bool(named)

    def _moved(self, id: MessageId, at: datetime) -> None:
        self._moved_at[id] = max(at, self._moved_at.get(id, at))

    async def _settle(self, c: asyncpg.Connection, ticks: list[Pending]) -> tuple[list[Pending], list[Pending]]:
        """Where a chat's only message without a WhatsApp id is ``unknown``, a tick that nobody claims is its own.

        Returns the ticks that still wait, and those that waited and have found their message.
        """
        candidates: set[Key] = {(tick.tenant, tick.chat) for tick in ticks if tick.chat is not None}
        candidates |= {(m.tenant, m.chat) for m in self._state.values() if (m.tenant, m.id) in self.ids or m.wa_id is None}
        self._load(await messages.nameless(c, sorted(candidates)))
        of_chat: dict[Key, list[Ours]] = {}
        for message in self._state.values():
            of_chat.setdefault((message.tenant, message.chat), []).append(message)
        lone = {key: unknown for key in candidates if (unknown := lone_unknown(of_chat.get(key, ()))) is not None}
        if not lone:
            return ticks, []
        stored = await receipts.waiting_in(c, sorted(lone))
        settled: list[Pending] = []
        for key, unknown in lone.items():
            unclaimed = [
                t
                for t in (*ticks, *stored)
                if (t.tenant, t.chat) == key and t.status is not MessageStatus.UNKNOWN and not self._by_name.get(t.name)
            ]
            found = claim(unknown, [Tick(wa_id=t.wa_id, status=t.status, at=t.at) for t in unclaimed])
            if found is None:
                continue
            wa_id, status = found
            self._state[unknown.id] = unknown.settled(wa_id).received(status)
            self._by_name[unknown.tenant, unknown.device, wa_id] = {unknown.id}
            self._confirmed[unknown.id] = None
            for tick in unclaimed:
                if tick.wa_id == wa_id:
                    self._moved(unknown.id, tick.at)
            settled += [t for t in stored if (t.tenant, t.chat) == key and t.wa_id == wa_id]
        return [t for t in ticks if not self._by_name.get(t.name)], settled

    def named(self) -> list[Row]:
        """Give the messages that have their WhatsApp id since this batch."""
        for id in self._confirmed:
            self._rows[id].wa_id = self._state[id].wa_id
        return [self._rows[id] for id in self._confirmed]

    async def _save(self, c: asyncpg.Connection) -> None:
        self._changed = sorted((m for id, m in self._state.items() if m != self._rows[id].ours()), key=lambda m: (m.tenant, m.id))
        await messages.replace(c, sorted(self._copies.values()))
        await messages.save(c, self._changed)

    async def _read_by_own_phone(
        self, c: asyncpg.Connection, contacts: Mapping[Alias, ContactId], threads: Mapping[Thread, ChatId]
    ) -> None:
        own = [e for e in self.batch.receipts if e.data.own]
        if not own:
            return
        for e in own:
            chat = self._chat(e, contacts, threads)
            if chat is not None:
                self._read[e.tenant, chat] = max(e.data.at, self._read.get((e.tenant, chat), e.data.at))
        await messages.see(c, sorted((*key, at) for key, at in self._read.items()))
        here, elsewhere = await messages.see_named(c, sorted(self.own_names))
        at = max(e.data.at for e in own)
        for key in elsewhere:
            self._read.setdefault(key, at)
        self.recount |= set(self._read)
        missing = [
            Pending(
                tenant=e.tenant,
                device=e.data.device,
                wa_id=wa_id,
                own=True,
                status=MessageStatus(e.data.status),
                at=e.data.at,
                chat=None,
            )
            for e in own
            for wa_id in e.data.wa_ids
            if (e.tenant, e.data.device, wa_id) not in here
        ]
        await receipts.keep(c, missing)
        self.kept += len(missing)

    def tell(self, audiences: Mapping[ChatId, Audience]) -> list[Envelope[Any]]:
        """Say which messages WhatsApp took, and which stand elsewhere."""
        replaces = {original: copy for copy, (_, _, original) in self._copies.items()}
        told: list[Envelope[Any]] = []
        for message in self._changed:
            row, before = self._rows[message.id], self._rows[message.id].ours()
            audience = audiences.get(message.chat, Audience(device=message.device))
            row.status, row.at, row.reason, row.wa_id = message.status, message.at, message.reason, message.wa_id
            if message.id in self._confirmed:
                # Each tick is told by itself, also where one batch brought several: whoever waits for the first one gets it.
                row.status = min(message.status, MessageStatus.SENT, key=RANK.__getitem__)
                if message.is_unreadable:
                    row.status, row.reason = MessageStatus.SENT, None
                copy = replaces.get(message.id)
                told.append(
                    wrap(
                        message.tenant,
                        MessageConfirmed(**fields(row), replaces=copy and ids.public(ids.MESSAGE, copy)),  # type: ignore[arg-type]
                        audience=audience,
                        trace=self._traces.get(message.id),
                    )
                )
                if RANK[message.status] <= RANK[MessageStatus.SENT] and not message.is_unreadable:
                    continue
            if message.status != before.status or message.reason != before.reason:
                told.append(
                    wrap(
                        message.tenant,
                        MessageAdvanced(
                            id=ids.public(ids.MESSAGE, message.id),
                            chat_id=ids.public(ids.CHAT, message.chat),
                            device_id=ids.public(ids.DEVICE, message.device),
                            status=message.status,
                            at=self._moved_at.get(message.id, message.at),
                            reason=message.reason,
                        ),
                        audience=audience,
                        trace=self._traces.get(message.id),
                    )
                )
        return told

    def tell_read(self, held: Mapping[ChatId, Held], unread: Mapping[ChatId, int]) -> list[Envelope[Any]]:
        """Say which chats our own phone has read, where that changed anything."""
        return [
            wrap(
                tenant,
                ChatRead(id=ids.public(ids.CHAT, chat), unread=unread[chat], at=at),
                audience=held[chat].audience,
            )
            for (tenant, chat), at in sorted(self._read.items())
            if held[chat].unread + self._grown.get((tenant, chat), 0) != unread[chat]
        ]


def _of_ours(fact: MessageObserved) -> bool:
    """Tell whether somebody reacts to a message that a session of ours sent: so he has it, whatever became of its tick.

    WhatsApp names the message from the side of who reacts. The names that sessions give have a beginning of their own; what a phone
    wrote before the number was linked is not known here, and must not be taken for what nobody knows the end of.
    """
    about = fact.quoted
    mine = fact.kind == "reaction" and not fact.from_me and fact.chat.kind in PERSONAL
    return mine and about is not None and about.from_me is False and about.wa_id.startswith(_SESSIONS)
