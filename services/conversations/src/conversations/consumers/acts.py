"""The part of a batch that does something to messages: reactions, edits and deletions, of either side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import MessageDeleted, MessageEdited, MessageReacted
from contracts.events.devices import MessageObserved
from contracts.ids import ChatId, ContactId, TenantId

from conversations.consumers.batch import Batch
from conversations.domain.acts import Act, Said
from conversations.domain.identities import participant
from conversations.domain.messages import clean
from conversations.store import acts
from conversations.store.messages import Row, fields

_BODIES: dict[str, type[MessageEdited] | type[MessageDeleted] | type[MessageReacted]] = {
    "edit": MessageEdited,
    "delete": MessageDeleted,
    "reaction": MessageReacted,
}


@dataclass(slots=True)
class Acts:
    """What the acts of one batch become.

    Attributes:
        observed: Those that WhatsApp showed.
        ordered: Those from here that WhatsApp has said something about.
    """

    batch: Batch
    observed: list[Act] = field(default_factory=list)
    ordered: dict[acts.Key, Act] = field(default_factory=dict)
    _told: list[tuple[Row, str, str | None]] = field(default_factory=list)

    async def read(self, c: asyncpg.Connection) -> set[tuple[TenantId, ChatId]]:
        """What is on its way from here and was heard of is known; returns the chats that it is in."""
        keys = {(e.tenant, UUID(int=e.data.message.int)) for e in self.batch.sent}
        keys |= {(e.tenant, UUID(int=e.data.message.int)) for e in self.batch.unsent}
        self.ordered = await acts.ordered(c, keys)
        return {(act.tenant, act.chat) for act in self.ordered.values()}

    async def store(self, c: asyncpg.Connection, new: list[Row]) -> None:
        """The messages stand as acts have made them; what is about no message yet waits."""
        done = self._sent()
        waited = await acts.waiting(c, {(row.tenant, row.device, row.wa_id) for row in new if row.wa_id})
        every = [*self.observed, *waited, *done]
        if not (every or self.ordered):
            return
        rows: dict[tuple[object, ...], list[Row]] = {}
        lost = [*every, *self._failed()]
        for row in await acts.targets(c, {(a.tenant, a.device, a.wa_id, a.chat) for a in lost}):
            rows.setdefault((row.tenant, row.device, row.wa_id, row.chat), []).append(row)
        changed: dict[UUID, Row] = {}
        kept: list[Act] = []
        former: list[tuple[Row, Said]] = []
        for act in sorted(every, key=lambda act: (act.at, act.id)):
            here = rows.get((act.tenant, act.device, act.wa_id, act.chat), [])
            target = next((row for row in here if acts.stands(row).may(act)), None)
            if target is not None and (said := acts.stands(target).former(act, target.at)) is not None:
                former.append((target, said))
            if target is None:
                kept += [] if here else [act]
            elif acts.changed(target, acts.stands(target).after(act)):
                changed[target.id] = target
                self._told.append((target, act.kind, None))
        for act, reason in self._failures():
            here = rows.get((act.tenant, act.device, act.wa_id, act.chat), [])
            self._told += [(row, act.kind, reason) for row in here[:1]]
        await acts.save(c, sorted(changed.values(), key=lambda row: (row.tenant, row.id)))
        await acts.remember(c, [(row.tenant, row.id, said) for row, said in former if row.deleted_at is None])
        keeping = {act.id for act in kept}
        await acts.drop(c, [(a.tenant, a.id) for a in waited if a.id not in keeping] + sorted(self._ended()))
        await acts.keep(c, [act for act in kept if act.id in {a.id for a in self.observed}], "waiting")
        # Whoever is told of a new message gets it as it stands, and not once more as it stood.
        by_id: dict[UUID, Row] = {row.id: row for row in new}
        for id, row in changed.items():
            if (fresh := by_id.get(id)) is not None:
                acts.changed(fresh, acts.stands(row))
        self._told = [(row, kind, reason) for row, kind, reason in self._told if row.id not in by_id]

    def _sent(self) -> list[Act]:
        done: list[Act] = []
        for e in self.batch.sent:
            act = self.ordered.get((e.tenant, e.data.message))
            if act is not None:
                done.append(act)  # its time is ours: WhatsApp's has only seconds, and two of them may lie within one
        return done

    def _failures(self) -> list[tuple[Act, str]]:
        found = []
        for e in self.batch.unsent:
            act = self.ordered.get((e.tenant, e.data.message))
            if act is not None and e.data.outcome != "waiting":
                found.append((act, e.data.reason))
        return found

    def _failed(self) -> list[Act]:
        return [act for act, _ in self._failures()]

    def _ended(self) -> set[acts.Key]:
        ended = {(e.tenant, UUID(int=e.data.message.int)) for e in self.batch.sent}
        ended |= {(e.tenant, UUID(int=e.data.message.int)) for e in self.batch.unsent if e.data.outcome != "waiting"}
        return ended & set(self.ordered)

    def tell(self, audiences: Mapping[ChatId, Audience]) -> list[Envelope[Any]]:
        """Say how messages stand now."""
        return [
            wrap(
                row.tenant,
                _BODIES[kind](**fields(row), failed=reason),  # type: ignore[arg-type]
                audience=audiences.get(row.chat, Audience(device=row.device)),
            )
            for row, kind, reason in self._told
            if not row.history or reason
        ]


def act_of(envelope: Envelope[MessageObserved], chat: ChatId, contact: ContactId | None) -> Act | None:
    """Read what a fact does to another message; None where it does not say to which."""
    fact = envelope.data
    if fact.quoted is None or not fact.quoted.wa_id:
        return None
    return Act(
        tenant=envelope.tenant,
        id=envelope.id,
        device=fact.device,
        chat=chat,
        wa_id=fact.quoted.wa_id,
        kind=fact.kind,  # type: ignore[arg-type]
        from_me=fact.from_me,
        at=fact.at,
        participant="" if fact.from_me or contact is not None else participant(fact.sender, fact.sender_alt),
        sender_name=None if fact.from_me else clean(fact.push_name),
        text=clean(fact.text),
    )
