"""Shapes that the HTTP API, the socket and the webhooks share, field for field."""

from datetime import datetime
from enum import StrEnum

import msgspec

from contracts.whatsapp import MessageKind


class MessageStatus(StrEnum):
    """How far a message of ours came; it only moves forward. ``received`` is the one status of a customer's message."""

    RECEIVED = "received"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"
    UNKNOWN = "unknown"


class MediaView(msgspec.Struct, frozen=True, kw_only=True):
    """A file that belongs to a message."""

    mime: str
    size: int
    file_name: str | None = None
    url: str | None = None
    state: str = "pending"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a chat.

    Attributes:
        id: ``msg_…``
        chat_id: ``cht_…``
        device_id: ``dev_…``: the number that it came to or goes out from.
        contact_id: ``cnt_…``: the chat's other side; None in a group.
        author_id: ``usr_…`` or, of an API key, ``key_…``: who wrote it here; None for a customer's and for one typed on the phone.
        at: When WhatsApp (or, while queued, Clarin) says it was sent, UTC.
        reason: With ``failed`` and ``unknown``: a stable code.
    """

    id: str
    chat_id: str
    device_id: str
    from_me: bool
    kind: MessageKind
    status: MessageStatus
    at: datetime
    contact_id: str | None = None
    author_id: str | None = None
    text: str | None = None
    sender_name: str | None = None
    media: MediaView | None = None
    quoted_id: str | None = None
    reason: str | None = None
