"""What happens to a message: phones write it, sessions write it, devices decrypt it or ask for it again, ticks go back."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

from sim import content
from sim.blocks import Blocks, estranged
from sim.connection import Connection
from sim.content import Shown
from sim.database import Database
from sim.delivery import Counts, Delivery
from sim.directory import Companion, Directory, Phone
from sim.feed import Feed
from sim.groups import Group, Groups
from sim.mailbox import Mailbox, Sent, new_id
from sim.media import Hosts, MediaBroken
from sim.nodes import GROUP, JID, LID, PN, BadStanza, Node
from sim.proto import DecodeError
from sim.ratchet import Bundle, Undecryptable
from sim.wire import numbers_and_bytes

MAX_TRIES = 5
_TICKS = {"": "delivered", "inactive": "delivered", "read": "read", "played": "played"}
_NO_ACKNOWLEDGEMENT = ("read", "read-self", "played", "played-self")


class Traffic:
    """Moves messages, receipts and typing between phones and sessions."""

    def __init__(self, db: Database, directory: Directory, delivery: Delivery, feed: Feed, hosts: Hosts, counts: Counts) -> None:
        self._db, self._directory, self._delivery, self._feed, self._hosts, self._counts = db, directory, delivery, feed, hosts, counts
        self.mailbox = Mailbox(db)
        self.groups = Groups(db, directory, delivery, counts, self)
        self.blocks = Blocks(db, directory, delivery)

    # -- a phone writes

    def write(self, sender: Phone, recipient: Phone | Group, message: Any, *, address: str | None = None, category: str = "") -> str:
        """*message* is on its way to the recipient's phone and sessions (all of a group's), and to the writer's own.  Its id."""
        if isinstance(recipient, Group):
            return self.groups.write(sender, recipient, message)
        server = LID if (address or sender.address) == "lid" else PN
        shown = content.show(message)
        sent = Sent(sender.number, new_id(), recipient.number, category, server, shown, message.SerializeToString())
        self.mailbox.remember(sender, sent)
        corrupt = sender.corrupt_sent > 0
        sender.corrupt_sent -= corrupt
        refused = recipient.refuses(sender)  # it is taken all the same: one tick
        theirs = () if refused else recipient.companions.values()
        for companion in (*theirs, *(sender.companions.values() if recipient is not sender else ())):
            self._to_session(sender, companion, sent, corrupt=corrupt)
        if recipient is not sender and not refused:
            self.mailbox.receive(
                recipient, id=sent.id, sender=sender.number, recipient=recipient.number, device=0, server=server, shown=shown
            )
            if not recipient.companions:
                self._tick_phone(sender, sent.id, recipient)
            self.tell(recipient, "inbox")
        self.tell(sender, "sent")
        return sent.id

    def tell_session(self, companion: Companion, message: Any) -> str:
        """The phone tells one of its own sessions something about itself."""
        phone = companion.phone
        sent = Sent(phone.number, new_id(), phone.number, "peer", PN, Shown("protocol"), message.SerializeToString())
        self.mailbox.remember(phone, sent)
        self._to_session(phone, companion, sent)
        return sent.id

    def keys_published(self, companion: Companion) -> None:
        """What waited for the session's keys is on its way."""
        number, device = companion.phone.number, companion.device
        rows = self._db.read("select sender, id from waiting where number=? and device=? order by seq", number, device)
        if rows:
            self._db.write("delete from waiting where number=? and device=?", number, device)
        for sender, id in rows:
            sent = self.mailbox.sent(self._directory.phones[sender], id)
            if sent:
                self._to_session(self._directory.phones[sender], companion, sent)

    def _to_session(self, sender: Phone, companion: Companion, sent: Sent, *, count: int = 0, corrupt: bool = False) -> None:
        if sent.server == GROUP:
            self.groups.to_session(sender, companion, sent, count=count)
            return
        if not companion.signed:
            number, device = companion.phone.number, companion.device
            self._db.write("insert into waiting (number, device, sender, id) values (?, ?, ?, ?)", number, device, sender.number, sent.id)
            return
        own = sender is companion.phone
        attrs: dict[str, Any] = {
            "from": sender.jid(sent.server),
            "id": sent.id,
            "t": int(time.time()),
            "type": "text" if sent.shown.file is None else "media",
        }
        plain = sent.message
        if sent.category:
            attrs["category"] = sent.category
        elif own:
            chat = self._directory.phones[sent.recipient]
            attrs["recipient"] = chat.jid(sent.server)
            attrs["peer_recipient_pn" if sent.server == LID else "peer_recipient_lid"] = chat.jid(PN if sent.server == LID else LID)
            message = content.from_own_phone(content.Message.FromString(plain), str(chat.jid(sent.server)))
            plain = message.SerializeToString()
        attrs["notify"] = sender.name
        if sent.server == LID:
            attrs |= {"addressing_mode": "lid", "sender_pn": sender.jid(PN)}
        else:
            attrs["sender_lid"] = sender.jid(LID)
        kind, sealed = sender.signal.encrypt(companion.address, lambda: self._directory.take_bundle(companion), plain)
        if corrupt:
            sealed = _spoil(kind, sealed)
        enc = Node("enc", {"v": 2, "type": kind, "count": count or None, "mediatype": sent.shown.kind if sent.shown.file else None}, sealed)
        self._delivery.put(companion, Node("message", attrs, [enc]))

    # -- a session writes

    async def from_session(self, connection: Connection, sender: Companion, node: Node) -> None:
        """One message of a session reaches every device it is encrypted for; the session hears that it was taken, once that is stored."""
        to, id = node.jid("to"), node.text("id")
        if to.server == GROUP:
            await self.groups.from_session(connection, sender, node)
            return
        chat = self._directory.find(to)
        error = None if chat or to.server not in (PN, LID) else 404
        ack = Node("ack", {"class": "message", "id": id, "from": to, "t": int(time.time()), "error": error})
        taken: list[Phone] = []
        if chat:
            self._counts.messages_in += 1
            participants = node.find("participants")
            parts = [(p.jid("jid"), p) for p in participants.children] if participants else [(to, node)]
            for device, part in parts:
                enc = part.find("enc")
                phone = self._directory.find(device)
                if phone is None or enc is None or phone.refuses(sender.phone):
                    continue
                if device.device:
                    self._forward(sender, phone, device.device, chat, node, enc)
                elif phone.held is not None:
                    phone.held.append((sender, node, enc))
                elif await self.decrypt(phone, sender, node, enc):
                    taken.append(phone)
        self._db.then(lambda: connection.send(ack))
        for phone in taken:  # ticks come after the acknowledgement, as they do from afar
            self._answer(phone, sender, id, to.server)

    def _forward(self, sender: Companion, phone: Phone, device: int, chat: Phone, node: Node, enc: Node) -> None:
        """A session's message for another session."""
        target = phone.companions.get(device)
        if target is None:
            return
        server = node.jid("to").server if node.jid("to").server in (PN, LID) else PN
        attrs: dict[str, Any] = {
            "from": sender.jid(server),
            "id": node.text("id"),
            "t": int(time.time()),
            "type": node.text("type", "text"),
            "notify": sender.phone.name,
        }
        if phone is sender.phone:
            attrs["recipient"] = chat.jid(server)
        if server == LID:
            attrs |= {"addressing_mode": "lid", "sender_pn": sender.jid(PN)}
        else:
            attrs["sender_lid"] = sender.jid(LID)
        identity = node.find("device-identity")
        self._delivery.put(target, Node("message", attrs, [enc, *([identity] if identity else [])]))

    async def decrypt(self, phone: Phone, sender: Companion, node: Node, enc: Node) -> bool:
        """The message is in the phone's inbox, which is True; or it is a repeat, or the phone has asked the session for it again."""
        id, to = node.text("id"), node.jid("to")
        if self.mailbox.has(phone, sender.phone.number, id):
            return False
        sealed = enc.data
        kind = enc.text("type")
        if phone.corrupt_received > 0 and "count" not in enc.attrs:  # what was encrypted again comes whole
            phone.corrupt_received -= 1
            sealed = _spoil(kind, sealed)
        try:
            plain = phone.signal.decrypt(sender.address, kind, sealed)
            message = content.Message.FromString(plain)
        except (Undecryptable, DecodeError, ValueError):
            # Among them a number that was used before: whatsmeow answers a retry beside its sends, and then two messages can be encrypted
            # under one number.  The phone has not seen this id, so it asks.
            self.ask_again(phone, sender, id, to)
            return False
        phone.tries.pop(f"{sender.address}/{id}", None)
        own = phone is sender.phone
        recipient = phone
        if own:
            recipient = self._directory.find(to) or phone
            if message.HasField("deviceSentMessage"):
                message = message.deviceSentMessage.message
        shown = content.show(message)
        if shown.kind == "protocol":
            return False
        if shown.file:
            await self.check(shown)
            # Another copy may have come in while the file was read.
            if self.mailbox.has(phone, sender.phone.number, id):
                return False
        self.mailbox.receive(
            phone,
            id=id,
            sender=sender.phone.number,
            recipient=recipient.number,
            device=sender.device,
            server=to.server,
            shown=shown,
        )
        phone.typing.pop(sender.phone.number, None)
        self.tell(phone, "inbox")
        return True

    def _answer(self, phone: Phone, sender: Companion, id: str, server: str) -> None:
        """The ticks that the phone gives by itself are on their way."""
        if phone is sender.phone or phone.auto_receipts == "none":
            return
        self.receipt(phone, sender.phone, id, "delivered", server)
        if phone.auto_receipts == "read":
            self.receipt(phone, sender.phone, id, "read", server)

    async def check(self, shown: Shown) -> None:
        """The file was downloaded and decrypted, off the loop; its true size and hash are in *shown*, or why there are none."""
        file = shown.file
        if file is None:
            return
        try:
            plain = await asyncio.to_thread(self._hosts.download, file.path, file.key, shown.kind)
        except (MediaBroken, OSError) as error:
            file.broken = str(error) or type(error).__name__
            return
        sha256 = await asyncio.to_thread(_sha256, plain)
        if sha256 != file.sha256 or len(plain) != file.size:
            file.broken = "The file's hash or size is not what the message says."
        file.size, file.sha256 = len(plain), sha256

    # -- again

    def ask_again(self, phone: Phone, sender: Companion, id: str, to: JID) -> None:
        """The session gets a retry receipt with the phone's keys, as a phone sends one for what it cannot open."""
        self._counts.undecryptable += 1
        key = f"{sender.address}/{id}"
        tries = phone.tries[key] = phone.tries.get(key, 0) + 1
        if tries > MAX_TRIES:
            return
        self._counts.retries_asked += 1
        server = to.server if to.server in (PN, LID) else PN
        bundle = self._directory.bundle_of_phone(phone)
        now = int(time.time())
        own = phone is sender.phone
        attrs: dict[str, Any] = {"from": phone.jid(server), "id": id, "type": "retry", "t": now, "recipient": to if own else None}
        if to.server == GROUP:
            attrs |= {"from": to, "participant": phone.jid(LID), "recipient": None}
        children = [
            Node("retry", {"count": tries, "id": id, "t": now, "v": 1}),
            Node("registration", {}, bundle.registration.to_bytes(4, "big")),
            Node("keys", {}, [Node("type", {}, b"\5"), Node("identity", {}, bundle.identity), *_key_nodes(bundle, phone.signal.signature)]),
        ]
        self._delivery.put(sender, Node("receipt", attrs, children))

    def _answer_retry(self, companion: Companion, phone: Phone, node: Node) -> None:
        """The phone begins a new session with the device that could not open its message, and sends the same message again."""
        retry = node.child("retry")
        id, count = retry.text("id"), int(retry.text("count", "1"))
        sent = self.mailbox.sent(phone, id)
        if sent is None or count > MAX_TRIES or not companion.signed:
            return
        keys = node.find("keys")
        if keys is not None:
            theirs = _read_keys(node, keys)
            phone.signal.renew(companion.address, lambda: theirs, force=count > 1)
        else:
            phone.signal.renew(companion.address, lambda: self._directory.take_bundle(companion), force=count > 1)
        self._counts.retries_answered += 1
        corrupt = phone.corrupt_sent > 0
        phone.corrupt_sent -= corrupt
        self._to_session(phone, companion, sent, count=count, corrupt=corrupt)

    async def release(self, phone: Phone, order: list[int]) -> None:
        """The phone decrypts what it held, in *order* (positions)."""
        held, phone.held = phone.held or [], None
        for position in order:
            sender, node, enc = held[position]
            if await self.decrypt(phone, sender, node, enc):
                self._answer(phone, sender, node.text("id"), node.jid("to").server)

    # -- ticks, typing, presence

    def receipt(self, phone: Phone, to: Phone, id: str, type: str, server: str) -> None:
        """The phone's tick for a message of *to* is on its way to all sessions of that number, once."""
        if estranged(phone, to) or not self.tick(to, id, phone, 0, type):
            return
        attrs: dict[str, Any] = {"id": id, "t": int(time.time()), "from": phone.jid(server), "type": None if type == "delivered" else type}
        attrs["sender_pn" if server == LID else "sender_lid"] = phone.jid(PN if server == LID else LID)
        for companion in to.companions.values():
            self._delivery.put(companion, Node("receipt", dict(attrs)))

    def receipt_from_session(self, connection: Connection, companion: Companion, node: Node) -> None:
        """A session's receipt does what its type says: acknowledges, ticks, or asks again."""
        to, id, type = node.jid("to"), node.text("id"), node.text("type", "")
        if type == "retry":
            self._delivery.asked_again(companion, id)
        elif type not in _NO_ACKNOWLEDGEMENT:
            self._delivery.acknowledge(companion, "message", id)
        author = node.jid("participant") if to.server == GROUP else to
        phone = self._directory.find(author)
        listed = node.find("list")
        ids = dict.fromkeys([id, *(item.text("id") for item in (listed.children if listed else ()))])
        if phone and type == "retry" and not author.device:
            self._answer_retry(companion, phone, node)
        elif to.server == GROUP:
            self.groups.receipt_from_session(companion, to, node, ids, _TICKS.get(type))
        elif phone and not estranged(phone, companion.phone) and (type == "retry" or phone is not companion.phone):
            self._pass_receipt(companion, phone, to, node, ids, type)
        ack = Node("ack", {"class": "receipt", "id": id, "from": to, "type": type or None})
        self._db.then(lambda: connection.send(ack))

    def _pass_receipt(self, companion: Companion, phone: Phone, to: JID, node: Node, ids: dict[str, None], type: str) -> None:
        attrs = {**node.attrs, "from": companion.jid(to.server), "to": None, "t": int(time.time())}
        for other in phone.companions.values():
            if type != "retry" or other.device == to.device:
                self._delivery.put(other, Node("receipt", dict(attrs), node.content))
        tick = _TICKS.get(type)
        if tick:
            for id in ids:
                self.tick(phone, id, companion.phone, companion.device, tick)

    def _tick_phone(self, sender: Phone, id: str, recipient: Phone) -> None:
        """A phone without sessions answers another phone by itself."""
        if recipient.auto_receipts != "none":
            self.tick(sender, id, recipient, 0, "delivered")
        if recipient.auto_receipts == "read":
            self.tick(sender, id, recipient, 0, "read")

    def tick(self, phone: Phone, id: str, by: Phone, device: int, type: str) -> bool:
        """The phone saw the tick; False when it had seen it before."""
        new = self.mailbox.tick(phone, id=id, sender=by.number, device=device, type=type)
        if new:
            self.tell(phone, "receipts")
        return new

    def typing(self, phone: Phone, to: Phone, state: str) -> None:
        """The sessions of *to* that have said that they are there see what the phone does: composing, recording or paused."""
        if estranged(phone, to):
            return
        what = Node("paused") if state == "paused" else Node("composing", {"media": "audio" if state == "recording" else None})
        for companion in [companion for companion in to.companions.values() if companion.connection and companion.connection.online]:
            self._delivery.pass_on(companion, Node("chatstate", {"from": phone.jid(LID if phone.address == "lid" else PN)}, [what]))

    def typing_from_session(self, companion: Companion, node: Node) -> None:
        """The phone sees what the session does in its chat."""
        phone = self._directory.find(node.jid("to"))
        if phone and node.children and not estranged(phone, companion.phone):
            what = node.children[0]
            state = "recording" if what.text("media", "") == "audio" else what.tag
            phone.typing[companion.phone.number] = state
            if state == "paused":
                phone.typing.pop(companion.phone.number)
            self._feed.tell(phone.number, "typing")

    def presence(self, phone: Phone, state: str) -> None:
        """Sessions that asked for it see whether the phone is there."""
        phone.presence = state
        for companion in self._directory.companions():
            if companion.connection and phone.number in companion.connection.subscriptions:
                companion.connection.send(presence_of(phone))

    def tell(self, phone: Phone, what: str) -> None:
        """Whoever watches the phone hears that there is more, once it is stored."""
        self._db.then(lambda: self._feed.tell(phone.number, what))


def presence_of(phone: Phone) -> Node:
    """Whether the phone is there, as a session is told."""
    away = phone.presence != "available"
    return Node("presence", {"from": phone.jid(), "type": "unavailable" if away else None, "last": "deny" if away else None})


def _key_nodes(bundle: Bundle, signature: bytes) -> list[Node]:
    one_time = Node("key", {}, [Node("id", {}, (bundle.one_time_id or 0).to_bytes(3, "big")), Node("value", {}, bundle.one_time or b"")])
    signed = [Node("id", {}, bundle.signed_id.to_bytes(3, "big")), Node("value", {}, bundle.signed), Node("signature", {}, signature)]
    return [*([one_time] if bundle.one_time else []), Node("skey", {}, signed)]


def bundle_nodes(bundle: Bundle, signature: bytes) -> list[Node]:
    """A bundle as the answer to a query for keys has it."""
    head = [Node("registration", {}, bundle.registration.to_bytes(4, "big")), Node("type", {}, b"\5")]
    return [*head, Node("identity", {}, bundle.identity), *_key_nodes(bundle, signature)]


def _read_keys(node: Node, keys: Node) -> Bundle:
    signed, one_time = keys.child("skey"), keys.find("key")
    bundle = Bundle(
        node.child("registration").number,
        keys.child("identity").data,
        signed.child("id").number,
        signed.child("value").data,
        one_time.child("id").number if one_time else None,
        one_time.child("value").data if one_time else None,
    )
    if any(len(key) != 32 for key in (bundle.identity, bundle.signed, bundle.one_time or bundle.signed)):
        raise BadStanza("A retry receipt with a key that is none.")
    return bundle


def _spoil(kind: str, sealed: bytes) -> bytes:
    """The same message with a wrong authentication code."""
    inner = numbers_and_bytes(sealed[1:])[1][4] if kind == "pkmsg" else sealed
    return sealed.replace(inner[-8:], inner[-8:-1] + bytes([inner[-1] ^ 1]))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
