"""The JSON that the routes answer with, and what every handler is given."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from contracts import ids
from contracts.principal import Actor, Principal
from contracts.views import ChatStatus, ContactBlock, Message
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import state

from conversations.settings import ConversationsSettings
from conversations.store.messages import view
from conversations.store.reading import ChatRow, ContactRow

Db = Annotated[Database, state("db")]
OnBus = Annotated[Bus, state("bus")]
Settings = Annotated[ConversationsSettings, state("settings")]
#: What everybody sees of the account, not the caller alone.
Sights = Annotated[Verifier, state("verifier")]


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
        state_id: ``cst_…``: where the account sees it, such as *customer*.
        tags: ``tag_…`` each.
        fields: The account's own, by key.
        blocked: Nothing is sent to it, and what it writes is kept without a word to anybody.
        blocks: How that stands on WhatsApp itself, number by number; in a list of contacts nothing is said of it.
    """

    id: str
    name: str | None
    phone: str | None
    created_at: datetime
    state_id: str | None = None
    tags: tuple[str, ...] = ()
    fields: Mapping[str, str | float | bool] = {}
    email: str | None = None
    blocked: bool = False
    blocks: tuple[ContactBlock, ...] = ()


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """One contact's (or group's) thread on one number.

    Attributes:
        contact: None in a group.
        group: The group's WhatsApp id; None elsewhere.
        unread: Messages of the other side since somebody last looked.
        unread_mine: Messages of the other side since the caller last looked, up to 100; who never did has `unread`.
        snoozed_until: With ``snoozed`` alone, UTC.
        assignee_id: ``usr_…``: who answers it.
        team_id: ``tem_…``: whose queue it is in.
        tags: ``tag_…`` each.
        pinned: By the caller.
        marked_unread: The caller wants to come back to it; reading it takes the mark away.
        waiting_since: The customer's first message that nobody (a bot is nobody) answered yet, UTC.
        first_response_at: When a person first answered since the chat began, or began again after it was closed, UTC.
        revision: Grows by one with each change; give it back with a change, and nobody else's is overwritten.
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
    unread_mine: int
    marked_unread: bool
    status: ChatStatus
    snoozed_until: datetime | None
    assignee_id: str | None
    team_id: str | None
    tags: tuple[str, ...]
    pinned: bool
    waiting_since: datetime | None
    first_response_at: datetime | None
    revision: int


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
        unread_mine=row.unread_mine,
        marked_unread=row.marked_unread,
        status=row.standing.status,
        snoozed_until=row.standing.snoozed_until,
        assignee_id=None if row.standing.assignee is None else ids.public(ids.USER, row.standing.assignee),
        team_id=None if row.standing.team is None else ids.public(ids.TEAM, row.standing.team),
        tags=tuple(ids.public(ids.TAG, tag) for tag in row.tags),
        pinned=row.pinned,
        waiting_since=row.standing.waiting_since,
        first_response_at=row.standing.first_response_at,
        revision=row.standing.revision,
    )


def contact(row: ContactRow) -> Contact:
    """Show a contact."""
    return Contact(
        id=ids.public(ids.CONTACT, row.id),
        name=row.name,
        phone=row.phone,
        created_at=row.created_at,
        state_id=None if row.state is None else ids.public(ids.CONTACT_STATE, row.state),
        tags=tuple(ids.public(ids.TAG, tag) for tag in row.tags),
        fields=row.fields,
        email=row.email,
        blocked=row.blocked,
        blocks=row.blocks,
    )


def actor(caller: Principal) -> Actor:
    """Name the caller as who did something."""
    return Actor(id=caller.id, kind=caller.kind)
