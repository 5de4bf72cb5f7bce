"""The JSON that the routes answer with, and what every handler is given."""

from datetime import datetime
from typing import Annotated

import msgspec
from contracts import ids
from contracts.views import Message
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import state

from conversations.settings import ConversationsSettings
from conversations.store.messages import view
from conversations.store.reading import ChatRow, ContactRow

Db = Annotated[Database, state("db")]
OnBus = Annotated[Bus, state("bus")]
Settings = Annotated[ConversationsSettings, state("settings")]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The other side of a chat."""

    id: str
    name: str | None
    phone: str | None


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who wrote, was written to, or was entered.

    Attributes:
        name: As it was entered here, else as he calls himself on WhatsApp.
        phone: Digits with the country code; None while WhatsApp has not said it.
    """

    id: str
    name: str | None
    phone: str | None
    created_at: datetime


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """One contact's (or group's) thread on one number.

    Attributes:
        contact: None in a group.
        group: The group's WhatsApp id; None elsewhere.
        unread: Messages of the other side since somebody last looked.
    """

    id: str
    device_id: str
    contact: Person | None
    group: str | None
    name: str | None
    last_message: Message | None
    last_message_at: datetime
    unread: int
    created_at: datetime


def chat(row: ChatRow) -> Chat:
    """Show a chat."""
    person = None
    if row.contact is not None:
        person = Person(id=ids.public(ids.CONTACT, row.contact), name=row.contact_name, phone=row.phone)
    return Chat(
        id=ids.public(ids.CHAT, row.id),
        device_id=ids.public(ids.DEVICE, row.device),
        contact=person,
        group=row.group,
        name=row.name or row.contact_name,
        last_message=view(row.last) if row.last is not None else None,
        last_message_at=row.last_message_at,
        unread=row.unread,
        created_at=row.created_at,
    )


def contact(row: ContactRow) -> Contact:
    """Show a contact."""
    return Contact(id=ids.public(ids.CONTACT, row.id), name=row.name, phone=row.phone, created_at=row.created_at)
