"""The facts in one event of the library."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

from contracts import ids
from contracts.envelope import Audience, Envelope, wrap
from contracts.ephemeral import TypingObserved
from contracts.events.devices import BlockObserved, HistoryAdvanced, MessageObserved, MessageUnreadable, ReceiptObserved
from contracts.ids import DeviceId, TenantId
from contracts.whatsapp import AddressKind, ReceiptStatus

from device_worker.convert.contents import content
from device_worker.convert.parts import address, clean, id_of, jid_parts, millis, parse_address, seconds
from device_worker.whatsapp.proto import Kind, neonize_pb2

#: The kinds of chat that every number takes in.
PEOPLE: frozenset[AddressKind] = frozenset({"pn", "lid"})

_RECEIPTS: dict[int, tuple[ReceiptStatus, bool]] = {
    neonize_pb2.Receipt.DELIVERED: ("delivered", False),
    neonize_pb2.Receipt.READ: ("read", False),
    neonize_pb2.Receipt.READ_SELF: ("read", True),
    neonize_pb2.Receipt.PLAYED: ("played", False),
    neonize_pb2.Receipt.PLAYED_SELF: ("played", True),
}

#: Seconds by which a sender's clock may differ and still be believed.
_CLOCKS_DIFFER = 10.0

_HISTORY_TYPES = frozenset({0, 2, 3, 6})  # initial bootstrap, full, recent, on demand


def placeholder(wa_id: str, chat: str) -> bytes | None:
    """Write the raw event of a message of which only its id and chat are known; None for no customer's chat."""
    source = _source(chat)
    if source is None:
        return None
    event = neonize_pb2.UndecryptableMessage(IsUnavailable=False, DecryptFailMode=neonize_pb2.UndecryptableMessage.DECRYPT_FAIL_SHOW)
    event.Info.ID = wa_id
    event.Info.MessageSource.CopyFrom(source)
    return bytes(event.SerializePartialToString())


def unreadable(wa_id: str, chat: str, sender: str, own: Collection[str]) -> bytes | None:
    """Write the raw event of a message of ours that *sender*, a customer's device, could not read; None for no customer's chat.

    Args:
        own: The users that are the number itself: what another of its own devices cannot read says nothing about the customer.
    """
    source, who = _source(chat), parse_address(sender)
    if source is None or who is None or who.value in own:
        return None
    event = neonize_pb2.Receipt(MessageIDs=[wa_id], Type=neonize_pb2.Receipt.RETRY)
    event.MessageSource.CopyFrom(source)
    return bytes(event.SerializePartialToString())


def _source(chat: str) -> Any:
    """Write whose thread it is, as the library does for what came from a person; None for no person's."""
    where = parse_address(chat)
    if where is None or where.kind not in PEOPLE:
        return None
    user, server = jid_parts(where)
    jid = neonize_pb2.JID(User=user, RawAgent=0, Device=0, Integrator=0, Server=server, IsEmpty=False)
    empty = neonize_pb2.JID(User="", RawAgent=0, Device=0, Integrator=0, Server="", IsEmpty=True)
    return neonize_pb2.MessageSource(
        Chat=jid, Sender=jid, IsFromMe=False, IsGroup=False, SenderAlt=empty, RecipientAlt=empty, BroadcastListOwner=empty
    )


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
    bodies: Iterable[MessageObserved | ReceiptObserved | MessageUnreadable]
    if kind == Kind.MESSAGE:
        bodies = _message(event, device, seen_at)
    elif kind == Kind.UNDECRYPTABLE:
        bodies = _undecryptable(event, device, seen_at)
    elif kind == Kind.RECEIPT:
        bodies = _receipt(event, device, seen_at)
    elif kind == Kind.UNREADABLE:
        bodies = _unreadable(event, device, seen_at)
    elif kind == Kind.HISTORY_SYNC:
        bodies = _history(event.Data, device, seen_at, history)
    else:
        bodies = ()
    audience = Audience(device=device)
    if kind == Kind.BLOCKLIST:
        return [wrap(tenant, body, occurred_at=seen_at, audience=audience) for body in _blocks(event, device, seen_at)]
    facts: list[Envelope[Any]] = [
        wrap(tenant, body, occurred_at=body.at, audience=audience) for body in bodies if body.chat.kind in receive
    ]
    if kind == Kind.HISTORY_SYNC and event.Data.syncType in _HISTORY_TYPES:
        sync = event.Data
        advanced = HistoryAdvanced(
            id=ids.public(ids.DEVICE, device),
            at=seen_at,
            chats=len(sync.conversations),
            messages=len(facts),
            progress=min(sync.progress, 100) if sync.HasField("progress") else None,
        )
        # A repeat of the journal's record tells the same fact: its id is derived from the part that it is about.
        part = ids.derived("history", device, sync.syncType, sync.chunkOrder, int(seen_at.timestamp() * 1000))
        facts.append(wrap(tenant, advanced, id=part, occurred_at=seen_at, audience=audience))
    return facts


def typing(event: Any, device: DeviceId) -> TypingObserved | None:
    """Read that somebody writes, records, or has stopped; None for what the number itself does elsewhere."""
    where = _thread(event.MessageSource)
    if where is None or where["from_me"]:
        return None
    states: dict[int, Literal["composing", "recording"]] = {
        neonize_pb2.ChatPresence.TEXT: "composing",
        neonize_pb2.ChatPresence.AUDIO: "recording",
    }
    writes = event.State == neonize_pb2.ChatPresence.COMPOSING
    return TypingObserved(device=device, chat=where["chat"], state=states.get(event.Media, "composing") if writes else "paused")


def _message(event: Any, device: DeviceId, seen_at: datetime) -> Iterator[MessageObserved]:
    info = event.Info
    if info.Category == "peer":  # between our own devices: keys, app state
        return
    what = content(event.Message)
    where = _thread(info.MessageSource)
    if what is None or where is None or not id_of(info.ID):
        return
    view_once = what.view_once or event.IsViewOnce or event.IsViewOnceV2 or event.IsViewOnceV2Extension
    fields = what.fields() | {"view_once": view_once}
    yield MessageObserved(
        device=device,
        wa_id=id_of(info.ID),
        at=_moment(what.moment, millis(info.Timestamp, seen_at)),
        push_name=clean(info.Pushname) or None,
        ephemeral=event.IsEphemeral or view_once,
        **fields,
        **where,
    )


def _moment(claimed: int, at: datetime) -> datetime:
    """Give the finer time that a sender claims, where it lies beside WhatsApp's own, which has only seconds."""
    finer = millis(claimed, at)
    return finer if abs((finer - at).total_seconds()) <= _CLOCKS_DIFFER else at


def _undecryptable(event: Any, device: DeviceId, seen_at: datetime) -> Iterator[MessageObserved]:
    info = event.Info
    where = _thread(info.MessageSource)
    if where is None or not id_of(info.ID) or info.Category == "peer":
        return
    if event.DecryptFailMode == neonize_pb2.UndecryptableMessage.DECRYPT_FAIL_HIDE:  # WhatsApp asks not to show it
        return
    yield MessageObserved(
        device=device,
        wa_id=id_of(info.ID),
        at=millis(info.Timestamp, seen_at),
        kind="undecryptable",
        push_name=clean(info.Pushname) or None,
        **where,
    )


def _receipt(event: Any, device: DeviceId, seen_at: datetime) -> Iterator[ReceiptObserved]:
    known = _RECEIPTS.get(event.Type)
    source = event.MessageSource
    where = _thread(source)
    names = [id for id in map(id_of, event.MessageIDs) if id]
    if known is None or where is None or not names:
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
        wa_ids=names,
        status=status,
        at=seconds(event.Timestamp, seen_at),
        own=own,
    )


def _unreadable(event: Any, device: DeviceId, seen_at: datetime) -> Iterator[MessageUnreadable]:
    where = _thread(event.MessageSource)
    if where is None or where["from_me"] or where["chat"].kind not in PEOPLE:
        return
    for id in filter(None, map(id_of, event.MessageIDs)):
        yield MessageUnreadable(device=device, chat=where["chat"], wa_id=id, at=seconds(event.Timestamp, seen_at))


def _blocks(event: Any, device: DeviceId, seen_at: datetime) -> Iterator[BlockObserved]:
    for change in event.Changes:
        who = address(change.JID)
        if who is not None and who.kind in PEOPLE:
            blocked = change.BlockAction == neonize_pb2.BlocklistChange.BLOCK
            yield BlockObserved(device=device, address=who, blocked=blocked, at=seen_at)


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
            if what is None or not id_of(web.key.ID):
                continue
            sender = parse_address(web.participant or web.key.participant) if chat.kind == "group" else None
            yield MessageObserved(
                device=device,
                chat=chat,
                chat_alt=alt,
                sender=sender,
                wa_id=id_of(web.key.ID),
                from_me=web.key.fromMe,
                at=seconds(web.messageTimestamp, seen_at),
                push_name=clean(web.pushName) or None,
                history=True,
                **what.fields(),
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
