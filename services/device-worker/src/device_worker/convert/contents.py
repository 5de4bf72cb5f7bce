"""What a message of WhatsApp says: its kind, text, file, place, cards, and what it is about."""

import math
import re
from dataclasses import dataclass
from typing import Any

from contracts.whatsapp import Address, ContactCard, Location, Media, MediaSource, MessageKind, Quoted, Raw
from google.protobuf.unknown_fields import UnknownFieldSet

from device_worker.convert.parts import clean, id_of, parse_address
from device_worker.whatsapp.proto import e2e

#: Messages that carry another one. Unwrapped until the content is reached.
_WRAPPERS = (
    "deviceSentMessage",
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "lottieStickerMessage",
    "groupMentionedMessage",
    "botInvokeMessage",
    "associatedChildMessage",
    "editedMessage",
    "pollCreationMessageV4",
)
_VIEW_ONCE = frozenset({"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"})
_DEEPEST = 8

#: Fields that are no content: machinery, or a vote or mark on something else.
_SILENT = frozenset(
    {
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "messageContextInfo",
        "protocolMessage",
        "pollUpdateMessage",
        "encReactionMessage",
        "encCommentMessage",
        "encEventResponseMessage",
        "keepInChatMessage",
        "pinInChatMessage",
        "stickerSyncRmrMessage",
        "messageHistoryBundle",
        "messageHistoryNotice",
        "groupRootKeyShare",
        "rootSecretDistributeMessage",
        "pollResultSnapshotMessage",
        "call",
        "chat",
    }
)

_LARGEST_RAW = 16 << 10
_MOST_CARDS = 50
_MOST_MENTIONS = 100
_QUOTED_TEXT = 200
_PHONE = re.compile(r"^(?:item\d+\.)?TEL[^:\n]*:(.+)$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one message says; its fields are those of `MessageObserved`.

    Attributes:
        moment: Milliseconds since 1970 by the sender's clock: of two reactions within a second it tells which came later.
    """

    kind: MessageKind
    text: str | None = None
    media: Media | None = None
    quoted: Quoted | None = None
    location: Location | None = None
    contacts: tuple[ContactCard, ...] = ()
    mentions: tuple[Address, ...] = ()
    raw: Raw | None = None
    view_once: bool = False
    moment: int = 0

    def fields(self) -> dict[str, Any]:
        """Give them by name."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "moment"}


def content(message: Any) -> Content | None:
    """Tell what a message is; None when it is no message to anybody."""
    view_once = False
    for _ in range(_DEEPEST):
        name = next((name for name in _WRAPPERS if message.HasField(name)), None)
        if name is None:
            break
        view_once = view_once or name in _VIEW_ONCE
        message = getattr(message, name).message
    if message.HasField("protocolMessage"):
        return _protocol(message.protocolMessage)
    if message.HasField("reactionMessage"):
        reaction = message.reactionMessage
        return Content(kind="reaction", text=clean(reaction.text)[:64], quoted=_about(reaction.key), moment=reaction.senderTimestampMS)
    if message.HasField("conversation"):
        return Content(kind="text", text=clean(message.conversation))
    for name, read in _READERS.items():
        if message.HasField(name):
            part = getattr(message, name)
            found: dict[str, Any] = read(part)
            text = found.pop("text", None)
            context = getattr(part, "contextInfo", None)
            return Content(
                text=clean(text) if text else None,
                quoted=_quoted(context),
                mentions=_mentions(context),
                view_once=view_once or bool(getattr(part, "viewOnce", False)),
                **found,
            )
    unknown = next((field.name for field, _ in message.ListFields() if field.name not in _SILENT), None)
    if unknown is None and not message.ListFields() and len(UnknownFieldSet(message)):
        unknown = "unknown"  # newer than the library: that there is something is all that can be said
    return Content(kind="unsupported", raw=_raw(message, unknown)) if unknown else None


def _protocol(protocol: Any) -> Content | None:
    about = _about(protocol.key) if protocol.HasField("key") else None
    if about is None:
        return None
    if protocol.type == e2e.ProtocolMessage.REVOKE:
        return Content(kind="delete", quoted=about)
    if protocol.type == e2e.ProtocolMessage.MESSAGE_EDIT:
        edited = content(protocol.editedMessage)
        return Content(kind="edit", text=edited.text if edited is not None else None, quoted=about, moment=protocol.timestampMS)
    return None


def _media(part: Any, fallback: str) -> Media:
    def positive(name: str) -> int | None:
        return getattr(part, name, 0) or None

    sha256: bytes = part.fileSHA256
    source = None
    if part.directPath.startswith("/") and len(part.mediaKey) == 32 and len(part.directPath) <= 2048:
        source = MediaSource(path=part.directPath, key=part.mediaKey, enc_sha256=part.fileEncSHA256, sha256=sha256)
    return Media(
        mime=clean(part.mimetype)[:255] or fallback,
        size=min(part.fileLength, 2**53),
        file_name=clean(getattr(part, "fileName", ""))[:255] or None,
        seconds=positive("seconds"),
        width=positive("width"),
        height=positive("height"),
        sha256=sha256.hex() or None,
        waveform=bytes(min(level, 100) for level in getattr(part, "waveform", b"")[:64]) or None,
        source=source,
    )


def _file(kind: MessageKind, fallback: str) -> Any:
    return lambda part: {"kind": kind, "text": getattr(part, "caption", None), "media": _media(part, fallback)}


def _audio(part: Any) -> dict[str, Any]:
    return {"kind": "voice" if part.PTT else "audio", "media": _media(part, "audio/ogg")}


def _location(part: Any) -> dict[str, Any]:
    name, street = clean(getattr(part, "name", ""))[:500], clean(getattr(part, "address", ""))[:500]
    latitude, longitude = part.degreesLatitude, part.degreesLongitude
    place = f"{latitude:.6f}, {longitude:.6f}"
    text = "\n".join(filter(None, [name, street, getattr(part, "caption", ""), place]))
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return {"kind": "location", "text": text}
    where = Location(
        latitude=latitude, longitude=longitude, name=name or None, address=street or None, live=not hasattr(part, "name") or part.isLive
    )
    return {"kind": "location", "text": text, "location": where}


def _card(part: Any) -> ContactCard:
    card = clean(part.vcard)
    phones = tuple(found.strip()[:40] for found in _PHONE.findall(card[:_LARGEST_RAW])[:20])
    return ContactCard(name=clean(part.displayName)[:500], phones=phones, vcard=card if 0 < len(card) <= _LARGEST_RAW else None)


def _contact(part: Any) -> dict[str, Any]:
    return {"kind": "contact", "text": part.displayName, "contacts": (_card(part),)}


def _contacts(part: Any) -> dict[str, Any]:
    cards = tuple(_card(one) for one in part.contacts[:_MOST_CARDS])
    names = [card.name for card in cards] or [part.displayName]
    return {"kind": "contact", "text": "\n".join(filter(None, names)), "contacts": cards}


def _poll(part: Any) -> dict[str, Any]:
    lines = [clean(part.name)[:1000], *(f"- {clean(option.optionName)[:200]}" for option in part.options[:50])]
    return {"kind": "poll", "text": "\n".join(filter(None, lines)), "raw": _raw(part, "pollCreationMessage")}


def _said(name: str) -> Any:
    return lambda part: {"kind": "text", "text": getattr(part, name)}


_READERS: dict[str, Any] = {
    "extendedTextMessage": _said("text"),
    "imageMessage": _file("image", "image/jpeg"),
    "videoMessage": _file("video", "video/mp4"),
    "ptvMessage": _file("video", "video/mp4"),
    "audioMessage": _audio,
    "documentMessage": _file("document", "application/octet-stream"),
    "stickerMessage": _file("sticker", "image/webp"),
    "locationMessage": _location,
    "liveLocationMessage": _location,
    "contactMessage": _contact,
    "contactsArrayMessage": _contacts,
    "pollCreationMessage": _poll,
    "pollCreationMessageV2": _poll,
    "pollCreationMessageV3": _poll,
    "buttonsResponseMessage": _said("selectedDisplayText"),
    "templateButtonReplyMessage": _said("selectedDisplayText"),
    "listResponseMessage": _said("title"),
}


def _raw(message: Any, what: str) -> Raw:
    data: bytes = message.SerializeToString()
    return Raw(what=what, data=data if len(data) <= _LARGEST_RAW else None)


def _quoted(context: Any) -> Quoted | None:
    if context is None or not (id := id_of(context.stanzaID)):
        return None
    # Only one step down: a quoted message may quote another one, as deep as its sender likes.
    said = _glance(context.quotedMessage) if context.HasField("quotedMessage") else None
    kind, text = said if said is not None else (None, None)
    return Quoted(wa_id=id, sender=parse_address(context.participant), kind=kind, text=text)


def _glance(message: Any) -> tuple[MessageKind, str | None] | None:
    if message.conversation:
        return "text", clean(message.conversation)[:_QUOTED_TEXT]
    for name, read in _READERS.items():
        if message.HasField(name):
            found: dict[str, Any] = read(getattr(message, name))
            return found["kind"], clean(found.get("text") or "")[:_QUOTED_TEXT] or None
    return None


def _mentions(context: Any) -> tuple[Address, ...]:
    if context is None:
        return ()
    found = (parse_address(text) for text in context.mentionedJID[:_MOST_MENTIONS])
    return tuple(one for one in found if one is not None)


def _about(key: Any) -> Quoted | None:
    id = id_of(key.ID)
    return Quoted(wa_id=id, sender=parse_address(key.participant), from_me=key.fromMe) if id else None
