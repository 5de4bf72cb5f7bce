"""What the device-worker tells.

`DeviceChanged` and `DeviceDeleted` are public. The rest is raw material for conversations, which stores it and tells
the world after its commit.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from contracts import ids
from contracts.envelope import Body, event
from contracts.ids import DeviceId, MessageId
from contracts.principal import Actor
from contracts.whatsapp import Address, ContactCard, Location, Media, MessageKind, Quoted, Raw, ReceiptStatus


class DeviceState(StrEnum):
    """Where a number's session stands."""

    NEW = "new"
    PAIRING = "pairing"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOGGED_OUT = "logged_out"
    BANNED = "banned"
    REPLACED = "replaced"
    FAILED = "failed"


@event("devices.device.changed", 1, public=True, frame="device_status", webhook="device.status")
class DeviceChanged(Body, frozen=True, kw_only=True):
    """A number is new, has another name, or its session stands elsewhere.

    Attributes:
        id: ``dev_…``
        reason: A stable code of why it stands there, such as ``qr-expired``; None where nothing needs saying.
        action: A stable code of what the user should do, such as ``scan-again``; None where nothing helps or is needed.
        phone: Digits of the number that is linked; None before the first pairing.
        until: End of a temporary ban.
        revision: Grows by one with each change of this device: a lower one than the last seen is old news.
    """

    id: str
    name: str
    state: DeviceState
    revision: int
    at: datetime
    reason: str | None = None
    action: str | None = None
    phone: str | None = None
    lid: str | None = None
    until: datetime | None = None


@event("devices.device.deleted", 1, public=True, frame="device_deleted", webhook="device.deleted")
class DeviceDeleted(Body, frozen=True, kw_only=True):
    """A number is gone from the account; its chats stay."""

    id: str


@event("devices.device.ordered", 1)
class DeviceOrdered(Body, frozen=True, kw_only=True):
    """Somebody wants something of a number; what becomes of it, `DeviceChanged` and `DeviceDeleted` tell.

    Attributes:
        id: ``dev_…``
        order: Such as ``add``, ``rename``, ``connect``, ``disconnect``, ``logout``, ``delete``.
    """

    id: str
    name: str
    order: str
    actor: Actor


@event("devices.sending.paused", 1, public=True, frame="sending_paused", webhook="device.sending_paused")
class SendingPaused(Body, frozen=True, kw_only=True):
    """Nothing of a number is sent for a while; what is ordered waits. The end comes by itself.

    Attributes:
        id: ``dev_…``
        reason: ``by-user``, or the code of a ban, such as ``sent-to-too-many-people``.
    """

    id: str
    reason: str
    until: datetime
    at: datetime


@event("devices.sending.resumed", 1, public=True, frame="sending_resumed", webhook="device.sending_resumed")
class SendingResumed(Body, frozen=True, kw_only=True):
    """Somebody has ended the pause of a number before its time."""

    id: str
    at: datetime


@event("devices.message.observed", 1)
class MessageObserved(Body, frozen=True, kw_only=True):
    """WhatsApp showed a message to a session: from a customer, or typed on the owner's own phone.

    Attributes:
        chat: Whose thread it is in: the customer's address or the group's.
        chat_alt: The same person's other address (LID beside phone or phone beside LID), where WhatsApp said it.
        sender: In a group, who wrote; None elsewhere.
        at: When WhatsApp says it was sent, UTC.
        text: The text or the caption.
        push_name: The name that the sender gave himself.
        quoted: What it answers; for a reaction, an edit and a deletion, which carry *text* as their new content, what they are about.
        history: It came with pairing, as old: no unread, no bot, no notice.
        ephemeral: It arrived with WhatsApp's view-once or disappearing mark.
        view_once: It is to be seen once.
        mentions: Who is named in the text.
        raw: What an ``unsupported`` one or a ``poll`` is, as it came.
    """

    device: DeviceId
    chat: Address
    wa_id: str
    from_me: bool
    at: datetime
    kind: MessageKind
    chat_alt: Address | None = None
    sender: Address | None = None
    sender_alt: Address | None = None
    text: str | None = None
    push_name: str | None = None
    quoted: Quoted | None = None
    media: Media | None = None
    history: bool = False
    ephemeral: bool = False
    view_once: bool = False
    location: Location | None = None
    contacts: tuple[ContactCard, ...] = ()
    mentions: tuple[Address, ...] = ()
    raw: Raw | None = None

    def identity(self) -> UUID:
        """Derive the id: a placeholder and its later content are two facts, the same message seen twice is one."""
        phase = "placeholder" if self.kind == "undecryptable" else "content"
        return ids.derived("message", self.device, self.chat, self.sender or "", self.wa_id, self.from_me, phase)


@event("devices.group.observed", 1)
class GroupObserved(Body, frozen=True, kw_only=True):
    """WhatsApp told a session what a group is called.

    Attributes:
        members: How many there are.
    """

    device: DeviceId
    chat: Address
    subject: str
    members: int
    at: datetime


@event("devices.receipt.observed", 1)
class ReceiptObserved(Body, frozen=True, kw_only=True):
    """The other side's phone has (or has shown, or has played) messages of ours.

    ``own``: it is our own phone that has read the chat, so that nothing in it is unread any more.
    """

    device: DeviceId
    chat: Address
    wa_ids: list[str]
    status: ReceiptStatus
    at: datetime
    chat_alt: Address | None = None
    sender: Address | None = None
    own: bool = False

    def identity(self) -> UUID:
        """Derive the id: one per chat, reader, status and messages."""
        return ids.derived("receipt", self.device, self.chat, self.sender or "", self.status, self.own, *sorted(self.wa_ids))


@event("devices.message.sent", 1)
class MessageSent(Body, frozen=True, kw_only=True):
    """WhatsApp took a message that was ordered; it has its id there now."""

    message: MessageId
    device: DeviceId
    chat: Address
    wa_id: str
    at: datetime
    chat_alt: Address | None = None

    def identity(self) -> UUID:
        """Derive the id: a message is sent once."""
        return ids.derived("sent", self.message)


@event("devices.message.unsent", 1)
class MessageUnsent(Body, frozen=True, kw_only=True):
    """A message that was ordered did not go, or nobody knows whether it did.

    Attributes:
        outcome: ``failed`` is final; ``unknown`` is settled by a later receipt or by a person; ``waiting`` tells why it is still here.
        reason: A stable code, such as ``not-on-whatsapp``, ``expired``, ``worker-lost``; of what waits ``new-contacts``, ….
        attempt: Grows with each outcome of the same message.
        until: Of what waits: when it is looked at again, as far as that is known.
    """

    message: MessageId
    device: DeviceId
    outcome: Literal["failed", "unknown", "waiting"]
    reason: str
    at: datetime
    attempt: int = 1
    until: datetime | None = None

    def identity(self) -> UUID:
        """Derive the id: one per attempt and outcome."""
        return ids.derived("unsent", self.message, self.outcome, self.attempt)


@event("devices.message.unreadable", 1)
class MessageUnreadable(Body, frozen=True, kw_only=True):
    """A customer's phone, or another device of theirs, asked for a message of ours again, and nobody could answer: it stays unread there.

    Of people's chats alone: in a group one member who cannot read says nothing about the others, and none of it is told.

    Attributes:
        at: When it was asked for, UTC; another device that asks later tells the same fact.
    """

    device: DeviceId
    chat: Address
    wa_id: str
    at: datetime

    def identity(self) -> UUID:
        """Derive the id: that a message cannot be read is one fact, however often and from how many devices it is asked for."""
        return ids.derived("unreadable", self.device, self.wa_id)


@event("devices.block.settled", 1)
class BlockSettled(Body, frozen=True, kw_only=True):
    """A person is blocked on WhatsApp, or no more, as it was ordered; or it was given up.

    Attributes:
        block: The order's, with its *revision*.
        reason: With ``failed``: a stable code, such as ``not-on-whatsapp``, ``refused``, ``expired``, ``device-not-found``.
    """

    block: UUID
    device: DeviceId
    blocked: bool
    revision: int
    outcome: Literal["done", "failed"]
    at: datetime
    reason: str | None = None

    def identity(self) -> UUID:
        """Derive the id: an order ends once."""
        return ids.derived("block-settled", self.block, self.revision)


@event("devices.block.observed", 1)
class BlockObserved(Body, frozen=True, kw_only=True):
    """Somebody was blocked on the number's own phone (or by another of its sessions), or is no more."""

    device: DeviceId
    address: Address
    blocked: bool
    at: datetime

    def identity(self) -> UUID:
        """Derive the id: the same one twice is one."""
        return ids.derived("block-observed", self.device, self.address, self.blocked, int(self.at.timestamp() * 1000))


@event("devices.block.listed", 1)
class BlocksListed(Body, frozen=True, kw_only=True):
    """This is whom the number blocks on WhatsApp, whoever did it and whenever: told some time after each connection.

    Attributes:
        addresses: Mostly LIDs; of somebody with two addresses one.
        whole: Nobody else is blocked; otherwise the list was too long to be told.
        at: When it was asked for.
    """

    device: DeviceId
    addresses: tuple[Address, ...]
    whole: bool = True
    at: datetime

    def identity(self) -> UUID:
        """Derive the id: a number's list at one time is one fact."""
        return ids.derived("blocks-listed", self.device, int(self.at.timestamp() * 1000))


@event("devices.history.advanced", 1, public=True, frame="device_history", webhook="device.history")
class HistoryAdvanced(Body, frozen=True, kw_only=True):
    """A part of the old messages that come with pairing is here.

    Attributes:
        id: ``dev_…``
        progress: Percent of the whole, as WhatsApp says it; None where it does not.
        chats: In this part; with *messages*.
    """

    id: str
    at: datetime
    chats: int
    messages: int
    progress: int | None = None


@event("devices.media.stored", 1)
class MediaStored(Body, frozen=True, kw_only=True):
    """A file that belongs to a message is in the object store.

    Attributes:
        object: Its key there.
        mime: As its bytes say; ``application/octet-stream`` where they say nothing.
        sha256: Hexadecimal, of what was written.
    """

    media: UUID
    device: DeviceId
    object: str
    mime: str
    size: int
    sha256: str
    attempt: int = 1

    def identity(self) -> UUID:
        """Derive the id: one per attempt."""
        return ids.derived("media-stored", self.media, self.attempt)


@event("devices.media.failed", 1)
class MediaFailed(Body, frozen=True, kw_only=True):
    """A file could not be fetched.

    Attributes:
        reason: A stable code: ``media-expired`` (WhatsApp has it no more), ``media-too-large``, ``media-corrupt``, ``media-unreachable``.
    """

    media: UUID
    device: DeviceId
    reason: str
    attempt: int = 1

    def identity(self) -> UUID:
        """Derive the id: one per attempt."""
        return ids.derived("media-failed", self.media, self.attempt)
