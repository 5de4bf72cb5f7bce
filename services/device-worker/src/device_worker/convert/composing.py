"""Our orders as the messages that WhatsApp sends."""

from dataclasses import dataclass
from typing import Any

from contracts.commands import SendMessage
from contracts.whatsapp import ContactCard, MessageKind, Quoted

from device_worker.convert.parts import jid_parts
from device_worker.whatsapp.proto import common, e2e

_HOST = "https://mmg.whatsapp.net"


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file on WhatsApp's hosts, with what opens it."""

    url: str
    path: str
    key: bytes
    enc_sha256: bytes
    sha256: bytes
    size: int


def compose(order: SendMessage, uploaded: Uploaded | None = None) -> bytes | None:
    """Write an order as the message that WhatsApp sends; None for a kind that is not sent, or that lacks what it is about.

    Args:
        uploaded: The order's file, as it lies on the hosts.
    """
    message = _message(order, uploaded)
    return bytes(message.SerializeToString()) if message is not None else None


def _message(order: SendMessage, uploaded: Uploaded | None) -> Any:
    context = _context(order.quoted)
    match order.kind:
        case "text" if order.text is not None:
            if context is None:
                return e2e.Message(conversation=order.text)
            return e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text=order.text, contextInfo=context))
        case "location" if order.location is not None:
            place = order.location
            return e2e.Message(
                locationMessage=e2e.LocationMessage(
                    degreesLatitude=place.latitude,
                    degreesLongitude=place.longitude,
                    name=place.name,
                    address=place.address,
                    contextInfo=context,
                )
            )
        case "contact" if order.contacts:
            cards = [e2e.ContactMessage(displayName=card.name, vcard=card.vcard or vcard(card)) for card in order.contacts]
            if len(cards) == 1:
                if context is not None:
                    cards[0].contextInfo.CopyFrom(context)
                return e2e.Message(contactMessage=cards[0])
            listed = e2e.ContactsArrayMessage(displayName=f"{len(cards)}", contacts=cards, contextInfo=context)
            return e2e.Message(contactsArrayMessage=listed)
        case "reaction" if order.quoted is not None:
            return e2e.Message(reactionMessage=e2e.ReactionMessage(key=_key(order, order.quoted), text=order.text or ""))
        case "edit" if order.quoted is not None and order.text is not None:
            edit = e2e.ProtocolMessage(
                key=_key(order, order.quoted), type=e2e.ProtocolMessage.MESSAGE_EDIT, editedMessage=e2e.Message(conversation=order.text)
            )
            return e2e.Message(editedMessage=e2e.FutureProofMessage(message=e2e.Message(protocolMessage=edit)))
        case "delete" if order.quoted is not None:
            return e2e.Message(protocolMessage=e2e.ProtocolMessage(key=_key(order, order.quoted), type=e2e.ProtocolMessage.REVOKE))
        case kind if uploaded is not None and order.media is not None:
            return _file(kind, order, uploaded, context)
    return None


def _file(kind: MessageKind, order: SendMessage, uploaded: Uploaded, context: Any) -> Any:
    media = order.media
    assert media is not None, "It is asked for above."  # noqa: S101
    fields: dict[str, Any] = {
        "mimetype": media.mime,
        "URL": uploaded.url or _HOST + uploaded.path,
        "directPath": uploaded.path,
        "mediaKey": uploaded.key,
        "fileEncSHA256": uploaded.enc_sha256,
        "fileSHA256": uploaded.sha256,
        "fileLength": uploaded.size,
        "contextInfo": context,
    }
    size = {"width": media.width, "height": media.height}
    match kind:
        case "image":
            return e2e.Message(imageMessage=e2e.ImageMessage(**fields, **size, caption=order.text, JPEGThumbnail=media.preview))
        case "video":
            video = e2e.VideoMessage(**fields, **size, caption=order.text, seconds=media.seconds, JPEGThumbnail=media.preview)
            return e2e.Message(videoMessage=video)
        case "audio" | "voice":
            audio = e2e.AudioMessage(**fields, seconds=media.seconds, PTT=kind == "voice", waveform=media.waveform)
            return e2e.Message(audioMessage=audio)
        case "sticker":
            return e2e.Message(stickerMessage=e2e.StickerMessage(**fields, **size))
        case "document":
            name = media.file_name or "archivo"
            document = e2e.DocumentMessage(**fields, caption=order.text, fileName=name, title=name)
            if not order.text:
                return e2e.Message(documentMessage=document)
            return e2e.Message(documentWithCaptionMessage=e2e.FutureProofMessage(message=e2e.Message(documentMessage=document)))
    return None


def vcard(card: ContactCard) -> str:
    """Write a card with its name and phones, as phones understand it."""

    def plain(text: str) -> str:
        return " ".join(text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;").split())

    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:;{plain(card.name)};;;", f"FN:{plain(card.name)}"]
    for phone in card.phones:
        digits = "".join(character for character in phone if character.isdigit())
        lines.append(f"TEL;type=CELL;waid={digits}:{plain(phone)}")
    return "\n".join([*lines, "END:VCARD"])


def _context(quoted: Quoted | None) -> Any:
    if quoted is None:
        return None
    context = e2e.ContextInfo(stanzaID=quoted.wa_id, quotedMessage=e2e.Message(conversation=quoted.text or ""))
    if quoted.sender is not None:
        context.participant = "@".join(jid_parts(quoted.sender))
    return context


def _key(order: SendMessage, about: Quoted) -> Any:
    key = common.MessageKey(remoteJID="@".join(jid_parts(order.to)), fromMe=bool(about.from_me), ID=about.wa_id)
    if order.to.kind == "group" and about.sender is not None:
        key.participant = "@".join(jid_parts(about.sender))
    return key
