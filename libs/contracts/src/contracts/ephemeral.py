"""What may be lost: sent over core NATS, with no sequence, never in a webhook."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from contracts.ids import DeviceId
from contracts.whatsapp import Address


class Ephemeral(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an ephemeral; *service* and *what* make its subject, *frame* is what a socket gets (empty: it is between services)."""

    service: ClassVar[str]
    what: ClassVar[str]
    frame: ClassVar[str]


class QrShown(Ephemeral, frozen=True, kw_only=True):
    """A QR to scan, valid until *expires_at*; *qr* is the raw text."""

    service = "devices"
    what = "qr"
    frame = "qr_code"

    device_id: str
    qr: str
    expires_at: datetime


class Typing(Ephemeral, frozen=True, kw_only=True):
    """A customer writes, records, or has stopped (``state``: composing, recording, paused).

    Attributes:
        device_id: ``dev_…``: where it does not say, only who sees every number hears it.
    """

    service = "conversations"
    what = "typing"
    frame = "typing"

    chat_id: str
    state: str
    device_id: str | None = None


class AgentTyping(Ephemeral, frozen=True, kw_only=True):
    """A user of the account writes to a customer, or has stopped (``state``: composing, paused).

    Attributes:
        user_id: ``usr_…``
    """

    service = "realtime"
    what = "typing"
    frame = "agent_typing"

    chat_id: str
    user_id: str
    state: str


class TypingObserved(Ephemeral, frozen=True, kw_only=True):
    """WhatsApp showed a session that somebody writes, records, or has stopped; *chat* is the customer's address."""

    service = "devices"
    what = "typing"
    frame = ""

    device: DeviceId
    chat: Address
    state: Literal["composing", "recording", "paused"]


class ChatAttended(Ephemeral, frozen=True, kw_only=True):
    """An agent has a chat open, said again every half minute, or writes in it, or has stopped (``state``).

    Attributes:
        address: Whom the chat is with.
    """

    service = "conversations"
    what = "attended"
    frame = ""

    device: DeviceId
    address: Address
    state: Literal["open", "composing", "paused"] = "open"


EVERY: tuple[type[Ephemeral], ...] = (QrShown, Typing, AgentTyping, TypingObserved, ChatAttended)
