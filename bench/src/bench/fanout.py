"""Frames a second to many sockets, of realtime and of Node's socket.io, which a CRM of this kind would take: same events, same client.

Events of twenty accounts go through NATS, no frame twice; eight of ten sockets see all of their account, one what is a team's,
one what is its user's own. First at a pace that both keep, for the delays; then as fast as the frames come back.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from contracts import buckets, envelope, ids, subjects
from contracts.envelope import Audience
from contracts.events.conversations import MessageReceived
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Role
from contracts.views import MessageStatus
from servicekit.auth import encode_access
from servicekit.bus import Item
from servicekit.bus.permissions import MIGRATOR
from servicekit.embedded import Child, free_port
from servicekit.testing.identity import SignedIn

from bench import figures
from bench.arena import Arena, Replica, arena
from bench.footprint import Footprint
from bench.links import Link, frame

TENANTS = 20
#: Frames that may be on their way to one socket while as many as possible are sent.
_AHEAD = 24
_OPENING = 64
_SAMPLED = 61  # of the frames, one in so many has its delay taken
_NODE = Path(__file__).parents[2] / "socketio"
_MARK = b'"text":"#'
_PAD = "Hola, quisiera saber si todavía tienen el modelo azul en talla mediana, y cuánto tarda el envío a Monterrey. "
_MEMBER, _LONER = 8, 9  # of ten sockets, the one that sees a team's chats, and the one that sees its own

now = time.perf_counter


@dataclass(slots=True)
class Tally:
    """What all sockets took together.

    Attributes:
        frames: Events, not what the protocols say besides.
        waits: Seconds from the publishing to a socket, of those that were looked at.
        sent: When each event was published.
    """

    frames: int = 0
    waits: list[float] = field(default_factory=list)
    sent: dict[int, float] = field(default_factory=dict)
    last: float = 0.0


class Counted(Link):
    """A socket whose frames are counted, few of them read.

    Attributes:
        taken: The events that it took.
    """

    __slots__ = ("_tally", "_told", "taken")

    def __init__(self, request: bytes, on_text: Callable[[bytes], None], tally: Tally) -> None:
        super().__init__(request, on_text)
        self._tally = tally
        self._told = False
        self.taken = 0

    def counts(self) -> None:
        """Count from now on: what opens a connection is over."""
        self._told = True

    def _cut(self, data: bytes) -> None:
        if not self._told:
            super()._cut(data)
            return
        at, size, taken = 0, len(data), 0
        tally = self._tally
        while size - at >= 2:
            length = data[at + 1]
            start = at + 2
            if length == 126:
                start += 2
                if size < start:
                    break
                length = data[at + 2] << 8 | data[at + 3]
            end = start + length
            if end > size:
                break
            if length > 125:  # an event: all else that is said is shorter
                taken += 1
                if (tally.frames + taken) % _SAMPLED == 0:
                    self._look(data, start, end)
            elif length == 1 and data[start] == 0x32:  # engine.io asks whether anybody is there
                self.say(b"3")
            elif data[at] == 0x89:
                self._transport.write(frame(0x8A, data[start:end]))
            at = end
        self._buffer = data[at:]
        if taken:
            self.taken += taken
            tally.frames += taken
            tally.last = now()

    def _look(self, data: bytes, start: int, end: int) -> None:
        mark = data.find(_MARK, start, end) + len(_MARK)
        number = int(data[mark : data.index(b"#", mark, end)])
        self._tally.waits.append(now() - self._tally.sent[number])


@dataclass(frozen=True, slots=True)
class Seat:
    """One socket's person: what of its account it sees."""

    tenant: TenantId
    user: UserId
    access: Access
    token: str


@dataclass
class Hall:
    """Who sits where, and what happens there: made once, for both."""

    seats: list[Seat]
    teams: dict[TenantId, UUID]
    device: DeviceId = field(default_factory=lambda: DeviceId(ids.new()))
    told: int = 0

    def event(self) -> tuple[Item, int, int]:
        """Make an event that never was: as it goes to the bus, its number, and to how many sockets it goes."""
        self.told += 1
        tenant = list(self.teams)[self.told % TENANTS]
        mine = self._of[tenant]
        loner = mine[1][self.told // TENANTS % len(mine[1])] if mine[1] else None
        kind = self.told // TENANTS % 3
        audience = Audience(
            device=self.device, team=self.teams[tenant] if kind == 0 else None, assignee=loner if kind == 1 and loner else None
        )
        body = MessageReceived(
            id=ids.public(ids.MESSAGE, ids.new()),
            chat_id=ids.public(ids.CHAT, ids.new()),
            device_id=ids.public(ids.DEVICE, self.device),
            from_me=False,
            kind="text",
            status=MessageStatus.RECEIVED,
            at=datetime.now(UTC),
            text=f"#{self.told}#{_PAD}",
            sender_name="Luis",
        )
        whole = envelope.wrap(tenant, body, audience=audience)
        hearers = mine[0] + (mine[2] if kind == 0 else 0) + (1 if kind == 1 and loner else 0)
        return Item(subjects.of(whole), str(whole.id), envelope.encode(whole)), self.told, hearers

    @property
    def hearers(self) -> float:
        """To how many sockets an event goes, on the average."""
        return sum(every + members / 3 + bool(loners) / 3 for every, loners, members in self._of.values()) / TENANTS

    def __post_init__(self) -> None:
        """Count, by account: who sees all, who is alone, who is in the team."""
        self._of: dict[TenantId, tuple[int, list[UserId], int]] = {}
        for tenant in self.teams:
            mine = [seat for seat in self.seats if seat.tenant == tenant]
            loners = [seat.user for seat in mine if seat.access.chats == "own"]
            members = sum(seat.access.chats == "team" for seat in mine)
            self._of[tenant] = (len(mine) - len(loners) - members, loners, members)


def _hall(made: Arena, sockets: int) -> Hall:
    owners = [made.sign_in(Role.OWNER, lifetime=timedelta(hours=4)) for _ in range(TENANTS)]
    teams = {owner.principal.tenant: ids.new() for owner in owners}
    seats = []
    for number in range(sockets):
        owner = owners[number % TENANTS]
        tenant, kind = owner.principal.tenant, number // TENANTS % 10
        who: SignedIn = owner if kind not in (_MEMBER, _LONER) else made.sign_in(Role.AGENT, tenant, lifetime=timedelta(hours=4))
        access = Access()
        if kind == _MEMBER:
            access = Access(chats="team", teams=frozenset({teams[tenant]}))
        elif kind == _LONER:
            access = Access(chats="own")
        seats.append(Seat(tenant, who.principal.id, access, who.token))
    return Hall(seats, teams)


async def run(*, sockets: Sequence[int], seconds: float = 5, rate: float = 5000, rounds: int = 2) -> dict[str, Any]:
    """Measure each number of *sockets*: *rounds* times both, in turns, for *seconds* at *rate* frames a second, then as fast as it goes."""
    node = await asyncio.to_thread(_install)
    result: dict[str, Any] = {"name": "fanout", "tenants": TENANTS}
    asked = done = 0
    for count in sockets:
        laps: dict[str, list[dict[str, float]]] = {"realtime": [], "socketio": []}
        for _ in range(rounds):
            async with arena(0) as made:
                hall = _hall(made, count)
                for name, serve in (("realtime", _realtime), ("socketio", _socketio)):
                    async with serve(made, hall, node) as (pid, opening):
                        lap = await _measure(made, hall, pid, opening, seconds=seconds, rate=rate)
                        asked += int(lap.pop("asked"))
                        done += int(lap.pop("done"))
                        laps[name].append(lap)
        ours, theirs = ({key: round(statistics.median(lap[key] for lap in laps[name]), 2) for key in laps[name][0]} for name in laps)
        pairs = zip(laps["realtime"], laps["socketio"], strict=True)
        times = statistics.median(one["frames_per_s"] / other["frames_per_s"] for one, other in pairs)
        result[str(count)] = {**ours, "times_socketio": round(times, 2), "socketio": theirs}
    return {**result, "asked": asked, "done": done, "lost": max(0, asked - done), "doubled": max(0, done - asked)}


async def _measure(
    made: Arena, hall: Hall, pid: int, opening: Callable[[Tally], Iterable[Any]], *, seconds: float, rate: float
) -> dict[str, float]:
    tally = Tally()
    # What a process takes for its first sockets it takes once.
    warm = await _open(list(opening(Tally()))[:50])
    for link in warm:
        link.cut()
    await asyncio.sleep(0.5)
    empty = Footprint.of(pid).rss_mb
    links = await _open(opening(tally))
    for link in links:
        link.counts()
    await asyncio.sleep(1)
    kb = (Footprint.of(pid).rss_mb - empty) * 1024 / len(links)
    try:
        due = await _paced(made, hall, tally, 1.0, rate)  # caches, compilers
        tally.waits.clear()
        due += await _paced(made, hall, tally, seconds, rate)
        waits = list(tally.waits)
        began, cpu, before = now(), Footprint.of(pid).cpu, tally.frames
        due += await _flood(made, hall, tally, seconds)
        frames, spent, passed = tally.frames - before, Footprint.of(pid).cpu - cpu, tally.last - began
    finally:
        for link in links:
            link.cut()
    return {
        "frames_per_s": round(frames / passed),
        "p50_ms": round(figures.percentile(waits, 0.5) * 1000, 2),
        "p99_ms": round(figures.percentile(waits, 0.99) * 1000, 2),
        "cpu_us_per_frame": round(spent / frames * 1e6, 2),
        "kb_per_socket": round(kb, 1),
        "asked": due,
        "done": tally.frames,
    }


async def _paced(made: Arena, hall: Hall, tally: Tally, seconds: float, rate: float) -> int:
    began, told, due = now(), 0, 0
    target = tally.frames
    rate /= hall.hearers
    while (passed := now() - began) < seconds:
        some = [hall.event() for _ in range(int(passed * rate) - told)]
        told += len(some)
        due += await _tell(made, tally, some)
        await asyncio.sleep(0.005)
    await _arrived(tally, target + due)
    return due


async def _flood(made: Arena, hall: Hall, tally: Tally, seconds: float) -> int:
    """Tell as much as comes back: each socket has at most so many frames to take."""
    began, due, target = now(), 0, tally.frames
    ready = [hall.event() for _ in range(64)]
    while now() - began < seconds:
        if target + due - tally.frames < _AHEAD * len(hall.seats):
            due += await _tell(made, tally, ready)
            ready = [hall.event() for _ in range(64)]
        else:
            await asyncio.sleep(0.0005)
    await _arrived(tally, target + due)
    return due


async def _tell(made: Arena, tally: Tally, some: list[tuple[Item, int, int]]) -> int:
    if not some:
        return 0
    at = now()
    for _, number, _ in some:
        tally.sent[number] = at
    await made.services["conversations"].publish_items([item for item, _, _ in some], timeout=30)
    return sum(hearers for _, _, hearers in some)


async def _arrived(tally: Tally, frames: int) -> None:
    """Wait for what is on its way; what has not come after five seconds without a frame is lost."""
    while tally.frames < frames and now() - tally.last < 5:  # noqa: ASYNC110 - an event for each frame would be measured with it
        await asyncio.sleep(0.01)


async def _open(openings: Iterable[Any]) -> list[Counted]:
    gate = asyncio.Semaphore(_OPENING)

    async def one(opening: Any) -> Counted:
        async with gate:
            link: Counted = await opening()
            return link

    return list(await asyncio.gather(*(one(opening) for opening in openings)))


async def _connect(url: str, tally: Tally, first: Callable[[Counted, bytes], bool]) -> Counted:
    """Open a socket that counts once *first* has said that it stands."""
    stands: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    held: list[Counted] = []
    early: list[bytes] = []

    def on_text(text: bytes) -> None:
        if not held:
            early.append(text)
        elif first(held[0], text) and not stands.done():
            stands.set_result(None)

    link = await Counted.open(url, on_text, tally)
    held.append(link)
    for text in early:
        on_text(text)
    async with asyncio.timeout(30):
        await stands
    return link


@asynccontextmanager
async def _realtime(made: Arena, hall: Hall, node: str) -> AsyncIterator[tuple[int, Callable[[Tally], Iterable[Any]]]]:
    limits = await made.services["auth"].bucket(buckets.ACCESS)
    for seat in hall.seats:
        if seat.access != Access():
            await limits.put(str(seat.user), encode_access(seat.access))
    replica = Replica(made.environment, made.folder / "realtime.log")
    replica.start()
    try:
        await replica.ready()

        def opening(tally: Tally) -> Iterable[Any]:
            for seat in hall.seats:
                yield lambda url=f"{replica.url}/ws?token={seat.token}": _connect(url, tally, lambda _, text: b'"hello"' in text)

        yield replica.pid, opening
    finally:
        replica.kill()


@asynccontextmanager
async def _socketio(made: Arena, hall: Hall, node: str) -> AsyncIterator[tuple[int, Callable[[Tally], Iterable[Any]]]]:
    port = free_port()
    own = os.environ | {"NATS_URL": made.nats.url_as(MIGRATOR), "PORT": str(port), "NODE_ENV": "production"}
    child = Child([node, str(_NODE / "server.mjs")], log=made.folder / "socketio.log", environment=own)
    try:
        await _answers(port)

        def hello(link: Counted, text: bytes) -> bool:
            if text.startswith(b"0"):
                link.say(b"40")
            return text.startswith(b"40")

        def opening(tally: Tally) -> Iterable[Any]:
            for seat in hall.seats:
                rooms = {"all": "all", "team": f"team:{hall.teams[seat.tenant]},user:{seat.user}", "own": f"user:{seat.user}"}
                query = f"EIO=4&transport=websocket&tenant={seat.tenant}&rooms={rooms[seat.access.chats]}"
                yield lambda url=f"http://127.0.0.1:{port}/socket.io/?{query}": _connect(url, tally, hello)

        yield child.pid, opening
    finally:
        child.kill()


async def _answers(port: int) -> None:
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


def _install() -> str:
    """Give Node, with socket.io installed as the lock says.  Raises: RuntimeError: there is no Node here."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise RuntimeError("Node and npm are needed to measure beside socket.io.")
    if not (_NODE / "node_modules").exists():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=_NODE, check=True, timeout=300)
    return node
