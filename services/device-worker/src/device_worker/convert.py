"""WhatsApp's events as the facts that we publish. Pure; the one place that reads a JID.

Nothing here raises on an odd event: what cannot be understood is either said to be ``unsupported``, so that an agent
sees that there is something, or is no message at all (a key distribution, a poll vote) and gives nothing.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from contracts.commands import SendMessage
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.devices import MessageObserved, ReceiptObserved
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import Address, AddressKind, Media, MessageKind, Quoted, ReceiptStatus

from device_worker.whatsapp.proto import Kind, e2e, neonize_pb2

#: Past this, a text is cut: WhatsApp's own limit, and well under what the bus carries in one message.
LONGEST_TEXT = 65_536

#: The kinds of chat that every number takes in.
PEOPLE: frozenset[AddressKind] = frozenset({"pn", "lid"})

_SERVERS: dict[str, AddressKind] = {
    "s.whatsapp.net": "pn",
    "c.us": "pn",
    "hosted": "pn",
    "lid": "lid",
    "hosted.lid": "lid",
    "g.us": "group",
    "newsletter": "channel",
}

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
)
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

_RECEIPTS: dict[int, tuple[ReceiptStatus, bool]] = {
    neonize_pb2.Receipt.DELIVERED: ("delivered", False),
    neonize_pb2.Receipt.READ: ("read", False),
    neonize_pb2.Receipt.READ_SELF: ("read", True),
    neonize_pb2.Receipt.PLAYED: ("played", False),
    neonize_pb2.Receipt.PLAYED_SELF: ("played", True),
}

_HISTORY_TYPES = frozenset({0, 2, 3, 6})  # initial bootstrap, full, recent, on demand


def address(jid: Any) -> Address | None:
    """Read a JID message; None for an empty one and for what is no person, group, status or channel."""
    return _address(jid.User, jid.Server)


def parse_address(text: str) -> Address | None:
    """Read a JID text such as ``5215550000:7@s.whatsapp.net``; the device part is dropped."""
    user, separator, server = text.rpartition("@")
    return _address(user, server) if separator else None


def jid_parts(address: Address) -> tuple[str, str]:
    """Write an address as WhatsApp's user and server.  Raises: ValueError: nothing can be sent there."""
    servers = {"pn": "s.whatsapp.net", "lid": "lid", "group": "g.us"}
    if address.kind not in servers:
        raise ValueError(f"Nothing is sent to an address of kind {address.kind}.")
    return address.value, servers[address.kind]


def compose(order: SendMessage) -> bytes | None:
    """Write an order as the message that WhatsApp sends; None for a kind that is not sent yet."""
    if order.kind != "text" or order.text is None:
        return None
    if order.quoted is None:
        return bytes(e2e.Message(conversation=order.text).SerializeToString())
    context = e2e.ContextInfo(stanzaID=order.quoted.wa_id, quotedMessage=e2e.Message(conversation=""))
    if order.quoted.sender is not None:
        context.participant = "@".join(jid_parts(order.quoted.sender))
    return bytes(e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text=order.text, contextInfo=context)).SerializeToString())


def placeholder(wa_id: str, chat: str) -> bytes | None:
    """Write the raw event of a message of which only its id and chat are known; None for no customer's chat."""
    where = parse_address(chat)
    if where is None or where.kind not in ("pn", "lid"):
        return None
    user, server = jid_parts(where)
    empty = neonize_pb2.JID(User="", RawAgent=0, Device=0, Integrator=0, Server="", IsEmpty=True)
    jid = neonize_pb2.JID(User=user, RawAgent=0, Device=0, Integrator=0, Server=server, IsEmpty=False)
    event = neonize_pb2.UndecryptableMessage(IsUnavailable=False, DecryptFailMode=neonize_pb2.UndecryptableMessage.DECRYPT_FAIL_SHOW)
    event.Info.ID = wa_id
    source = event.Info.MessageSource
    source.Chat.CopyFrom(jid)
    source.Sender.CopyFrom(jid)
    for other in (source.SenderAlt, source.RecipientAlt, source.BroadcastListOwner):
        other.CopyFrom(empty)
    source.IsFromMe = source.IsGroup = False
    return bytes(event.SerializePartialToString())


def observe(
    kind: int,
    event: Any,
    *,
    tenant: TenantId,
    device: DeviceId,
    seen_at: datetime,
    receive: Collection[AddressKind] = PEOPLE,
    history: int = 50,
) -> list[Envelope[Any]]:
    """Turn one event into the facts in it.

    Args:
        kind: One of `whatsapp.proto.JOURNALLED`.
        seen_at: When it came, UTC; stands in for a time that WhatsApp did not tell.
        receive: The kinds of chat of which is told; of the others nothing is.
        history: How many messages a chat, the latest, are taken from a history sync.
    """
    bodies: Iterable[MessageObserved | ReceiptObserved]
    if kind == Kind.MESSAGE:
        bodies = _message(event, device, seen_at)
    elif kind == Kind.UNDECRYPTABLE:
        bodies = _undecryptable(event, device, seen_at)
    elif kind == Kind.RECEIPT:
        bodies = _receipt(event, device, seen_at)
    elif kind == Kind.HISTORY_SYNC:
        bodies = _history(event.Data, device, seen_at, history)
    else:
        bodies = ()
    audience = Audience(device=device)
    return [wrap(tenant, body, occurred_at=body.at, audience=audience) for body in bodies if body.chat.kind in receive]


def content(message: Any) -> tuple[MessageKind, str | None, Media | None, Quoted | None] | None:
    """Tell what a message is: kind, text, file and what it answers; None when it is no message to anybody."""
    for _ in range(_DEEPEST):
        name = next((name for name in _WRAPPERS if message.HasField(name)), None)
        if name is None:
            break
        message = getattr(message, name).message
    if message.HasField("protocolMessage"):
        return _protocol(message.protocolMessage)
    if message.HasField("reactionMessage"):
        reaction = message.reactionMessage
        return "reaction", _clean(reaction.text), None, _quoted_key(reaction.key)
    if message.HasField("conversation"):
        return "text", _clean(message.conversation), None, None
    for name, read in _READERS.items():
        if message.HasField(name):
            part = getattr(message, name)
            kind, text, media = read(part)
            return kind, _clean(text) if text else None, media, _quoted(part)
    if any(field.name not in _SILENT for field, _ in message.ListFields()):
        return "unsupported", None, None, None
    return None


def _message(event: Any, device: DeviceId, seen_at: datetime) -> Iterator[MessageObserved]:
    info = event.Info
    if info.Category == "peer":  # between our own devices: keys, app state
        return
    what = content(event.Message)
    where = _thread(info.MessageSource)
    if what is None or where is None or not _id(info.ID):
        return
    kind, text, media, quoted = what
    yield MessageObserved(
        device=device,
        wa_id=_id(info.ID),
        at=_millis(info.Timestamp, seen_at),
        kind=kind,
        text=text,
        push_name=_clean(info.Pushname) or None,
        quoted=quoted,
        media=media,
        ephemeral=event.IsEphemeral or event.IsViewOnce or event.IsViewOnceV2 or event.IsViewOnceV2Extension,
        **where,
    )


def _undecryptable(event: Any, device: DeviceId, seen_at: datetime) -> Iterator[MessageObserved]:
    info = event.Info
    where = _thread(info.MessageSource)
    if where is None or not _id(info.ID) or info.Category == "peer":
        return
    if event.DecryptFailMode == neonize_pb2.UndecryptableMessage.DECRYPT_FAIL_HIDE:  # WhatsApp asks not to show it
        return
    yield MessageObserved(
        device=device,
        wa_id=_id(info.ID),
        at=_millis(info.Timestamp, seen_at),
        kind="undecryptable",
        push_name=_clean(info.Pushname) or None,
        **where,
    )


def _receipt(event: Any, device: DeviceId, seen_at: datetime) -> Iterator[ReceiptObserved]:
    known = _RECEIPTS.get(event.Type)
    source = event.MessageSource
    where = _thread(source)
    ids = [id for id in map(_id, event.MessageIDs) if id]
    if known is None or where is None or not ids:
        return
    status, own = known
    if source.IsFromMe and not own:
        if status == "delivered":  # another of our own devices has it: tells nothing about the customer
            return
        own = True
    yield ReceiptObserved(
        device=device,
        chat=where["chat"],
        chat_alt=where["chat_alt"],
        sender=where["sender"],
        wa_ids=ids,
        status=status,
        at=_seconds(event.Timestamp, seen_at),
        own=own,
    )


def _history(sync: Any, device: DeviceId, seen_at: datetime, limit: int) -> Iterator[MessageObserved]:
    if sync.syncType not in _HISTORY_TYPES:
        return
    for conversation in sync.conversations:
        chat = parse_address(conversation.ID)
        if chat is None:
            continue
        alts = (parse_address(text) for text in (conversation.lidJID, conversation.pnJID))
        alt = next((found for found in alts if found is not None and found.kind != chat.kind), None)
        latest = sorted((item.message for item in conversation.messages), key=lambda web: web.messageTimestamp)[-limit:]
        for web in latest:
            what = content(web.message)
            if what is None or not _id(web.key.ID):
                continue
            kind, text, media, quoted = what
            sender = parse_address(web.participant or web.key.participant) if chat.kind == "group" else None
            yield MessageObserved(
                device=device,
                chat=chat,
                chat_alt=alt,
                sender=sender,
                wa_id=_id(web.key.ID),
                from_me=web.key.fromMe,
                at=_seconds(web.messageTimestamp, seen_at),
                kind=kind,
                text=text,
                push_name=_clean(web.pushName) or None,
                quoted=quoted,
                media=media,
                history=True,
            )


def _thread(source: Any) -> dict[str, Any] | None:
    """Say whose thread it is in; None for what is in no thread of ours."""
    chat, sender = address(source.Chat), address(source.Sender)
    if chat is None and source.Chat.Server == "broadcast" and not source.IsFromMe:
        chat = sender  # a customer's broadcast list: to us it is an ordinary message of theirs
    if chat is None:
        return None
    in_group = chat.kind not in ("pn", "lid")
    alt = address(source.RecipientAlt if source.IsFromMe else source.SenderAlt)
    return {
        "chat": chat,
        "chat_alt": None if in_group or alt is None or alt.kind == chat.kind else alt,
        "sender": sender if in_group else None,
        "sender_alt": alt if in_group else None,
        "from_me": source.IsFromMe,
    }


def _protocol(protocol: Any) -> tuple[MessageKind, str | None, Media | None, Quoted | None] | None:
    if protocol.type == e2e.ProtocolMessage.REVOKE and protocol.HasField("key"):
        return "delete", None, None, _quoted_key(protocol.key)
    if protocol.type == e2e.ProtocolMessage.MESSAGE_EDIT and protocol.HasField("key"):
        edited = content(protocol.editedMessage)
        text, media = (edited[1], edited[2]) if edited is not None else (None, None)
        return "edit", text, media, _quoted_key(protocol.key)
    return None


def _media(part: Any, fallback: str) -> Media:
    def positive(name: str) -> int | None:
        return getattr(part, name, 0) or None

    sha256: bytes = part.fileSHA256
    return Media(
        mime=_clean(part.mimetype)[:255] or fallback,
        size=min(part.fileLength, 2**53),
        file_name=_clean(getattr(part, "fileName", ""))[:255] or None,
        seconds=positive("seconds"),
        width=positive("width"),
        height=positive("height"),
        sha256=sha256.hex() or None,
    )


def _read_location(part: Any) -> tuple[MessageKind, str | None, Media | None]:
    place = f"{part.degreesLatitude:.6f}, {part.degreesLongitude:.6f}"
    words = [getattr(part, name, "") for name in ("name", "address", "caption")]
    return "location", "\n".join([*filter(None, words), place]), None


def _read_contacts(part: Any) -> tuple[MessageKind, str | None, Media | None]:
    names = [contact.displayName for contact in part.contacts] or [part.displayName]
    return "contact", "\n".join(filter(None, names)), None


_READERS: dict[str, Any] = {
    "extendedTextMessage": lambda part: ("text", part.text, None),
    "imageMessage": lambda part: ("image", part.caption, _media(part, "image/jpeg")),
    "videoMessage": lambda part: ("video", part.caption, _media(part, "video/mp4")),
    "ptvMessage": lambda part: ("video", part.caption, _media(part, "video/mp4")),
    "audioMessage": lambda part: ("voice" if part.PTT else "audio", None, _media(part, "audio/ogg")),
    "documentMessage": lambda part: ("document", part.caption, _media(part, "application/octet-stream")),
    "stickerMessage": lambda part: ("sticker", None, _media(part, "image/webp")),
    "locationMessage": _read_location,
    "liveLocationMessage": _read_location,
    "contactMessage": lambda part: ("contact", part.displayName, None),
    "contactsArrayMessage": _read_contacts,
    "buttonsResponseMessage": lambda part: ("text", part.selectedDisplayText, None),
    "templateButtonReplyMessage": lambda part: ("text", part.selectedDisplayText, None),
    "listResponseMessage": lambda part: ("text", part.title, None),
}


def _quoted(part: Any) -> Quoted | None:
    context = part.contextInfo
    if not (id := _id(context.stanzaID)):
        return None
    return Quoted(wa_id=id, sender=parse_address(context.participant))


def _quoted_key(key: Any) -> Quoted | None:
    id = _id(key.ID)
    return Quoted(wa_id=id, sender=parse_address(key.participant)) if id else None


def _address(user: str, server: str) -> Address | None:
    value = user.partition(":")[0].partition(".")[0].strip()
    if not value:
        return None
    if server == "broadcast":
        return Address("status", value) if value == "status" else None
    kind = _SERVERS.get(server)
    if kind is None or (kind in ("pn", "lid") and not (value.isascii() and value.isdigit())):
        return None
    return Address(kind, _clean(value)[:128])


def _clean(text: str) -> str:
    """Cut what is over the limit, and take out NUL, which no Postgres text can hold."""
    return text[:LONGEST_TEXT].replace("\0", "")


def _id(text: str) -> str:
    return _clean(text)[:255]


def _millis(value: int, fallback: datetime) -> datetime:
    return _time(value / 1000, fallback)


def _seconds(value: int, fallback: datetime) -> datetime:
    return _time(value, fallback)


def _time(seconds: float, fallback: datetime) -> datetime:
    """Read a UTC time; one that WhatsApp left out (0, or Go's year 1) or that no calendar has is *fallback*."""
    if not 0 < seconds < 32_503_680_000:  # the year 3000
        return fallback
    return datetime.fromtimestamp(seconds, UTC)
