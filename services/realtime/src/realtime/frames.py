"""What a client is told, as bytes; and which of it is for whom. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import msgspec
from contracts import ids
from contracts.envelope import Audience
from contracts.ids import TenantId, UserId
from contracts.principal import Access, Principal, Role

#: Of what clients and server say to each other; another number means that an older client would go wrong.
PROTOCOL = 1

#: Frames for those who manage numbers and programs.
MANAGERS = frozenset({"qr_code", "webhook_disabled", "webhook_warning"})
#: About nothing in particular: for who sees all of the account.
ANY = Audience()

_ALL = Access()


class About(Enum):
    """What decides who may see a fact of an audience: which chats somebody reads, which numbers it sees, or neither."""

    CHAT = "chat"
    NUMBER = "number"
    ACCOUNT = "account"


class Wire(Enum):
    """What a message is wrapped in: a WebSocket's frame, or a server-sent event."""

    SOCKET = "socket"
    STREAM = "stream"


class View(NamedTuple):
    """All that decides what a principal may see; sockets with equal views share their frames.

    Attributes:
        access: What it sees, without what decides nothing.
        who: The user, where it matters who it is; else None.
    """

    manager: bool
    access: Access = _ALL
    who: UserId | None = None

    @property
    def whole(self) -> bool:
        """Whether it is all of the account."""
        return self.access == _ALL


def view_of(principal: Principal) -> View:
    """Give the view of *principal*."""
    access = principal.access
    if access.chats != "team" and access.teams:
        access = msgspec.structs.replace(access, teams=frozenset())
    return View(principal.may(Role.ADMIN), access, None if access.chats == "all" else principal.id)


@dataclass(frozen=True, slots=True)
class Happened:
    """One event that becomes a frame; *data* is JSON as the event's teller wrote it.

    Attributes:
        former: Who could see it until it happened, and is told that it is gone.
        trace: What it was done for, where traces are collected.
    """

    seq: int
    tenant: TenantId
    audience: Audience
    frame: str
    data: bytes
    about: About = About.CHAT
    former: Audience | None = None
    trace: str | None = None


def may_see(view: View, happened: Happened) -> bool:
    """Tell whether an event is for *view*."""
    former = happened.former
    return allowed(view, happened.frame, happened.about, happened.audience) or (
        former is not None and allowed(view, happened.frame, happened.about, former)
    )


def allowed(view: View, frame: str, about: About, audience: Audience | None) -> bool:
    """Tell whether *frame* about something of *audience* (None: not known) is for *view*."""
    if frame in MANAGERS and not view.manager:
        return False
    access = view.access
    if about is About.ACCOUNT or access == _ALL:
        return True
    if audience is None:
        return False
    if about is About.NUMBER:
        return access.sees(audience.device)
    if view.who is None:
        return access.sees(audience.device)
    return access.reads(view.who, audience.device, audience.team, audience.assignee)


def mark(epoch: str, view: View) -> str:
    """Name *epoch* as *view* knows it: as it is for who sees all and manages it, otherwise with a mark of what it sees."""
    if view.whole and view.manager:
        return epoch
    access = view.access
    parts = [b"manager" if view.manager else b"", access.chats.encode(), view.who.bytes if view.who else b""]
    parts.append(b"*" if access.devices is None else b"".join(sorted(device.bytes for device in access.devices)))
    parts.append(b"".join(sorted(team.bytes for team in access.teams)))
    return f"{epoch}.{hashlib.sha256(b'|'.join(parts)).hexdigest()[:12]}"


# As bytes


def on_wire(text: bytes) -> bytes:
    """Wrap *text* into one unmasked WebSocket text frame (RFC 6455, 5.2)."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def place(epoch: str, seq: int) -> str:
    """Name where a stream of events goes on, as the `id` of one."""
    return f"{epoch}:{seq}"


def _write(text: bytes, wire: Wire, epoch: str = "", seq: int | None = None) -> bytes:
    if wire is Wire.SOCKET:
        return on_wire(text)
    head = b"" if seq is None else b"id: %b\n" % place(epoch, seq).encode()
    return b"%bdata: %b\n\n" % (head, text)


def event(happened: Happened, prev: int, wire: Wire = Wire.SOCKET, epoch: str = "") -> bytes:
    """Write an event for everyone whose last sequence is *prev*; *epoch* as they know it."""
    head = b'{"event":"%b","seq":%d,"prev":%d,"data":' % (happened.frame.encode(), happened.seq, prev)
    return _write(head + happened.data + b"}", wire, epoch, happened.seq)


def plain(frame: str, data: bytes, wire: Wire = Wire.SOCKET) -> bytes:
    """Write what has no sequence."""
    return _write(b'{"event":"%b","data":%b}' % (frame.encode(), data), wire)


def hello(epoch: str, seq: int, data: Mapping[str, object], wire: Wire = Wire.SOCKET) -> bytes:
    """Write a client's first frame: *seq* is what the next frame's ``prev`` will be."""
    told = {"event": "hello", "protocol": PROTOCOL, "epoch": epoch, "seq": seq, "data": data}
    return _write(msgspec.json.encode(told), wire, epoch, seq)


def lost(epoch: str, seq: int, reason: str, wire: Wire = Wire.SOCKET) -> bytes:
    """Write that frames are missing: fetch everything anew, then go on from *seq*."""
    told = {"event": "resync", "epoch": epoch, "seq": seq, "reason": reason, "data": {"reason": reason}}
    return _write(msgspec.json.encode(told), wire, epoch, seq)


def said(event: str, data: object, wire: Wire = Wire.SOCKET) -> bytes:
    """Write an answer to what a client said, or anything else that is for one client alone."""
    return plain(event, msgspec.json.encode(data), wire)


def public(user: UserId) -> str:
    """Name *user* as the edge does."""
    return ids.public(ids.USER, user)
