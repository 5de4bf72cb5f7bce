"""Who gets which frame, in which order. Pure: no clock, no I/O.

Every socket of a tenant with the same `View` gets the same bytes. A frame names the sequence before it (``prev``), so a
client that sees another number there than its last one knows that something is missing and resumes. What a socket is told:
every event that it may see, once, in order of the sequence — or `resync`, never a part without saying so.

Who sees a part of the account only (some numbers, the chats of a team, its own) is told what is about that part. When the
part changes, a socket moves to its new view and is told to fetch anew; its epoch bears a mark of what it sees, so that who
comes back after a change is told the same.

Events wait in their room until `flush`, which the caller calls before it lets go of the processor: ten events that came
together are one write to each socket.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from contracts.ids import TenantId

from realtime.frames import Happened, View, Wire, event, lost, mark, may_see, plain


class Outlet(Protocol):
    """Where frames go: a socket. `send` must neither block nor join or leave the hub."""

    def send(self, message: bytes) -> None:
        """Take one or more whole messages as they go over the wire."""


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

    def erase(self, tenant: TenantId, speaks: Callable[[Happened], bool]) -> int:
        """Those of the tenant's events that *speaks* is true of are here no more; the others stay where they are. Tells how many."""
        gone = {happened.seq for happened in self._tenants.get(tenant, ()) if speaks(happened)}
        if gone:
            self._held -= sum(len(happened.data) for happened in self._tenants[tenant] if happened.seq in gone)
            self._all = deque(happened for happened in self._all if happened.seq not in gone)
            mine = deque(happened for happened in self._tenants.pop(tenant) if happened.seq not in gone)
            if mine:
                self._tenants[tenant] = mine
        return len(gone)

    def clear(self, floor: int) -> None:
        """Forget everything; what follows comes after *floor*."""
        self._all.clear()
        self._tenants.clear()
        self._held = 0
        self.floor = floor


@dataclass(slots=True, eq=False)
class _Room:
    """The sockets of one tenant with one view, on one kind of wire.

    Attributes:
        mark: The epoch as they know it.
        last: The last sequence that was told here, though it may still wait.
        waiting: What goes to those who are level with the next `flush`.
        level: Those whose last sequence is `last`.
        apart: Those with another last sequence; their next frame is written for them, and then they are level.
    """

    view: View
    wire: Wire
    mark: str
    last: int = 0
    waiting: list[bytes] = field(default_factory=list)
    level: set[Outlet] = field(default_factory=set)
    apart: dict[Outlet, int] = field(default_factory=dict)

    def tell(self, happened: Happened) -> int:
        told = len(self.level)
        if self.level:
            self.waiting.append(event(happened, self.last, self.wire, self.mark))
        if self.apart:
            self.flush()
            told += self._tell_apart(happened)
        self.last = happened.seq
        return told

    def _tell_apart(self, happened: Happened) -> int:
        told = 0
        written: dict[int, bytes] = {}
        for outlet, last in list(self.apart.items()):
            if happened.seq <= last:
                continue  # it had this one from another replica that was ahead of us
            if last not in written:
                written[last] = event(happened, last, self.wire, self.mark)
            outlet.send(written[last])
            del self.apart[outlet]
            self.level.add(outlet)
            told += 1
        return told

    def flush(self) -> None:
        if self.waiting:
            message = self.waiting[0] if len(self.waiting) == 1 else b"".join(self.waiting)
            self.waiting.clear()
            for outlet in self.level:
                outlet.send(message)

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
        self._rooms: dict[TenantId, dict[tuple[View, Wire], _Room]] = {}
        self._waiting: set[_Room] = set()

    def publish(self, happened: Happened) -> int:
        """Tell an event, with the next `flush`, to all who may see it, and count them. Older than the last one: nobody."""
        if happened.seq <= self.position:
            return 0
        self.position = happened.seq
        self.ring.add(happened)
        told = 0
        for (view, _), room in self._rooms.get(happened.tenant, {}).items():
            if may_see(view, happened):
                told += room.tell(happened)
                if room.waiting:
                    self._waiting.add(room)
        return told

    def flush(self) -> None:
        """Hand to the sockets what waits for them."""
        for room in self._waiting:
            room.flush()
        self._waiting.clear()

    def shout(self, tenant: TenantId, frame: str, data: Callable[[View], bytes | None]) -> int:
        """Tell what has no sequence, as *data* writes it for each view; None: nothing for this one."""
        told = 0
        self.flush()
        for (view, wire), room in self._rooms.get(tenant, {}).items():
            written = data(view)
            if written is None:
                continue
            message = plain(frame, written, wire)
            for outlet in room.everyone():
                outlet.send(message)
                told += 1
        return told

    def views(self, tenant: TenantId) -> list[View]:
        """Name the views that sockets of *tenant* have here."""
        return [view for view, _ in self._rooms.get(tenant, ())]

    def after(self, tenant: TenantId, view: View, seq: int) -> list[Happened] | None:
        """Give what *view* may see after *seq*, oldest first; None when some of it is not in memory any more."""
        if seq < self.ring.floor:
            return None
        return [happened for happened in self.ring.after(tenant, seq) if may_see(view, happened)]

    def join(self, outlet: Outlet, tenant: TenantId, view: View, last: int, wire: Wire = Wire.SOCKET) -> None:
        """Tell *outlet* all that comes; it was told everything up to now, *last* being the last sequence that it knows."""
        rooms = self._rooms.setdefault(tenant, {})
        room = rooms.get((view, wire))
        if room is None:
            room = rooms[view, wire] = _Room(view, wire, mark(self.epoch, view))
        room.flush()
        if last == room.last and room.level:
            room.level.add(outlet)
        else:
            room.apart[outlet] = last

    def leave(self, outlet: Outlet, tenant: TenantId, view: View, wire: Wire = Wire.SOCKET) -> None:
        """Tell *outlet* nothing more."""
        rooms = self._rooms.get(tenant)
        room = rooms.get((view, wire)) if rooms else None
        if rooms is None or room is None:
            return
        room.level.discard(outlet)
        room.apart.pop(outlet, None)
        if not room.level and not room.apart:
            self._waiting.discard(room)
            del rooms[view, wire]
            if not rooms:
                del self._rooms[tenant]

    def lose(self, position: int, epoch: str) -> None:
        """Go on after *position* though something before it was missed: everyone is told so."""
        self.flush()
        self.epoch = epoch
        self.position = position
        self.ring.clear(position)
        for rooms in self._rooms.values():
            for (view, wire), room in rooms.items():
                room.mark = mark(epoch, view)
                message = lost(room.mark, position, "gap", wire)
                for outlet in room.everyone():
                    outlet.send(message)
                    room.apart[outlet] = position
                room.level.clear()
                room.last = 0
