"""Who is who: the addresses of one person lead to one contact, whichever came first.

WhatsApp names a person by phone (``pn``), by LID or by username. Where it says two names in one breath they are the
same person's; nothing else makes two addresses one, and a LID never becomes a phone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from contracts.ids import ChatId, ContactId, TenantId
from contracts.whatsapp import Address

Alias = tuple[TenantId, str, str]
"""A person's address within a tenant: kind and value."""

PERSONAL = frozenset({"pn", "lid", "username"})
"""The kinds of address that mean one person."""

IGNORED = frozenset({"status", "channel"})
"""Broadcasts: no conversation takes place there."""


def alias(tenant: TenantId, address: Address) -> Alias:
    """Give the alias that *address* is."""
    return tenant, address.kind, address.value


def participant(sender: Address | None, sender_alt: Address | None) -> str:
    """Name who wrote in a group so that both of a person's addresses give one name: by LID where WhatsApp said it."""
    if sender is None:
        return ""
    if sender_alt is not None and sender_alt.kind == "lid" and sender.kind != "lid":
        return str(sender_alt)
    return str(sender)


def address_of(participant: str) -> Address | None:
    """Read back the address that `participant` wrote."""
    kind, _, value = participant.partition(":")
    return Address(kind, value) if value else None  # type: ignore[arg-type]  # written by `participant` from an Address


@dataclass(frozen=True, slots=True)
class Merge:
    """Two contacts turned out to be one: *loser* lives on as *survivor*, the older of both."""

    tenant: TenantId
    survivor: ContactId
    loser: ContactId


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be written so that every group of addresses leads to one contact.

    Attributes:
        contacts: The contact of each alias once the plan is carried out.
        created: New contacts, each with the phone among its addresses, if one is known.
        learned: Aliases to write, with their contact.
        merges: Contacts to merge; no survivor is the loser of another merge.
        became: Once the plan is carried out: which chats are no more, each with the one that it is now.
    """

    contacts: dict[Alias, ContactId] = field(default_factory=dict)
    created: dict[ContactId, tuple[TenantId, str | None]] = field(default_factory=dict)
    learned: dict[Alias, ContactId] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)
    became: dict[tuple[TenantId, ChatId], ChatId] = field(default_factory=dict)

    def absorb(self, tenant: TenantId, became: Mapping[ChatId, ChatId]) -> None:
        """These chats became others, also those that others had become before."""
        for old, new in became.items():
            for key, stands in self.became.items():
                if stands == old:
                    self.became[key] = new
            self.became[tenant, old] = new

    @property
    def stands(self) -> set[tuple[TenantId, ChatId]]:
        """Name the chats that others became."""
        return {(tenant, new) for (tenant, _), new in self.became.items()}


def settled(groups: Iterable[tuple[Alias, ...]], known: Mapping[Alias, ContactId]) -> bool:
    """Tell whether every group leads to one known contact already, so that nothing needs writing."""
    for group in groups:
        first = known.get(group[0])
        if first is None or any(known.get(other) != first for other in group[1:]):
            return False
    return True


def plan(groups: Iterable[tuple[Alias, ...]], known: Mapping[Alias, ContactId], *, fresh: Iterable[UUID]) -> Plan:
    """Join *groups* (addresses that WhatsApp said are one person's) with what is *known*.

    The survivor is the contact with the lowest id, which is the oldest (UUIDv7): the same in every process.

    Args:
        fresh: Where the ids of new contacts come from.
    """
    leader: dict[Alias | ContactId, Alias | ContactId] = {}

    def find(node: Alias | ContactId) -> Alias | ContactId:
        leader.setdefault(node, node)
        while leader[node] != node:
            leader[node] = node = leader[leader[node]]
        return node

    aliases: dict[Alias, None] = {}
    for group in groups:
        for one in group:
            aliases[one] = None
            leader[find(one)] = find(group[0])
            if one in known:
                leader[find(known[one])] = find(one)

    members: dict[Alias | ContactId, list[Alias]] = {}
    for one in aliases:
        members.setdefault(find(one), []).append(one)

    made = Plan()
    ids = iter(fresh)
    for group_members in members.values():
        tenant = group_members[0][0]
        contacts = sorted({known[one] for one in group_members if one in known})
        if contacts:
            survivor = contacts[0]
            made.merges.extend(Merge(tenant, survivor, loser) for loser in contacts[1:])
        else:
            survivor = ContactId(next(ids))
            made.created[survivor] = tenant, next((value for _, kind, value in group_members if kind == "pn"), None)
        for one in group_members:
            made.contacts[one] = survivor
            if one not in known:
                made.learned[one] = survivor
    return made
