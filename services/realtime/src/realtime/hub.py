"""Who gets which frame, in which order. Pure: no clock, no I/O.

Every socket of a tenant with the same `View` gets the same bytes. A frame names the sequence before it (``prev``), so a
client that sees another number there than its last one knows that something is missing and resumes. What a socket is told:
every event that it may see, once, in order of the sequence — or `resync`, never a part without saying so.

Who sees some numbers only is told what is about one of them, and nothing that is about no number; who sees some chats only,
nothing of the others, whose team and assignee the event names as of its commit. When that changes, a socket moves to its new
view and is told to fetch anew; its epoch bears a mark of what it sees, so that who comes back after a change is told the same.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec
from contracts.envelope import Audience
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Principal, Reach, Role

#: Frames for those who manage numbers.
MANAGERS = frozenset({"qr_code"})
#: Frames about a number and no chat: for who sees the number, whichever of its chats. Any other is taken to be about a chat.
NUMBERS = frozenset({"device_status", "device_deleted", "qr_code"})
#: About no number: for who sees all of the account.
ANY = Audience()


class View(NamedTuple):
    """All that decides what a principal may see; sockets with equal views share their frames.

    Attributes:
        devices: The numbers that it sees; None: all.
        chats: Which of their chats.
        teams: With ``team``: in whose queues.
        who: With ``team`` and ``own``: whose chats.
    """

    manager: bool
    devices: frozenset[DeviceId] | None = None
    chats: Reach = "all"
    teams: frozenset[UUID] = frozenset()
    who: UserId | None = None


def view_of(principal: Principal) -> View:
    """Give the view of *principal*."""
    access = principal.access
    return View(
        manager=principal.may(Role.ADMIN),
        devices=access.devices,
        chats=access.chats,
        teams=access.teams if access.chats == "team" else frozenset(),
        who=None if access.chats == "all" else principal.id,
    )


def may_see(view: View, audience: Audience, frame: str) -> bool:
    """Tell whether a frame about something of *audience* is for *view*."""
    if frame in MANAGERS and not view.manager:
        return False
    if view.who is None or frame in NUMBERS:
        return view.devices is None or audience.device in view.devices
    access = Access(devices=view.devices, teams=view.teams, chats=view.chats)
    return access.reads(view.who, audience.device, audience.team, audience.assignee)


def mark(epoch: str, view: View) -> str:
    """Name *epoch* as *view* knows it: as it is for who sees all, otherwise with a mark of what it sees."""
    if view.devices is None and view.who is None:
        return epoch
    devices = None if view.devices is None else sorted(view.devices)
    seen = msgspec.json.encode([devices, view.chats, sorted(view.teams), view.who])
    return f"{epoch}.{hashlib.sha256(seen).hexdigest()[:12]}"


class Outlet(Protocol):
    """Where frames go: a socket. `send` must neither block nor join or leave the hub."""

    def send(self, message: bytes) -> None:
        """Take one whole message as it goes over the wire."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event that becomes a frame; *data* is JSON as the event's teller wrote it."""

    seq: int
    tenant: TenantId
    audience: Audience
    frame: str
    data: bytes


def on_wire(text: bytes) -> bytes:
    """Wrap *text* into one unmasked WebSocket text frame (RFC 6455, 5.2)."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def event(happened: Happened, prev: int) -> bytes:
    """Write an event for everyone whose last sequence is *prev*."""
    head = b'{"event":"%b","seq":%d,"prev":%d,"data":' % (happened.frame.encode(), happened.seq, prev)
    return on_wire(head + happened.data + b"}")


def ephemeral(frame: str, data: bytes) -> bytes:
    """Write what has no sequence."""
    return on_wire(b'{"event":"%b","data":%b}' % (frame.encode(), data))


def hello(epoch: str, seq: int, data: object) -> bytes:
    """Write a socket's first frame: *seq* is what the next frame's ``prev`` will be."""
    return on_wire(msgspec.json.encode({"event": "hello", "epoch": epoch, "seq": seq, "data": data}))


def resync(epoch: str, seq: int, reason: str) -> bytes:
    """Write that frames are missing: fetch everything anew, then go on from *seq*."""
    return on_wire(msgspec.json.encode({"event": "resync", "epoch": epoch, "seq": seq, "reason": reason, "data": {"reason": reason}}))


def said(event: str, data: object) -> bytes:
    """Write an answer to what a client said."""
    return on_wire(msgspec.json.encode({"event": event, "data": data}))


class Ring:
    """The last events, bounded by number and bytes, found by tenant.

    Attributes:
        floor: Every event after this sequence is here.
    """

    def __init__(self, floor: int, *, events: int, size: int) -> None:
        self.floor = floor
        self._events = events
        self._size = size
        self._held = 0
        self._all: deque[Happened] = deque()
        self._tenants: dict[TenantId, deque[Happened]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, happened: Happened) -> None:
        """Keep the newest event; the oldest go."""
        self._all.append(happened)
        self._tenants.setdefault(happened.tenant, deque()).append(happened)
        self._held += len(happened.data)
        while self._all and (len(self._all) > self._events or self._held > self._size):
            oldest = self._all.popleft()
            self._held -= len(oldest.data)
            self.floor = oldest.seq
            mine = self._tenants[oldest.tenant]
            mine.popleft()
            if not mine:
                del self._tenants[oldest.tenant]

    def after(self, tenant: TenantId, seq: int) -> list[Happened]:
        """Give the tenant's events after *seq*, oldest first."""
        found = []
        for happened in reversed(self._tenants.get(tenant, ())):
            if happened.seq <= seq:
                break
            found.append(happened)
        found.reverse()
        return found

    def clear(self, floor: int) -> None:
        """Forget everything; what follows comes after *floor*."""
        self._all.clear()
        self._tenants.clear()
        self._held = 0
        self.floor = floor


@dataclass(slots=True)
class _Room:
    """The sockets of one tenant with one view.

    Attributes:
        level: Those whose last sequence is `last`.
        apart: Those with another last sequence; their next frame is written for them, and then they are level.
    """

    last: int = 0
    level: set[Outlet] = field(default_factory=set)
    apart: dict[Outlet, int] = field(default_factory=dict)

    def tell(self, happened: Happened) -> int:
        told = len(self.level)
        if self.level:
            message = event(happened, self.last)
            for outlet in self.level:
                outlet.send(message)
        if self.apart:
            written: dict[int, bytes] = {}
            for outlet, last in list(self.apart.items()):
                if happened.seq <= last:
                    continue  # it had this one from another replica that was ahead of us
                if last not in written:
                    written[last] = event(happened, last)
                outlet.send(written[last])
                del self.apart[outlet]
                self.level.add(outlet)
                told += 1
        self.last = happened.seq
        return told

    def everyone(self) -> Iterable[Outlet]:
        return (*self.level, *self.apart)


class Hub:
    """All sockets of this replica and what they are told.

    Attributes:
        epoch: Names the stream that the sequences belong to.
        position: Everything up to here has been told.
    """

    def __init__(self, epoch: str, ring: Ring) -> None:
        self.epoch = epoch
        self.ring = ring
        self.position = ring.floor
        self._rooms: dict[TenantId, dict[View, _Room]] = {}

    def publish(self, happened: Happened) -> int:
        """Tell an event to all who may see it, and count them. Older than the last one: nobody."""
        if happened.seq <= self.position:
            return 0
        self.position = happened.seq
        self.ring.add(happened)
        told = 0
        for view, room in self._rooms.get(happened.tenant, {}).items():
            if may_see(view, happened.audience, happened.frame):
                told += room.tell(happened)
        return told

    def shout(self, tenant: TenantId, frame: str, data: bytes, audience: Audience = ANY) -> int:
        """Tell what has no sequence to all who may see it."""
        told = 0
        message = b""
        for view, room in self._rooms.get(tenant, {}).items():
            if may_see(view, audience, frame):
                message = message or ephemeral(frame, data)
                for outlet in room.everyone():
                    outlet.send(message)
                    told += 1
        return told

    def after(self, tenant: TenantId, view: View, seq: int) -> list[Happened] | None:
        """Give what *view* may see after *seq*, oldest first; None when some of it is not in memory any more."""
        if seq < self.ring.floor:
            return None
        return [happened for happened in self.ring.after(tenant, seq) if may_see(view, happened.audience, happened.frame)]

    def join(self, outlet: Outlet, tenant: TenantId, view: View, last: int) -> None:
        """Tell *outlet* all that comes; it was told everything up to now, *last* being the last sequence that it knows."""
        room = self._rooms.setdefault(tenant, {}).setdefault(view, _Room())
        if last == room.last and room.level:
            room.level.add(outlet)
        else:
            room.apart[outlet] = last

    def leave(self, outlet: Outlet, tenant: TenantId, view: View) -> None:
        """Tell *outlet* nothing more."""
        views = self._rooms.get(tenant)
        room = views.get(view) if views else None
        if views is None or room is None:
            return
        room.level.discard(outlet)
        room.apart.pop(outlet, None)
        if not room.level and not room.apart:
            del views[view]
            if not views:
                del self._rooms[tenant]

    def lose(self, position: int, epoch: str) -> None:
        """Go on after *position* though something before it was missed: everyone is told so."""
        self.epoch = epoch
        self.position = position
        self.ring.clear(position)
        for views in self._rooms.values():
            for view, room in views.items():
                message = resync(mark(epoch, view), position, "gap")
                for outlet in room.everyone():
                    outlet.send(message)
                    room.apart[outlet] = position
                room.level.clear()
                room.last = 0
