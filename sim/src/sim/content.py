"""Messages as phones show them: a protobuf in, its kind, text and file out; and the protobufs that phones write."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sim.media import Uploaded
from sim.proto import e2e

Message = e2e.Message
MEDIA_KINDS = ("image", "video", "audio", "voice", "document", "sticker")
_WRAPPERS = ("documentWithCaptionMessage", "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "editedMessage")
_MEDIA_FIELDS = (
    ("imageMessage", "image"),
    ("videoMessage", "video"),
    ("audioMessage", "audio"),
    ("documentMessage", "document"),
    ("stickerMessage", "sticker"),
)


class File(Struct, omit_defaults=True):
    """A message's file.

    Attributes:
        sha256: Hexadecimal, of the plain bytes; of those that were downloaded once *broken* is known.
        broken: Why it could not be downloaded; empty when it could.
    """

    mime: str
    size: int
    sha256: str
    path: str
    key: bytes
    file_name: str = ""
    broken: str = ""


class Shown(Struct):
    """What a phone shows of one message.

    Attributes:
        kind: text, a kind of media, or reaction, location, contact, edit, revoke, other; protocol when a phone shows nothing.
        about: The message that a reaction, an edit or a revocation is about.
    """

    kind: str
    text: str = ""
    file: File | None = None
    about: str = ""


def unwrap(message: Any) -> Any:
    """The message inside those that only wrap another."""
    for _ in range(4):
        wrapper = next((name for name in _WRAPPERS if message.HasField(name)), None)
        if wrapper is None:
            return message
        message = getattr(message, wrapper).message
    return message


def show(message: Any) -> Shown:
    """Read any message."""
    message = unwrap(message)
    if message.conversation:
        return Shown("text", message.conversation)
    if message.HasField("extendedTextMessage"):
        return Shown("text", message.extendedTextMessage.text)
    for name, kind in _MEDIA_FIELDS:
        if message.HasField(name):
            return _media(getattr(message, name), kind)
    if message.HasField("reactionMessage"):
        return Shown("reaction", message.reactionMessage.text, about=message.reactionMessage.key.ID)
    if message.HasField("locationMessage"):
        place = message.locationMessage
        return Shown("location", f"{place.degreesLatitude},{place.degreesLongitude}")
    if message.HasField("contactMessage"):
        return Shown("contact", message.contactMessage.displayName)
    if message.HasField("protocolMessage"):
        return _protocol(message.protocolMessage)
    return Shown("other")


def _media(part: Any, kind: str) -> Shown:
    if kind == "audio" and part.PTT:
        kind = "voice"
    name = part.fileName if kind == "document" else ""
    caption = "" if kind in ("audio", "voice", "sticker") else part.caption
    file = File(part.mimetype, part.fileLength, part.fileSHA256.hex(), part.directPath, part.mediaKey, name)
    return Shown(kind, caption, file)


def _protocol(part: Any) -> Shown:
    if part.type == e2e.ProtocolMessage.REVOKE:
        return Shown("revoke", about=part.key.ID)
    if part.type == e2e.ProtocolMessage.MESSAGE_EDIT:
        return Shown("edit", show(part.editedMessage).text, about=part.key.ID)
    return Shown("protocol")


def text(body: str) -> Any:
    """A message of text."""
    return Message(conversation=body)


def media(kind: str, uploaded: Uploaded, *, mime: str, caption: str, file_name: str) -> Any:
    """A message of that *kind* (one of MEDIA_KINDS) for a file on the hosts."""
    fields = uploaded.fields()
    if kind == "image":
        return Message(imageMessage=e2e.ImageMessage(mimetype=mime, caption=caption, **fields))
    if kind == "video":
        return Message(videoMessage=e2e.VideoMessage(mimetype=mime, caption=caption, **fields))
    if kind in ("audio", "voice"):
        return Message(audioMessage=e2e.AudioMessage(mimetype=mime, PTT=kind == "voice", **fields))
    if kind == "sticker":
        return Message(stickerMessage=e2e.StickerMessage(mimetype=mime, **fields))
    return Message(documentMessage=e2e.DocumentMessage(mimetype=mime, caption=caption, fileName=file_name, title=file_name, **fields))


def from_own_phone(message: Any, chat: str) -> Any:
    """The copy that one's own devices get of what was written to *chat*."""
    return Message(deviceSentMessage=e2e.DeviceSentMessage(destinationJID=chat, message=message))
