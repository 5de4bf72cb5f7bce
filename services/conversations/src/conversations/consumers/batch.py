"""A batch of mixed facts, sorted by kind and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.devices import (
    BlockObserved,
    BlockSettled,
    BlocksListed,
    DeviceChanged,
    DeviceDeleted,
    GroupObserved,
    MessageObserved,
    MessageSent,
    MessageUnreadable,
    MessageUnsent,
    ReceiptObserved,
)
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address

from conversations.consumers import metrics
from conversations.domain.errors import FactUnusable
from conversations.domain.identities import IGNORED, PERSONAL, Alias, alias

LONGEST_KEY = 500
"""Characters of a WhatsApp id or address; those of WhatsApp have up to 40, and an index takes no more than 2,700 bytes."""


@dataclass(slots=True)
class Batch:
    """The facts of one batch, each kind in stream order.

    Attributes:
        people: Groups of addresses that are one person's and make a contact.
        hints: Groups that teach something only about somebody who is known.
    """

    tenants: set[TenantId] = field(default_factory=set)
    observed: list[Envelope[MessageObserved]] = field(default_factory=list)
    groups: list[Envelope[GroupObserved]] = field(default_factory=list)
    receipts: list[Envelope[ReceiptObserved]] = field(default_factory=list)
    unreadable: list[Envelope[MessageUnreadable]] = field(default_factory=list)
    sent: list[Envelope[MessageSent]] = field(default_factory=list)
    unsent: list[Envelope[MessageUnsent]] = field(default_factory=list)
    changed: list[Envelope[DeviceChanged]] = field(default_factory=list)
    deleted: list[tuple[TenantId, DeviceId]] = field(default_factory=list)
    settled: list[tuple[TenantId, BlockSettled]] = field(default_factory=list)
    blocks: list[tuple[TenantId, BlockObserved | BlocksListed]] = field(default_factory=list)
    people: dict[tuple[Alias, ...], None] = field(default_factory=dict)
    hints: dict[tuple[Alias, ...], None] = field(default_factory=dict)

    @classmethod
    def of(cls, envelopes: Sequence[Envelope[Any]]) -> Self:
        """Sort them.  Raises: FactUnusable: one lacks what it is about."""
        batch = cls()
        for envelope in envelopes:
            batch._add(envelope)
        return batch

    def addresses(self) -> set[Alias]:
        """Give every person's address that a message or a tick is about."""
        found = {one for group in (*self.people, *self.hints) for one in group}
        for envelope in self.observed:
            found |= set(_persons(envelope))
        return found

    def forget(self, erased: Mapping[Alias, datetime]) -> None:
        """What was said by or to somebody before they were erased did not happen: it came late, again, or with another pairing."""
        if not erased:
            return
        self.observed = [one for one in self.observed if not _is_erased(erased, one.data.at, _persons(one))]
        self.receipts = [one for one in self.receipts if not _is_erased(erased, one.data.at, _persons(one))]
        self.unreadable = [one for one in self.unreadable if not _is_erased(erased, one.data.at, _persons(one))]
        self.people = {}
        for one in self.observed:
            fact = one.data
            if fact.chat.kind in PERSONAL:
                self.people[_group(one.tenant, fact.chat, fact.chat_alt)] = None
            elif not fact.from_me and fact.sender is not None and fact.sender.kind in PERSONAL:
                self.people[_group(one.tenant, fact.sender, fact.sender_alt)] = None

    def _add(self, envelope: Envelope[Any]) -> None:
        self.tenants.add(envelope.tenant)
        match envelope.data:
            case MessageObserved() as fact:
                _check(fact.at, fact.wa_id, fact.chat, fact.chat_alt, fact.sender, fact.sender_alt)
                if fact.chat.kind in IGNORED:
                    metrics.IGNORED.labels("broadcast").inc()
                    return
                self.observed.append(envelope)
                if fact.chat.kind in PERSONAL:
                    self.people[_group(envelope.tenant, fact.chat, fact.chat_alt)] = None
                elif not fact.from_me and fact.sender is not None and fact.sender.kind in PERSONAL:
                    self.people[_group(envelope.tenant, fact.sender, fact.sender_alt)] = None
            case GroupObserved() as fact:
                _check(fact.at, "-", fact.chat)
                self.groups.append(envelope)
            case ReceiptObserved() as fact:
                for wa_id in fact.wa_ids or ("-",):
                    _check(fact.at, wa_id, fact.chat, fact.chat_alt)
                if fact.chat.kind in IGNORED:
                    metrics.IGNORED.labels("broadcast").inc()
                    return
                self.receipts.append(envelope)
                if fact.chat.kind in PERSONAL:
                    self.hints[_group(envelope.tenant, fact.chat, fact.chat_alt)] = None
            case MessageUnreadable() as fact:
                _check(fact.at, fact.wa_id, fact.chat)
                if fact.chat.kind not in PERSONAL:
                    metrics.IGNORED.labels("group").inc()
                    return
                self.unreadable.append(envelope)
                self.hints[_group(envelope.tenant, fact.chat, None)] = None
            case MessageSent() as fact:
                _check(fact.at, fact.wa_id, fact.chat, fact.chat_alt)
                self.sent.append(envelope)
                if fact.chat.kind in PERSONAL:
                    self.hints[_group(envelope.tenant, fact.chat, fact.chat_alt)] = None
            case MessageUnsent() as fact:
                _check(fact.at, "-", None)
                self.unsent.append(envelope)
            case DeviceChanged() as fact:
                _device(fact.id)
                self.changed.append(envelope)
            case DeviceDeleted() as fact:
                self.deleted.append((envelope.tenant, _device(fact.id)))
            case BlockSettled() as fact:
                _check(fact.at, "-")
                self.settled.append((envelope.tenant, fact))
            case BlockObserved() as fact:
                _check(fact.at, "-", fact.address)
                self.blocks.append((envelope.tenant, fact))
            case BlocksListed() as fact:
                for address in fact.addresses:
                    _check(fact.at, "-", address)
                self.blocks.append((envelope.tenant, fact))
            case other:
                raise TypeError(f"Nobody here handles {type(other).__name__}.")


def _group(tenant: TenantId, address: Address, other: Address | None) -> tuple[Alias, ...]:
    first = alias(tenant, address)
    if other is None or other.kind not in PERSONAL or other == address:
        return (first,)
    return first, alias(tenant, other)


def _persons(envelope: Envelope[Any]) -> list[Alias]:
    fact = envelope.data
    some = (fact.chat, *(getattr(fact, name, None) for name in ("chat_alt", "sender", "sender_alt")))
    return [alias(envelope.tenant, one) for one in some if one is not None and one.kind in PERSONAL]


def _is_erased(erased: Mapping[Alias, datetime], at: datetime, persons: Sequence[Alias]) -> bool:
    return any(one in erased and at <= erased[one] for one in persons)


def _device(text: str) -> DeviceId:
    try:
        return DeviceId(ids.parse(ids.DEVICE, text))
    except ValueError as error:
        raise FactUnusable("The device's id cannot be read.") from error


def _check(at: datetime, wa_id: str, *addresses: Address | None) -> None:
    if at.tzinfo is None:
        raise FactUnusable("The time has no zone.")
    if not _is_key(wa_id):
        raise FactUnusable("There is no usable WhatsApp id.")
    for address in addresses:
        if address is not None and not _is_key(address.value):
            raise FactUnusable("There is no usable address.")


def _is_key(text: str) -> bool:
    return 0 < len(text) <= LONGEST_KEY and "\0" not in text
