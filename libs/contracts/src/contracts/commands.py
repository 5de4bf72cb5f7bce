"""Every order that one service gives another."""

from datetime import datetime

from contracts.envelope import Body, command
from contracts.ids import DeviceId, MessageId
from contracts.whatsapp import Address, Media, MessageKind, Quoted


@command("devices.send_message", 1)
class SendMessage(Body, frozen=True, kw_only=True):
    """Send this over that number, once, after what was ordered before it for the same number.

    The envelope's id is derived from the message, so that a repeat is the same order.

    Attributes:
        to: The chat's address: phone, LID or group.
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


@command("devices.mark_read", 1)
class MarkRead(Body, frozen=True, kw_only=True):
    """Show the other side that these messages have been read (blue ticks)."""

    device: DeviceId
    chat: Address
    wa_ids: list[str]
    at: datetime
    sender: Address | None = None
