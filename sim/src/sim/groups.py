"""Groups: who is in them, and what becomes of a message that is written into one.

Addressed by LID, as WhatsApp's own are: a message comes from the group, its author is the participant.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from sim import content
from sim.connection import Connection
from sim.database import Database
from sim.delivery import Counts, Delivery
from sim.directory import Companion, Directory, Phone
from sim.mailbox import Sent, new_id
from sim.nodes import GROUP, JID, LID, PN, Node
from sim.proto import DecodeError, e2e
from sim.ratchet import Undecryptable
from sim.senderkeys import OwnKey, TheirKey

if TYPE_CHECKING:
    from sim.traffic import Traffic


class Group(Struct):
    """One group; *members* are numbers, its maker the first of them."""

    id: str
    subject: str
    members: list[str]
    at: float

    def jid(self, server: str = GROUP) -> JID:
        """Its address; it has only one."""
        return JID(self.id, GROUP)


class Groups:
    """Every group, and the keys of those who write in them."""

    def __init__(self, db: Database, directory: Directory, delivery: Delivery, counts: Counts, traffic: Traffic) -> None:
        self._db, self._directory, self._delivery, self._counts, self._traffic = db, directory, delivery, counts, traffic
        self._mailbox = traffic.mailbox
        self._own: dict[tuple[str, str], OwnKey] = {}
        self._theirs: dict[tuple[str, str, str], TheirKey] = {}
        self.all: dict[str, Group] = {}
        for id, group in db.read("select id, what from groups"):
            self.all[id] = msgspec.msgpack.decode(group, type=Group)

    def find(self, jid: JID) -> Group | None:
        """The group of an address."""
        return self.all.get(jid.user) if jid.server == GROUP else None

    def create(self, subject: str, members: list[Phone]) -> Group:
        """A new group; the first of its members made it."""
        numbers = list(dict.fromkeys(phone.number for phone in members))
        group = Group(f"120363{int.from_bytes(os.urandom(5), 'big'):013d}", subject, numbers, time.time())
        self._keep(group)
        return group

    def rename(self, group: Group, subject: str) -> None:
        """The group is called *subject*, and the sessions in it hear so."""
        group.subject = subject
        self._keep(group)
        maker, now = self._directory.phones[group.members[0]], int(time.time())
        change = Node("subject", {"subject": subject, "s_t": now, "s_o": maker.jid(LID)})
        for companion in self._sessions(group):
            attrs: dict[str, Any] = {"from": group.jid(), "type": "w:gp2", "t": now, "participant": maker.jid(LID)}
            self._delivery.put(companion, Node("notification", {**attrs, "id": f"gp{time.time_ns()}"}, [change]))

    def node(self, group: Group) -> Node:
        """The group as it is told to who asks."""
        maker, made = self._directory.phones[group.members[0]], int(group.at)
        people = [self._directory.phones[number] for number in group.members]
        attrs: dict[str, Any] = {"id": group.id, "subject": group.subject, "creation": made, "s_t": made, "addressing_mode": "lid"}
        attrs |= {"creator": maker.jid(LID), "s_o": maker.jid(LID)}
        kind = {maker.number: "superadmin"}
        who = [Node("participant", {"jid": p.jid(LID), "phone_number": p.jid(PN), "type": kind.get(p.number)}) for p in people]
        return Node("group", attrs, who)

    def answer(self, companion: Companion, about: JID, tag: str) -> list[Node] | None:
        """What the session asks of groups; None: there is no such group for it."""
        if tag == "participating":
            return [Node("groups", {}, [self.node(group) for group in self.all.values() if companion.phone.number in group.members])]
        group = self.find(about)
        return None if group is None or companion.phone.number not in group.members else [self.node(group)]

    # -- a phone writes

    def write(self, sender: Phone, group: Group, message: Any) -> str:
        """*message* is on its way to all phones and sessions of the group.  Its id."""
        shown = content.show(message)
        sent = Sent(sender.number, new_id(), str(group.jid()), "", GROUP, shown, message.SerializeToString())
        self._mailbox.remember(sender, sent)
        given = self._own_key(sender, group).distribution()  # before it moves on: who has not got the key starts with this message
        sealed = self._own_key(sender, group).seal(_padded(sent.message))
        if sender.corrupt_sent > 0:
            sender.corrupt_sent -= 1
            sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        for companion in self._sessions(group):
            self.to_session(sender, companion, sent, sealed=sealed, distribution=given)
        for phone in self._others(group, sender):
            self._mailbox.receive(phone, id=sent.id, sender=sender.number, recipient=sent.recipient, device=0, server=GROUP, shown=shown)
            self._traffic.tell(phone, "inbox")
        self._traffic.tell(sender, "sent")
        return sent.id

    def to_session(
        self, sender: Phone, companion: Companion, sent: Sent, *, count: int = 0, sealed: bytes = b"", distribution: bytes = b""
    ) -> None:
        """The message, with the sender's key where the session has not got it; asked for again, it goes pairwise."""
        group = self.find(JID.parse(sent.recipient))
        if group is None:
            return
        if not companion.signed:
            number, device = companion.phone.number, companion.device
            self._db.write("insert into waiting (number, device, sender, id) values (?, ?, ?, ?)", number, device, sender.number, sent.id)
            return
        key = self._own_key(sender, group)
        if not sealed:
            distribution = key.distribution()
            sealed = b"" if count else key.seal(_padded(sent.message))
        kept = content.Message.FromString(sent.message) if count else content.Message()
        kept.senderKeyDistributionMessage.groupID = str(group.jid())
        kept.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage = distribution
        parts: list[Node] = []
        kind = {"mediatype": sent.shown.kind if sent.shown.file else None}
        if count or companion.address not in key.given:
            how, pairwise = sender.signal.encrypt(
                companion.address, lambda: self._directory.take_bundle(companion), kept.SerializeToString()
            )
            parts.append(Node("enc", {"v": 2, "type": how, "count": count or None}, pairwise))
            key.given.append(companion.address)
        if not count:
            parts.append(Node("enc", {"v": 2, "type": "skmsg", **kind}, sealed))
        self._store_own(sender, group)
        attrs = self._attrs(group, sender.jid(LID), sender.jid(PN), sent.id, "text" if sent.shown.file is None else "media", sender.name)
        self._delivery.put(companion, Node("message", attrs, parts))

    # -- a session writes

    async def from_session(self, connection: Connection, sender: Companion, node: Node) -> None:
        """One message of a session reaches every phone and session of the group; the session hears that it was taken."""
        to, id = node.jid("to"), node.text("id")
        group = self.find(to)
        error = None if group and sender.phone.number in group.members else 404 if group is None else 403
        taken: list[Phone] = []
        if group is not None and error is None:
            self._counts.messages_in += 1
            participants = node.find("participants")
            parts = {str(p.jid("jid")): p.find("enc") for p in participants.children} if participants else {}
            whole = next((part for part in node.children if part.tag == "enc"), None)
            again = node.attrs.get("participant")  # encrypted anew for one who asked
            for number in group.members:
                phone = self._directory.phones[number]
                for companion in [one for one in phone.companions.values() if one is not sender]:
                    self._forward(group, sender, companion, node, _part(parts, companion.jid(LID), companion.jid(PN)), whole)
                mine = whole if again else _part(parts, phone.jid(LID), phone.jid(PN))
                if (not again or self._directory.find(node.jid("participant")) is phone) and await self._open(
                    group, phone, sender, node, mine, None if again else whole
                ):
                    taken.append(phone)
        ack = Node("ack", {"class": "message", "id": id, "from": to, "t": int(time.time()), "error": error})
        self._db.then(lambda: connection.send(ack))
        for phone in taken:
            if group is not None and phone is not sender.phone and phone.auto_receipts != "none":
                for type in ("delivered", "read") if phone.auto_receipts == "read" else ("delivered",):
                    self.receipt(phone, sender.phone, id, type, group)

    def _forward(self, group: Group, sender: Companion, to: Companion, node: Node, part: Node | None, whole: Node | None) -> None:
        again = node.attrs.get("participant")
        if again and (self._directory.find(node.jid("participant")) is not to.phone or node.jid("participant").device != to.device):
            return
        identity = node.find("device-identity")
        attrs = self._attrs(group, sender.jid(LID), sender.jid(PN), node.text("id"), node.text("type", "text"), sender.phone.name)
        self._delivery.put(to, Node("message", attrs, [one for one in (part, whole, identity) if one is not None]))

    async def _open(self, group: Group, phone: Phone, sender: Companion, node: Node, pairwise: Node | None, whole: Node | None) -> bool:
        """The message is in the phone's inbox, which is True; or it is a repeat, or the phone has asked the session for it again."""
        id = node.text("id")
        if self._mailbox.has(phone, sender.phone.number, id):
            return False
        try:
            message = content.Message()
            if pairwise is not None:
                message = content.Message.FromString(phone.signal.decrypt(sender.address, pairwise.text("type"), pairwise.data))
                self._learn(phone, sender, message)
            if whole is not None:
                theirs = self._their_key(phone, group, sender.address)
                if theirs is None or phone.corrupt_received > 0:
                    phone.corrupt_received = max(phone.corrupt_received - 1, 0)
                    raise Undecryptable("No key of this device.")
                message = content.Message.FromString(_unpadded(theirs.open(whole.data)))
                self._store_their(phone, group, sender.address, theirs)
        except (Undecryptable, DecodeError, ValueError):
            self._traffic.ask_again(phone, sender, id, group.jid())
            return False
        shown = content.show(message)
        if shown.kind == "protocol":
            return False
        await self._traffic.check(shown)
        self._mailbox.receive(
            phone, id=id, sender=sender.phone.number, recipient=str(group.jid()), device=sender.device, server=GROUP, shown=shown
        )
        self._traffic.tell(phone, "inbox")
        return True

    def _learn(self, phone: Phone, sender: Companion, message: e2e.Message) -> None:
        """The phone can open what this device writes into the group from now on."""
        if message.HasField("senderKeyDistributionMessage"):
            given = message.senderKeyDistributionMessage
            if group := self.find(JID.parse(given.groupID)):
                self._store_their(phone, group, sender.address, TheirKey.read(given.axolotlSenderKeyDistributionMessage))

    # -- ticks

    def receipt(self, phone: Phone, to: Phone, id: str, type: str, group: Group) -> None:
        """The phone's tick for a message of *to* in the group is on its way to all sessions of that number, once."""
        if not self._traffic.tick(to, id, phone, 0, type):
            return
        attrs: dict[str, Any] = {"id": id, "t": int(time.time()), "from": group.jid(), "participant": phone.jid(LID)}
        for companion in to.companions.values():
            self._delivery.put(companion, Node("receipt", attrs | {"type": None if type == "delivered" else type}))

    def receipt_from_session(self, companion: Companion, group: JID, node: Node, ids: dict[str, None], tick: str | None) -> None:
        """A session's receipt goes to its message's author: as a tick of the phone, and as it is to his sessions."""
        author = node.jid("participant")
        phone = self._directory.find(author)
        if phone is None or phone is companion.phone:
            return
        attrs = {**node.attrs, "from": group, "participant": companion.jid(LID), "to": None, "t": int(time.time())}
        for other in phone.companions.values():
            if node.text("type", "") != "retry" or other.device == author.device:
                self._delivery.put(other, Node("receipt", dict(attrs), node.content))
        for id in ids if tick else ():
            self._traffic.tick(phone, id, companion.phone, companion.device, tick or "")

    # -- keys

    def _own_key(self, phone: Phone, group: Group) -> OwnKey:
        name = phone.number, group.id
        if name not in self._own:
            rows = self._db.read("select key from group_keys where number=? and grp=? and address=''", *name)
            self._own[name] = msgspec.msgpack.decode(rows[0][0], type=OwnKey) if rows else OwnKey.fresh()
        return self._own[name]

    def _store_own(self, phone: Phone, group: Group) -> None:
        key = msgspec.msgpack.encode(self._own[phone.number, group.id])
        self._db.write("insert or replace into group_keys values (?, ?, '', ?)", phone.number, group.id, key)

    def _their_key(self, phone: Phone, group: Group, address: str) -> TheirKey | None:
        name = phone.number, group.id, address
        if name not in self._theirs:
            rows = self._db.read("select key from group_keys where number=? and grp=? and address=?", *name)
            if not rows:
                return None
            self._theirs[name] = msgspec.msgpack.decode(rows[0][0], type=TheirKey)
        return self._theirs[name]

    def _store_their(self, phone: Phone, group: Group, address: str, key: TheirKey) -> None:
        self._theirs[phone.number, group.id, address] = key
        self._db.write(
            "insert or replace into group_keys values (?, ?, ?, ?)", phone.number, group.id, address, msgspec.msgpack.encode(key)
        )

    # -- who

    def _attrs(self, group: Group, author: JID, pn: JID, id: str, type: str, name: str) -> dict[str, Any]:
        attrs: dict[str, Any] = {"from": group.jid(), "participant": author, "participant_pn": pn, "addressing_mode": "lid"}
        return attrs | {"id": id, "t": int(time.time()), "type": type, "notify": name}

    def _sessions(self, group: Group) -> list[Companion]:
        return [companion for number in group.members for companion in self._directory.phones[number].companions.values()]

    def _others(self, group: Group, sender: Phone) -> list[Phone]:
        return [self._directory.phones[number] for number in group.members if number != sender.number]

    def _keep(self, group: Group) -> None:
        self.all[group.id] = group
        self._db.write("insert or replace into groups values (?, ?)", group.id, msgspec.msgpack.encode(group))


def _part(parts: dict[str, Node | None], *jids: JID) -> Node | None:
    return next((parts[str(jid)] for jid in jids if str(jid) in parts), None)


def _padded(plain: bytes) -> bytes:
    pad = os.urandom(1)[0] % 16 + 1
    return plain + bytes([pad]) * pad


def _unpadded(plain: bytes) -> bytes:
    if not plain or not 1 <= plain[-1] <= len(plain):
        raise Undecryptable("The padding is wrong.")
    return plain[: -plain[-1]]
