"""Shapes that the HTTP API, the socket and the webhooks share, field for field."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

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


#: What made a message of ours: a person or a program through the API, the number's own phone, the bot, an automation, a schedule.
Origin = Literal["user", "key", "phone", "bot", "automation", "schedule"]

ChatStatus = Literal["open", "pending", "snoozed", "closed"]


class ChatState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chat stands in the work of the team.

    Attributes:
        id: ``cht_…``
        device_id: ``dev_…``
        contact_id: ``cnt_…``; None in a group.
        name: What it is called; None where nobody has said it.
        snoozed_until: With ``snoozed`` alone, UTC.
        assignee_id: ``usr_…``: who answers it.
        team_id: ``tem_…``: whose queue it is in.
        tags: ``tag_…`` each.
        pinned: By whoever asks; in an event, which is for everybody, always False.
        unread: Messages of the other side since somebody last looked.
        waiting_since: The customer's first message that nobody (a bot is nobody) answered yet, UTC; None while nobody waits.
        first_response_at: When a person first answered since the chat began, or began again after it was closed, UTC.
        revision: Grows by one with each change of this chat: a lower one than the last seen is old news.
    """

    id: str
    device_id: str
    contact_id: str | None
    name: str | None
    status: ChatStatus
    revision: int
    at: datetime
    snoozed_until: datetime | None = None
    assignee_id: str | None = None
    team_id: str | None = None
    tags: tuple[str, ...] = ()
    pinned: bool = False
    unread: int = 0
    waiting_since: datetime | None = None
    first_response_at: datetime | None = None


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be sent later.

    Attributes:
        id: ``sch_…``
        author_id: ``usr_…`` or ``key_…``: who wrote it.
        message_id: ``msg_…``: with ``sent``, what became of it.
        reason: With ``failed``: a stable code.
    """

    id: str
    chat_id: str
    author_id: str
    text: str
    send_at: datetime
    state: Literal["waiting", "sent", "cancelled", "failed"]
    quoted_id: str | None = None
    message_id: str | None = None
    reason: str | None = None


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
        origin: What made a message of ours; None for a customer's.
        at: When WhatsApp (or, while queued, Clarin) says it was sent, UTC.
        reason: With ``failed`` and ``unknown``: a stable code.
        resend_of: ``msg_…``: the message that failed, in whose place this one was sent.
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
    origin: Origin | None = None
    text: str | None = None
    sender_name: str | None = None
    media: MediaView | None = None
    quoted_id: str | None = None
    reason: str | None = None
    resend_of: str | None = None
