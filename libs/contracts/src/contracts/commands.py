"""Every order that one service gives another."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.envelope import Body, command
from contracts.ids import ChatId, DeviceId, MessageId, UserId
from contracts.views import ChatStatus
from contracts.whatsapp import Address, ContactCard, Location, Media, MediaSource, MessageKind, Quoted


@command("devices.send_message", 1)
class SendMessage(Body, frozen=True, kw_only=True):
    """Send this over that number, once, after what was ordered before it for the same number.

    The envelope's id is derived from the message, so that a repeat is the same order.

    Attributes:
        to: The chat's address: phone, LID or group.
        quoted: What it answers; for a reaction (*text* is the emoji, empty takes it back), an edit (*text* is the new one) and a
            deletion, what they are about.
        expires_at: Not sent by then, it fails with ``expired``.
    """

    message: MessageId
    device: DeviceId
    to: Address
    kind: MessageKind
    expires_at: datetime
    text: str | None = None
    media: Media | None = None
    quoted: Quoted | None = None
    location: Location | None = None
    contacts: tuple[ContactCard, ...] = ()


@command("devices.mark_read", 1)
class MarkRead(Body, frozen=True, kw_only=True):
    """Show the other side that these messages have been read (blue ticks)."""

    device: DeviceId
    chat: Address
    wa_ids: list[str]
    at: datetime
    sender: Address | None = None


@command("devices.fetch_media", 1)
class FetchMedia(Body, frozen=True, kw_only=True):
    """Fetch a file from WhatsApp's media hosts into the object store, and tell how it ended (`MediaStored`, `MediaFailed`).

    The envelope's id is derived from (media, attempt), so that a repeat is the same order.

    Attributes:
        kind: The message's: the keys of a file depend on it.
        size: What the sender says; it is checked.
    """

    media: UUID
    device: DeviceId
    kind: MessageKind
    source: MediaSource
    size: int
    attempt: int = 1


@command("devices.erase_person", 1)
class ErasePerson(Body, frozen=True, kw_only=True):
    """Keep nothing more of this person: what waits to be sent, what WhatsApp's library knows; then tell (`DevicesErased`).

    An order and no fact, because it says who it is: the work queue forgets it when it is done.

    Attributes:
        erasure: The erasure's id; the envelope's id is derived from it.
    """

    erasure: UUID
    addresses: tuple[Address, ...]


@command("devices.block_person", 1)
class BlockPerson(Body, frozen=True, kw_only=True):
    """Block this person on WhatsApp over that number, or do so no more; then tell how it ended (`BlockSettled`).

    The envelope's id is derived from (block, revision), so that a repeat is the same order.

    Attributes:
        block: The person on that number; of its orders the one with the highest *revision* counts.
        addresses: All by which the person is known; an order for several means each of them.
    """

    block: UUID
    device: DeviceId
    addresses: tuple[Address, ...]
    blocked: bool
    revision: int


@command("conversations.write_message", 1)
class WriteMessage(Body, frozen=True, kw_only=True):
    """Write this into the chat and send it, as the bot or an automation.

    The envelope's id is derived from (causing event, rule), so that a repeat is the same order; the message's id is derived from it.

    Attributes:
        media: The id of an uploaded file (``POST /api/media``).
        not_after: Too late, it is dropped; nobody is told.
        unless_answered_since: Dropped when a person (from the panel, a program or the number's own phone) has written in the
            chat after this time: the bot does not talk over the human.
    """

    chat: ChatId
    origin: Literal["bot", "automation"]
    text: str | None = None
    media: UUID | None = None
    not_after: datetime | None = None
    unless_answered_since: datetime | None = None


@command("conversations.change_chat", 1)
class ChangeChat(Body, frozen=True, kw_only=True):
    """Change where a chat stands, by a rule; what is left out stays as it is.

    Attributes:
        assignee: Ignored where the user is not active or does not see the chat.
        hand_over: Ask the assigner for a person (of *team*, where one is given).
        add_tags: By id; one that is not known is ignored.
        note: An internal note.
    """

    chat: ChatId
    origin: Literal["bot", "automation"]
    status: ChatStatus | None = None
    assignee: UserId | None = None
    team: UUID | None = None
    hand_over: bool = False
    add_tags: tuple[UUID, ...] = ()
    remove_tags: tuple[UUID, ...] = ()
    note: str | None = None
