"""What the conversations service tells, after its commit. Public: a frame's data and a webhook's are these bodies as they are."""

from datetime import datetime

from contracts.envelope import Body, event
from contracts.views import Message, MessageStatus


@event("conversations.message.received", 1, public=True, frame="new_message", webhook="message.received")
class MessageReceived(Message, Body, frozen=True, kw_only=True):
    """A message is in a chat that WhatsApp brought: a customer's, or one typed on the number's own phone (``from_me``)."""


@event("conversations.message.queued", 1, public=True, frame="message_queued", webhook="message.queued")
class MessageQueued(Message, Body, frozen=True, kw_only=True):
    """A message was written here and waits to be sent."""


@event("conversations.message.replaced", 1, public=True, frame="message_replaced", webhook="message.replaced")
class MessageReplaced(Message, Body, frozen=True, kw_only=True):
    """A placeholder that could not be decrypted has its content now."""


@event("conversations.message.confirmed", 1, public=True, frame="message_sent", webhook="message.sent")
class MessageConfirmed(Message, Body, frozen=True, kw_only=True):
    """WhatsApp took a message of ours: one tick.

    Attributes:
        replaces: ``msg_…``: the copy of it that came from WhatsApp first and was shown until now; this message stands in its place.
    """

    replaces: str | None = None


@event("conversations.message.advanced", 1, public=True, frame="message_status", webhook="message.ack")
class MessageAdvanced(Body, frozen=True, kw_only=True):
    """A message's status moved: delivered, read, played, failed, unknown.

    Attributes:
        reason: With ``failed`` and ``unknown``: a stable code.
    """

    id: str
    chat_id: str
    device_id: str
    status: MessageStatus
    at: datetime
    reason: str | None = None


@event("conversations.chat.read", 1, public=True, frame="chat_read", webhook="chat.read")
class ChatRead(Body, frozen=True, kw_only=True):
    """Nothing in the chat up to *at* is unread any more."""

    id: str
    unread: int
    at: datetime


@event("conversations.contact.created", 1, public=True, frame="contact_created", webhook="contact.created")
class ContactCreated(Body, frozen=True, kw_only=True):
    """Somebody is known now."""

    id: str
    name: str | None
    phone: str | None


@event("conversations.contact.changed", 1, public=True, frame="contact_changed", webhook="contact.changed")
class ContactChanged(Body, frozen=True, kw_only=True):
    """A contact has another name or one more address; *merged* names the contact that it now stands for as well."""

    id: str
    name: str | None
    phone: str | None
    merged: str | None = None
