"""What is kept, for how long, and what speaks of somebody who is to be erased. Pure, but for the secret that seals addresses."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import msgspec
from contracts import ids
from contracts.hours import zone
from contracts.ids import ChatId, ContactId, MessageId, TenantId
from servicekit import cursors

from conversations.domain.identities import Alias

MOST_DAYS = 36_500

#: The services that do a part of their own, in the order in which a receipt names them.
SERVICES = ("pipeline", "bot", "webhooks", "devices", "auth")
#: What conversations does itself: first its tables; the files after them; the streams when nobody adds anything to them any more.
PARTS = ("conversations", *SERVICES, "files", "events", "dead-letters")

#: How long the stream of events keeps what nobody deletes from it.
STREAM_DAYS = 7

#: Facts that name nobody who can be erased: the account's own numbers and people, and the erasures themselves.
_NEVER = ("evt.devices.device.", "evt.auth.", "evt.conversations.contact.erased.", "evt.webhooks.")


class Dossier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By what somebody is named, while the erasure goes on.

    Attributes:
        addresses: As (kind, value).
        contacts: The contact, and those that it stood for as well.
        chats: Its threads, and those that had become one of them.
        messages: What it wrote in groups of late.
        names: Public ids of other services' things that were its.
    """

    addresses: tuple[tuple[str, str], ...] = ()
    contacts: tuple[UUID, ...] = ()
    chats: tuple[UUID, ...] = ()
    messages: tuple[UUID, ...] = ()
    names: tuple[str, ...] = ()

    def with_names(self, names: Iterable[str]) -> Self:
        """Give it with more names."""
        return msgspec.structs.replace(self, names=tuple(sorted({*self.names, *names})))


class Needles:
    """Finds in an envelope's bytes whether it speaks of somebody: by an id or an address that stands there as a whole text."""

    def __init__(self, tenant: TenantId, dossier: Dossier) -> None:
        named = [
            *(ids.public(ids.CONTACT, id) for id in dossier.contacts),
            *(ids.public(ids.CHAT, id) for id in dossier.chats),
            *(ids.public(ids.MESSAGE, id) for id in dossier.messages),
            *(str(UUID(int=id.int)) for id in (*dossier.contacts, *dossier.chats)),
            *dossier.names,
            *(value for _, value in dossier.addresses),
        ]
        self._tenant = f'"{UUID(int=tenant.int)}"'.encode()
        self._few = [msgspec.json.encode(text) for text in named if not text.startswith(f"{ids.MESSAGE}_")]
        self._many = {text.encode() for text in named if text.startswith(f"{ids.MESSAGE}_")}

    def speaks(self, subject: str, payload: bytes) -> bool:
        """Tell whether what was published on *subject* is about the person; of another account's it never is."""
        if subject.startswith(_NEVER) or ".erasure.done." in subject or self._tenant not in payload:
            return False
        if any(needle in payload for needle in self._few):
            return True
        return bool(self._many) and any(id in self._many for id in _message_ids(payload))


def _message_ids(payload: bytes) -> Iterable[bytes]:
    start = payload.find(b'"msg_')
    while start >= 0:
        yield payload[start + 1 : start + 31]
        start = payload.find(b'"msg_', start + 31)


def sealed(one: Alias) -> bytes:
    """Give what is remembered of an address that was erased: nobody without the installation's secret can tell whose it is."""
    tenant, kind, value = one
    return hashlib.sha256(cursors.encode(tenant, "erased", (kind, value)).encode()).digest()[:16]


def kept_from(now: datetime, days: int, time_zone: str) -> datetime:
    """Give the time from which on everything is kept: the beginning of the day, by the account's clock, *days* before today.

    Whole days go, so that a day's figures and what they were counted from are here together or not at all.
    """
    there = zone(time_zone)
    first = now.astimezone(there).date() - timedelta(days=days)
    return datetime(first.year, first.month, first.day, tzinfo=there)


def public_chats(chats: Sequence[UUID]) -> tuple[str, ...]:
    """Write the ids as the edge shows them."""
    return tuple(ids.public(ids.CHAT, ChatId(chat)) for chat in chats)


def public_contacts(contacts: Sequence[UUID]) -> tuple[str, ...]:
    """Write the ids as the edge shows them."""
    return tuple(ids.public(ids.CONTACT, ContactId(contact)) for contact in contacts)


def public_messages(messages: Sequence[UUID]) -> tuple[str, ...]:
    """Write the ids as the edge shows them."""
    return tuple(ids.public(ids.MESSAGE, MessageId(message)) for message in messages)
