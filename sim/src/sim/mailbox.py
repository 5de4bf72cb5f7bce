"""What phones keep of their chats: what they wrote, what they decrypted, the ticks they saw."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from sim.content import File, Shown
from sim.database import Database
from sim.directory import Phone

_RANK = {"": 0, "delivered": 1, "read": 2, "played": 3}


def new_id() -> str:
    """A message id as phones make them."""
    return "3A" + os.urandom(9).hex().upper()


class Sent(Struct):
    """A message as its writer remembers it, to show it and to encrypt it again.

    Attributes:
        category: `peer` for what a phone tells its own sessions about itself, else empty.
        server: How the chat is addressed: by number or by LID.
        message: The protobuf, as its recipients get it.
    """

    number: str
    id: str
    recipient: str
    category: str
    server: str
    shown: Shown
    message: bytes


class Item(Struct, omit_defaults=True):
    """One entry of an inbox.

    Attributes:
        sender: The number that wrote it: the phone's own for copies of what its sessions wrote.
        device: The session that wrote it; 0 for a phone.
        about: What a reaction, an edit or a revocation is about.
    """

    n: int
    id: str
    sender: str = msgspec.field(name="from")
    to: str
    kind: str
    text: str
    at: str
    device: int
    media: dict[str, Any] | None = None
    about: str = ""
    quoted: str = ""
    facts: dict[str, Any] = msgspec.field(default_factory=dict)


def now() -> str:
    """The time as the control API tells it: RFC 3339, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def public(file: File | None) -> dict[str, Any] | None:
    """What is told of a file: no key, no path."""
    if file is None:
        return None
    told: dict[str, Any] = {"size": file.size, "mime": file.mime, "file_name": file.file_name, "sha256": file.sha256}
    return told | {"broken": file.broken} if file.broken else told


class Mailbox:
    """Reads and writes of inbox, sent and receipts; what is written is kept with the batch."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def remember(self, phone: Phone, sent: Sent) -> None:
        """The message can be shown, and encrypted again, as long as the file lives."""
        phone.written += 1
        shown = sent.shown
        self._db.write(
            "insert or replace into sent values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(sent.number, sent.id, phone.written, sent.recipient, sent.category, sent.server, shown.kind, shown.text),
            *(msgspec.msgpack.encode(shown), sent.message, now()),
        )

    def sent(self, phone: Phone, id: str) -> Sent | None:
        """A message that the phone wrote."""
        rows = self._db.read("select recipient, category, server, media, message from sent where number=? and id=?", phone.number, id)
        if not rows:
            return None
        recipient, category, server, shown, message = rows[0]
        return Sent(phone.number, id, recipient, category, server, msgspec.msgpack.decode(shown, type=Shown), message)

    def has(self, phone: Phone, sender: str, id: str) -> bool:
        """Whether the phone has this message already."""
        return bool(self._db.read("select 1 from inbox where number=? and sender=? and id=?", phone.number, sender, id))

    def receive(self, phone: Phone, *, id: str, sender: str, recipient: str, device: int, server: str, shown: Shown) -> None:
        """The message is in the phone's inbox, as its next item."""
        phone.received += 1
        self._db.write(
            "insert into inbox values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(phone.number, phone.received, id, sender, recipient, device, server, shown.kind, shown.text),
            *(msgspec.msgpack.encode(shown), now()),
        )

    def origin(self, phone: Phone, id: str) -> tuple[str, str] | None:
        """Who wrote a message of the inbox, and how its chat is addressed."""
        rows = self._db.read("select sender, server from inbox where number=? and id=? and sender<>?", phone.number, id, phone.number)
        return rows[0] if rows else None

    def where(self, phone: Phone, id: str) -> str:
        """Whom a message of the inbox was written to: the phone, or a group."""
        rows = self._db.read("select recipient from inbox where number=? and id=? and sender<>?", phone.number, id, phone.number)
        return str(rows[0][0]) if rows else ""

    def tick(self, phone: Phone, *, id: str, sender: str, device: int, type: str) -> bool:
        """The phone saw this tick; False when it had seen it from that device before."""
        seen = "select 1 from receipts where number=? and id=? and sender=? and device=? and type=?"
        if self._db.read(seen, phone.number, id, sender, device, type):
            return False
        phone.seen += 1
        self._db.write("insert into receipts values (?, ?, ?, ?, ?, ?, ?)", phone.number, phone.seen, id, sender, device, type, now())
        return True

    def inbox(self, phone: Phone, after: int, limit: int) -> list[Item]:
        """What the phone decrypted after item *after*."""
        rows = self._db.read(
            "select n, id, sender, recipient, device, media, at from inbox where number=? and n>? order by n limit ?",
            *(phone.number, after, limit),
        )
        return [self._item(*row) for row in rows]

    def file(self, phone: Phone, id: str) -> Shown | None:
        """A message of the inbox with its file's key."""
        rows = self._db.read("select media from inbox where number=? and id=?", phone.number, id)
        rows = rows or self._db.read("select media from sent where number=? and id=?", phone.number, id)
        return msgspec.msgpack.decode(rows[0][0], type=Shown) if rows else None

    def receipts(self, phone: Phone, after: int, limit: int) -> list[dict[str, Any]]:
        """The ticks that the phone saw after number *after*."""
        rows = self._db.read(
            "select n, id, sender, device, type, at from receipts where number=? and n>? order by n limit ?", phone.number, after, limit
        )
        return [dict(zip(("n", "id", "from", "device", "type", "at"), row, strict=True)) for row in rows]

    def chats(self, phone: Phone) -> list[str]:
        """The numbers this phone has a chat with, the latest first; groups are none."""
        rows = self._db.read(
            "select other from (select case sender when number then recipient else sender end other, at from inbox"
            " where number=?1 and server<>'g.us'"
            " union all select recipient, at from sent where number=?1 and category='' and server<>'g.us')"
            " group by other order by max(at) desc",
            phone.number,
        )
        return [other for (other,) in rows]

    def chat(self, phone: Phone, other: str, limit: int) -> list[dict[str, Any]]:
        """The last messages with *other*, oldest first; what the phone wrote has `from_me` and the best tick as its `status`."""
        rows = self._db.read(
            "select * from (select id, sender=number, media, at, n, 0 own from inbox"
            " where number=?1 and (sender=?2 and server<>'g.us' or recipient=?2)"
            " union all select id, 1, media, at, n, 1 own from sent where number=?1 and recipient=?2 and category='')"
            " order by at desc, own desc, n desc limit ?3",
            *(phone.number, other, limit),
        )
        return [self._line(phone, *row[:4], own=bool(row[5])) for row in reversed(rows)]

    def _line(self, phone: Phone, id: str, from_me: int, shown: bytes, at: str, *, own: bool) -> dict[str, Any]:
        what = msgspec.msgpack.decode(shown, type=Shown)
        line: dict[str, Any] = {"id": id, "from_me": bool(from_me), "kind": what.kind, "text": what.text, "at": at}
        if what.file:
            line["media"] = public(what.file)
        if own:
            types = [t for (t,) in self._db.read("select type from receipts where number=? and id=?", phone.number, id)]
            line["status"] = max(types, key=lambda t: _RANK.get(t, 0), default="sent")
        return line

    def _item(self, n: int, id: str, sender: str, recipient: str, device: int, shown: bytes, at: str) -> Item:
        what = msgspec.msgpack.decode(shown, type=Shown)
        return Item(n, id, sender, recipient, what.kind, what.text, at, device, public(what.file), what.about, what.quoted, what.facts)
