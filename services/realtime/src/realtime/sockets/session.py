"""What one client is told, and as whom: all that it may see from where it was, or word that it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog
from contracts import ids
from contracts.errors import Problem, Unauthenticated
from contracts.presence import Present
from servicekit.bus import BusAway

from realtime import frames
from realtime.domain import AnotherCaller, Caller, Close
from realtime.frames import Happened, View, Wire, may_see, view_of
from realtime.sockets.talk import Auth, Place, Presence, Typing

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.sockets.server import Server

_BATCH = 200

log = structlog.get_logger()


class Line(Protocol):
    """The connection below a session."""

    send: Callable[[bytes], None]
    full: bool

    async def room(self) -> None:
        """Wait until the client has taken most of what was sent."""

    def close(self, code: Close, reason: str) -> None:
        """Say why, then end."""


class Session:
    """One client that was let in.

    Attributes:
        send: Takes whole messages as they go over the wire, straight to the transport.
        open: Whether anything is still told.
    """

    __slots__ = ("_caller", "_changed", "_joined", "_line", "_present", "_said", "_server", "_view", "_wire", "open", "send")

    def __init__(self, server: Server, line: Line, caller: Caller, wire: Wire) -> None:
        self.send = line.send
        self.open = True
        self._server = server
        self._line = line
        self._caller = caller
        self._view = view_of(caller.principal)
        self._wire = wire
        self._joined = False
        self._present = False
        self._changed = False
        self._said: Presence | None = None

    @property
    def caller(self) -> Caller:
        """Who it is, as of now."""
        return self._caller

    @property
    def joined(self) -> bool:
        """Whether it is where everybody is; until then it catches up."""
        return self._joined

    # Where it begins

    async def begin(self, place: Place) -> None:
        """Say hello, bring the client to where everybody is, and let it join them."""
        hub = self._server.feed.hub
        if place.since is None:
            self._fresh("new")
            return
        if place.epoch not in (None, frames.mark(hub.epoch, self._view)):
            self._fresh("access" if str(place.epoch).partition(".")[0] == hub.epoch.partition(".")[0] else "epoch")
            return
        covered = last = place.since
        if covered > hub.position and not await self._known(covered):
            self._fresh("ahead")
            return
        missed: list[Happened] = []
        if covered < hub.ring.floor:
            position = hub.position
            found = await self._server.feed.since(self._caller.principal.tenant, covered)
            if found is None:
                self._fresh("too-old")
                return
            missed = [happened for happened in found if may_see(self._view, happened)]
            covered = max(position, found[-1].seq if found else 0)
        self._hello(last, resumed=True)
        self._server.counters.begun.labels("stream" if missed else "memory").inc()
        await self._catch_up(missed, covered, last)

    async def _known(self, sequence: int) -> bool:
        """Tell whether the stream has *sequence*: another replica may be ahead of this one."""
        try:
            return sequence <= await self._server.feed.last_sequence()
        except BusAway:  # what is not certain is not promised
            return False

    async def _catch_up(self, missed: list[Happened], covered: int, last: int) -> None:
        """Send what was missed, at the client's pace, and join where nothing is missing any more."""
        hub = self._server.feed.hub
        epoch = frames.mark(hub.epoch, self._view)
        while self.open:
            if self._changed:  # what is still to be sent was chosen for another view
                self._resync("access")
                return
            batch = []
            for happened in missed[:_BATCH]:
                batch.append(frames.event(happened, last, self._wire, epoch))
                last = happened.seq
            del missed[:_BATCH]
            if batch:
                self._say(b"".join(batch))
            await self._line.room()
            if missed or self._changed:
                continue
            found = hub.after(self._caller.principal.tenant, self._view, covered)
            if found is None:
                self._resync("too-slow")
                return
            if not found:
                self._join(last)
                return
            missed, covered = found, hub.position

    def _hello(self, seq: int, *, resumed: bool) -> None:
        data = {"resumed": resumed, "user_id": frames.public(self._caller.principal.id), "expires_at": self._caller.expires}
        self._say(frames.hello(frames.mark(self._server.feed.hub.epoch, self._view), seq, data, self._wire))

    def _fresh(self, how: str) -> None:
        """Begin from now; *how* says why, where the client wanted to go on."""
        hub = self._server.feed.hub
        self._hello(hub.position, resumed=False)
        self._server.counters.begun.labels(how).inc()
        if how == "new":
            self._join(hub.position)
        else:
            self._resync(how)

    def _resync(self, reason: str) -> None:
        hub = self._server.feed.hub
        self._changed = False
        self._say(frames.lost(frames.mark(hub.epoch, self._view), hub.position, reason, self._wire))
        self._join(hub.position)

    def _join(self, last: int) -> None:
        if self.open:
            self._joined = True
            self._server.feed.hub.join(self, self._caller.principal.tenant, self._view, last, self._wire)
            if self._line.full:
                self._line.close(Close.SLOW, "too slow")

    def leave(self) -> None:
        """Be told nothing more; who was there is so no more, unless it is back in a moment."""
        if not self.open:
            return
        self.open = False
        self._part(self._view)
        if self._present:
            self._server.presence.leave(self, self._caller.principal)

    def _part(self, view: View) -> None:
        if self._joined:
            self._joined = False
            self._server.feed.hub.leave(self, self._caller.principal.tenant, view, self._wire)

    def _say(self, message: bytes) -> None:
        if self.open:
            self.send(message)

    # As whom

    def look(self, caller: Caller) -> bool:
        """Go on as *caller*, who has the same role; if it sees something else than before, which is told, it fetches anew."""
        view, before = view_of(caller.principal), self._view
        self._caller = caller
        if view == before or not self.open:
            return False
        joined = self._joined
        self._part(before)
        self._view = view
        if joined:
            self._resync("access")
        else:
            self._changed = True
        return True

    async def renew(self, said: Auth) -> None:
        """Go on with a fresh token of the same person."""
        before = self._caller.principal
        try:
            caller = await self._server.door.admit(token=said.token, ticket=said.ticket)
            if (caller.principal.id, caller.principal.tenant) != (before.id, before.tenant):
                raise AnotherCaller("This is another person's token.")
        except Problem as problem:
            if isinstance(problem, Unauthenticated):
                self._line.close(Close.UNAUTHENTICATED, problem.code)
            return
        if view_of(caller.principal).manager != self._view.manager:
            self._line.close(Close.UNAUTHENTICATED, "role-changed")
            return
        if self.look(caller):
            await self.show_presence()
        self._say(frames.said("auth", {"expires_at": caller.expires}, self._wire))

    # Who is there

    async def present(self, said: Presence) -> None:
        """Its user is there, as it says; the first time it is told who else is."""
        principal = self._caller.principal
        if principal.kind != "user":
            self._refuse("presence")
            return
        self._said = said
        readable = await self._server.presence.readable(principal, said.chats)
        if not self.open or self._said is not said:  # it has said something newer meanwhile
            return
        self._server.presence.say(self, principal, Present(state=said.state, chats=readable))
        if not self._present:
            self._present = True
            await self.show_presence()

    async def type(self, said: Typing) -> None:
        """Its user writes in a chat: whoever may see the chat is told."""
        if self._caller.principal.kind != "user":
            self._refuse("typing")
            return
        await self._server.presence.type(self._caller.principal, ids.public(ids.CHAT, ids.parse(ids.CHAT, said.chat_id)), said.state)

    async def show_presence(self) -> None:
        """Tell everybody who is there to who has said that it is."""
        if self._present:
            there = await self._server.presence.there(self._caller.principal.tenant, self._view)
            self._say(frames.said("presence_state", {"items": there}, self._wire))

    def _refuse(self, what: str) -> None:
        self._say(frames.said("refused", {"type": what, "code": "persons-only"}, self._wire))
