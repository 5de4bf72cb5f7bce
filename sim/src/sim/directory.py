"""Who is on the network: phones, and the sessions linked to them (companions).  Loaded from the file, and written through to it."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

from sim.database import Database
from sim.nodes import JID, LID, PN, Node
from sim.ratchet import Bundle
from sim.signal import Record, Secrets, Signal

if TYPE_CHECKING:
    from sim.connection import Connection

AutoReceipts = Literal["none", "delivered", "read"]
Address = Literal["pn", "lid"]
_NUMBER = re.compile(r"\d{7,15}")


class NotANumber(Exception):
    """A phone number is 7 to 15 digits with its country code."""


class PhoneExists(Exception):
    """There is a phone with this number already."""


def clean(number: str) -> str:
    """Only the digits of a number as people write it.  Raises: NotANumber."""
    digits = re.sub(r"[\s()+.-]", "", number)
    if not _NUMBER.fullmatch(digits):
        raise NotANumber("A phone number is 7 to 15 digits with its country code.")
    return digits


@dataclass(slots=True)
class Queued:
    """One stanza on its way to a session, until the session has acknowledged it."""

    seq: int
    cls: str
    id: str
    node: Node
    sent_on: Connection | None = None


@dataclass(slots=True, eq=False)
class Companion:
    """A session linked to a phone.

    Attributes:
        signed: Its signed prekey; empty until it has published its keys.
        history: Whether its first history is still owed.
        active: Whether it has asked for what is queued, on *connection*.
        held: Whether deliveries are held back by request.
    """

    phone: Phone
    device: int
    identity: bytes
    noise: bytes
    registration: int = 0
    signed_id: int = 0
    signed: bytes = b""
    signature: bytes = b""
    history: bool = True
    linked_at: float = 0.0
    stock: int = 0
    queue: dict[int, Queued] = field(default_factory=dict)
    connection: Connection | None = None
    active: bool = False
    held: bool = False

    @property
    def address(self) -> str:
        """By which Signal sessions with it are known."""
        return f"{self.phone.number}:{self.device}"

    def jid(self, server: str = LID) -> JID:
        """Its address, by LID or by number."""
        return JID(self.phone.lid if server == LID else self.phone.number, server, self.device)


@dataclass(slots=True, eq=False)
class Phone:
    """A virtual phone, of a customer or of the owner of a linked number.

    Attributes:
        received: How many messages it has decrypted, *seen* how many ticks it saw, *written* how many messages it wrote.
        corrupt_sent, corrupt_received: So many of the next messages arrive broken.
        blocked: The numbers that it has blocked.
        held: Encrypted stanzas that wait, while it is told to hold.
    """

    number: str
    lid: str
    name: str
    signal: Signal
    next_prekey: int = 1
    next_device: int = 1
    auto_receipts: AutoReceipts = "delivered"
    address: Address = "pn"
    banned_until: float = 0.0
    companions: dict[int, Companion] = field(default_factory=dict)
    received: int = 0
    seen: int = 0
    written: int = 0
    corrupt_sent: int = 0
    corrupt_received: int = 0
    presence: str = "unavailable"
    typing: dict[str, str] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    held: list[tuple[Companion, Node, Node]] | None = None
    tries: dict[str, int] = field(default_factory=dict)

    def jid(self, server: str = PN) -> JID:
        """The phone's address, by number or by LID."""
        return JID(self.lid if server == LID else self.number, server)

    def refuses(self, other: Phone) -> bool:
        """Whether it has blocked the other one."""
        return other.number in self.blocked


class Directory:
    """Every phone, by number and by LID."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.phones: dict[str, Phone] = {}
        self._lids: dict[str, Phone] = {}

    def load(self) -> None:
        """All that the file knows is here."""
        columns = "number, lid, name, secrets, next_prekey, next_device, auto_receipts, address, banned_until"
        for number, lid, name, secrets, *rest in self._db.read(f"select {columns} from phones"):  # noqa: S608
            self._add(Phone(number, lid, name, self._signal(number, msgspec.msgpack.decode(secrets, type=Secrets)), *rest))
        for table, counter in (("inbox", "received"), ("receipts", "seen"), ("sent", "written")):
            for number, last in self._db.read(f"select number, max(n) from {table} group by number"):  # noqa: S608
                setattr(self.phones[number], counter, last)
        columns = "number, device, identity, noise, registration, signed_id, signed, signature, history, linked_at"
        for number, device, *rest in self._db.read(f"select {columns} from companions"):  # noqa: S608
            companion = Companion(self.phones[number], device, *rest)
            companion.history = bool(companion.history)
            self.phones[number].companions[device] = companion
        for number, device, count in self._db.read("select number, device, count(*) from prekeys group by number, device"):
            self.phones[number].companions[device].stock = count

    def find(self, jid: JID) -> Phone | None:
        """The phone of an address."""
        return self._lids.get(jid.user) if jid.server == LID else self.phones.get(jid.user)

    def companions(self) -> Iterator[Companion]:
        """Every linked session."""
        for phone in self.phones.values():
            yield from phone.companions.values()

    def create(self, number: str, name: str) -> Phone:
        """A new phone.  Raises: PhoneExists."""
        if number in self.phones:
            raise PhoneExists("There is a phone with this number already.")
        secrets = Secrets.fresh()
        lid = str(10**14 + int(hashlib.sha256(number.encode()).hexdigest()[:11], 16))
        phone = self._add(Phone(number, lid, name, self._signal(number, secrets)))
        self._db.write(
            "insert into phones values (?, ?, ?, ?, 1, 1, ?, ?, 0)",
            *(number, lid, name, msgspec.msgpack.encode(secrets), phone.auto_receipts, phone.address),
        )
        return phone

    def save(self, phone: Phone) -> None:
        """What may change of a phone is written."""
        self._db.write(
            "update phones set name=?, next_prekey=?, next_device=?, auto_receipts=?, address=?, banned_until=? where number=?",
            *(phone.name, phone.next_prekey, phone.next_device, phone.auto_receipts, phone.address, phone.banned_until, phone.number),
        )

    def bundle_of_phone(self, phone: Phone) -> Bundle:
        """The phone's keys with its next one-time prekey, which is never given again."""
        number = phone.next_prekey
        phone.next_prekey = number % 0xFFFFFE + 1
        self.save(phone)
        signal = phone.signal
        return Bundle(signal.registration, signal.identity.public, 1, signal.signed.public, number, signal.one_time(number).public)

    def link(self, phone: Phone, device: int, identity: bytes, noise: bytes) -> Companion:
        """A session is linked to the phone; it has published no keys yet."""
        companion = Companion(phone, device, identity, noise, linked_at=time.time())
        phone.companions[device] = companion
        self._db.write(
            "insert into companions values (?, ?, ?, ?, 0, 0, x'', x'', 1, ?)",
            *(phone.number, device, identity, noise, companion.linked_at),
        )
        return companion

    def unlink(self, companion: Companion) -> None:
        """The session is gone, with all that waited for it."""
        companion.phone.companions.pop(companion.device, None)
        for table in ("companions", "prekeys", "queue", "waiting"):
            self._db.write(f"delete from {table} where number=? and device=?", companion.phone.number, companion.device)  # noqa: S608

    def save_companion(self, companion: Companion) -> None:
        """What may change of a session is written."""
        self._db.write(
            "update companions set registration=?, signed_id=?, signed=?, signature=?, history=? where number=? and device=?",
            *(companion.registration, companion.signed_id, companion.signed, companion.signature, int(companion.history)),
            *(companion.phone.number, companion.device),
        )

    def stock_up(self, companion: Companion, keys: dict[int, bytes]) -> None:
        """One-time prekeys that the session has published."""
        number, device = companion.phone.number, companion.device
        for id, value in keys.items():
            self._db.write("insert or replace into prekeys values (?, ?, ?, ?)", number, device, id, value)
        ((companion.stock,),) = self._db.read("select count(*) from prekeys where number=? and device=?", number, device)

    def lose_stock(self, companion: Companion, left: int) -> None:
        """All but *left* one-time prekeys of the session are gone."""
        number, device = companion.phone.number, companion.device
        kept = "select id from prekeys where number=?1 and device=?2 order by id desc limit ?3"
        self._db.write(f"delete from prekeys where number=?1 and device=?2 and id not in ({kept})", number, device, left)  # noqa: S608
        companion.stock = min(companion.stock, left)

    def take_bundle(self, companion: Companion) -> Bundle:
        """The session's keys with one of its one-time prekeys, while there are any; that one is never given again."""
        number, device = companion.phone.number, companion.device
        plain = Bundle(companion.registration, companion.identity, companion.signed_id, companion.signed)
        rows = self._db.read("select id, value from prekeys where number=? and device=? order by id limit 1", number, device)
        if not rows:
            return plain
        ((id, value),) = rows
        self._db.write("delete from prekeys where number=? and device=? and id=?", number, device, id)
        companion.stock -= 1
        return plain._replace(one_time_id=id, one_time=value)

    def _add(self, phone: Phone) -> Phone:
        self.phones[phone.number] = self._lids[phone.lid] = phone
        return phone

    def _signal(self, number: str, secrets: Secrets) -> Signal:
        def load(address: str) -> Record | None:
            rows = self._db.read("select record from ratchets where number=? and address=?", number, address)
            return msgspec.msgpack.decode(rows[0][0], type=Record) if rows else None

        signal = Signal(secrets, load, lambda address: self._db.write_late((number, address), lambda: store(address)))

        def store(address: str) -> None:
            record = msgspec.msgpack.encode(signal.record(address))
            self._db.write("insert or replace into ratchets values (?, ?, ?)", number, address, record)

        return signal
