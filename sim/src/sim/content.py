"""Messages as phones show them: a protobuf in, its kind, text and file out; and the protobufs that phones write."""

from __future__ import annotations

import time
from typing import Any

from msgspec import Struct, field

from sim.media import Uploaded
from sim.proto import common, e2e

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
        quoted: The message that this one answers.
        facts: What else the phone shows: a place's coordinates, a card, seconds, sizes, whether it is to be seen once.
    """

    kind: str
    text: str = ""
    file: File | None = None
    about: str = ""
    quoted: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


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
    once = any(message.HasField(name) for name in ("viewOnceMessage", "viewOnceMessageV2"))
    message = unwrap(message)
    shown = _show(message)
    for _, part in message.ListFields():
        context = getattr(part, "contextInfo", None)
        if context is not None and context.stanzaID:
            shown.quoted = context.stanzaID
    if once:
        shown.facts["view_once"] = True
    return shown


def _show(message: Any) -> Shown:
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
        facts = {"latitude": place.degreesLatitude, "longitude": place.degreesLongitude, "name": place.name, "address": place.address}
        return Shown("location", f"{place.degreesLatitude},{place.degreesLongitude}", facts=facts)
    if message.HasField("contactMessage"):
        return Shown("contact", message.contactMessage.displayName, facts={"vcards": [message.contactMessage.vcard]})
    if message.HasField("contactsArrayMessage"):
        cards = message.contactsArrayMessage.contacts
        return Shown("contact", "\n".join(c.displayName for c in cards), facts={"vcards": [c.vcard for c in cards]})
    poll = next((name for name in ("pollCreationMessage", "pollCreationMessageV3") if message.HasField(name)), None)
    if poll:
        asked = getattr(message, poll)
        return Shown("poll", asked.name, facts={"options": [option.optionName for option in asked.options]})
    if message.HasField("protocolMessage"):
        return _protocol(message.protocolMessage)
    return Shown("other")


def _media(part: Any, kind: str) -> Shown:
    if kind == "audio" and part.PTT:
        kind = "voice"
    name = part.fileName if kind == "document" else ""
    caption = "" if kind in ("audio", "voice", "sticker") else part.caption
    file = File(part.mimetype, part.fileLength, part.fileSHA256.hex(), part.directPath, part.mediaKey, name)
    facts: dict[str, Any] = {name: value for name in ("seconds", "width", "height") if (value := getattr(part, name, 0))}
    if levels := getattr(part, "waveform", b""):
        facts["waveform"] = list(levels)
    return Shown(kind, caption, file, facts=facts)


def _protocol(part: Any) -> Shown:
    if part.type == e2e.ProtocolMessage.REVOKE:
        return Shown("revoke", about=part.key.ID)
    if part.type == e2e.ProtocolMessage.MESSAGE_EDIT:
        return Shown("edit", show(part.editedMessage).text, about=part.key.ID)
    return Shown("protocol")


def text(body: str, context: Any = None) -> Any:
    """A message of text."""
    if context is None:
        return Message(conversation=body)
    return Message(extendedTextMessage=e2e.ExtendedTextMessage(text=body, contextInfo=context))


def answering(id: str, sender: str, said: Any) -> Any:
    """The context of a message that answers the message *id* of the JID *sender*, which said *said*."""
    return e2e.ContextInfo(stanzaID=id, participant=sender, quotedMessage=said)


def location(latitude: float, longitude: float, name: str, address: str) -> Any:
    """A message with a place."""
    return Message(locationMessage=e2e.LocationMessage(degreesLatitude=latitude, degreesLongitude=longitude, name=name, address=address))


def contact(name: str, phone: str) -> Any:
    """A message with a card."""
    card = f"BEGIN:VCARD\nVERSION:3.0\nN:;{name};;;\nFN:{name}\nTEL;type=CELL;waid={phone}:+{phone}\nEND:VCARD"
    return Message(contactMessage=e2e.ContactMessage(displayName=name, vcard=card))


def poll(name: str, options: list[str]) -> Any:
    """A message with a poll."""
    listed = [e2e.PollCreationMessage.Option(optionName=option) for option in options]
    return Message(pollCreationMessageV3=e2e.PollCreationMessage(name=name, options=listed, selectableOptionsCount=1))


def unknown(name: str) -> Any:
    """A message of a kind that few clients know: an event in a calendar."""
    return Message(eventMessage=e2e.EventMessage(name=name))


def view_once(message: Any) -> Any:
    """The same message, to be seen once."""
    return Message(viewOnceMessageV2=e2e.FutureProofMessage(message=message))


def reaction(key: Any, emoji: str) -> Any:
    """An emoji on the message of *key*; empty takes it back."""
    return Message(reactionMessage=e2e.ReactionMessage(key=key, text=emoji, senderTimestampMS=int(time.time() * 1000)))


def edit(key: Any, body: str) -> Any:
    """Another text for the message of *key*."""
    change = e2e.ProtocolMessage(
        key=key, type=e2e.ProtocolMessage.MESSAGE_EDIT, editedMessage=text(body), timestampMS=int(time.time() * 1000)
    )
    return Message(editedMessage=e2e.FutureProofMessage(message=Message(protocolMessage=change)))


def revocation(key: Any) -> Any:
    """The message of *key* is taken back."""
    return Message(protocolMessage=e2e.ProtocolMessage(key=key, type=e2e.ProtocolMessage.REVOKE))


def key_of(id: str, chat: str, *, from_me: bool) -> Any:
    """How a message is named: its chat's JID, and whether who names it wrote it."""
    return common.MessageKey(remoteJID=chat, fromMe=from_me, ID=id)


def media(kind: str, uploaded: Uploaded, *, mime: str, caption: str, file_name: str, seconds: int = 0) -> Any:
    """A message of that *kind* (one of MEDIA_KINDS) for a file on the hosts."""
    fields = uploaded.fields()
    if kind == "image":
        return Message(imageMessage=e2e.ImageMessage(mimetype=mime, caption=caption, **fields))
    if kind == "video":
        return Message(videoMessage=e2e.VideoMessage(mimetype=mime, caption=caption, **fields))
    if kind in ("audio", "voice"):
        return Message(audioMessage=e2e.AudioMessage(mimetype=mime, PTT=kind == "voice", seconds=seconds, **fields))
    if kind == "sticker":
        return Message(stickerMessage=e2e.StickerMessage(mimetype=mime, **fields))
    return Message(documentMessage=e2e.DocumentMessage(mimetype=mime, caption=caption, fileName=file_name, title=file_name, **fields))


def from_own_phone(message: Any, chat: str) -> Any:
    """The copy that one's own devices get of what was written to *chat*."""
    return Message(deviceSentMessage=e2e.DeviceSentMessage(destinationJID=chat, message=message))
