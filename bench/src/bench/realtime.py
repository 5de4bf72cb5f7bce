"""Many browsers on replicas that die: each must end with exactly the events that its role may see, in order, or know that it has not.

What should have come is read from the stream afterwards, not from who sent it; who may see what is asked of `contracts.principal`,
not of the replicas.
"""

import asyncio
import contextlib
import random
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from contracts import buckets, envelope, ids, subjects
from contracts.envelope import Audience, Envelope
from contracts.events.conversations import ChatAssigned, MessageReceived
from contracts.events.devices import DeviceChanged, DeviceState
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Role
from contracts.views import MessageStatus
from servicekit.auth import encode_access
from servicekit.bus import BusAway
from servicekit.testing.identity import SignedIn

from bench.arena import Arena, Replica, arena
from bench.links import Link

#: What a replica that died may leave behind: its people are gone after so many seconds.
GONE_SECONDS = 15.0
_SETTLE_SECONDS = 60.0
_LONG = timedelta(days=1)
_TEXT = "Hola, quisiera saber si todavía tienen el modelo azul en talla mediana, y cuánto tarda el envío. "


class _Frame(msgspec.Struct):
    event: str
    seq: int | None = None
    prev: int | None = None
    epoch: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


_frame = msgspec.json.Decoder(_Frame)


@dataclass(frozen=True, slots=True)
class Fact:
    """What the stream holds, as far as it decides who should have heard it."""

    seq: int
    audience: Audience
    about_chat: bool
    former: Audience | None


@dataclass
class Account:
    """One account: its people, numbers, teams, and whose each chat is at this moment."""

    tenant: TenantId
    people: list[SignedIn]
    devices: list[DeviceId]
    teams: list[UUID]
    chats: dict[UUID, Audience] = field(default_factory=dict)
    access: dict[UserId, Access] = field(default_factory=dict)


def sees(user: UserId, access: Access, fact: Fact) -> bool:
    """Tell whether somebody should have heard of a fact."""
    audiences = [fact.audience] if fact.former is None else [fact.audience, fact.former]
    if not fact.about_chat:
        return access.sees(fact.audience.device)
    return any(access.reads(user, one.device, one.team, one.assignee) for one in audiences)


class Browser:
    """One client that never gives up, and insists on the chain of sequences.

    Attributes:
        got: The sequences since its last fresh start, in the order in which they came.
        floor: Where that start was.
        there: Set once it was told where it stands.
        broken: How often the chain did not hold.
        resyncs: The reasons for its fresh starts.
    """

    def __init__(self, someone: SignedIn, replicas: list[Replica], dice: random.Random) -> None:
        self.someone = someone
        self.got = array("q")
        self.floor = 0
        self.broken = 0
        self.frames = 0
        self.resyncs: list[str] = []
        self.opened = 0
        self.there = asyncio.Event()
        self._last: int | None = None
        self._epoch = ""
        self._replicas = replicas
        self._dice = dice
        self._link: Link | None = None

    async def run(self) -> None:
        """Be connected, now to this replica, now to that."""
        while True:
            replica = self._dice.choice(self._replicas)
            place = "" if self._last is None else f"&since={self._last}&epoch={self._epoch}"
            try:
                async with asyncio.timeout(10):
                    self._link = await Link.open(f"{replica.url}/ws?token={self.someone.token}{place}", self._take)
            except (OSError, TimeoutError):
                await asyncio.sleep(self._dice.uniform(0.05, 0.3))
                continue
            self.opened += 1
            await self._link.ended
            await asyncio.sleep(self._dice.uniform(0, 0.2))

    def cut(self) -> None:
        """Lose the connection."""
        if self._link is not None:
            self._link.cut()

    def _take(self, message: bytes) -> None:
        frame = _frame.decode(message)
        if frame.event == "hello":
            self._epoch = frame.epoch or ""
            if self._last is None:
                self._begin(frame.seq or 0)
        elif frame.event == "resync":
            self._epoch = frame.epoch or ""
            self.resyncs.append(msgspec.json.decode(frame.data)["reason"])
            self._begin(frame.seq or 0)
        elif frame.seq is not None:
            if frame.prev != self._last or frame.seq <= (self._last or 0):
                self.broken += 1
            self._last = frame.seq
            self.got.append(frame.seq)
            self.frames += 1

    def _begin(self, seq: int) -> None:
        self._last = self.floor = seq
        self.there.set()
        self.got = array("q")


def _accounts(made: Arena, count: int) -> list[Account]:
    """Accounts of an owner who sees all, an agent of a team, and one who sees what is his own."""
    accounts = []
    for _ in range(count):
        owner = made.sign_in(Role.OWNER, lifetime=_LONG)
        tenant = owner.principal.tenant
        people = [owner, made.sign_in(Role.AGENT, tenant, lifetime=_LONG), made.sign_in(Role.AGENT, tenant, lifetime=_LONG)]
        account = Account(tenant, people, [DeviceId(ids.new()) for _ in range(2)], [ids.new() for _ in range(2)])
        account.access = {
            people[0].principal.id: Access(),
            people[1].principal.id: Access(chats="team", teams=frozenset(account.teams[:1])),
            people[2].principal.id: Access(chats="own", devices=frozenset(account.devices[:1])),
        }
        accounts.append(account)
    return accounts


class Traffic:
    """What happens: customers write, chats go from one to another, numbers change."""

    def __init__(self, made: Arena, accounts: list[Account], dice: random.Random) -> None:
        self._made = made
        self._accounts = accounts
        self._dice = dice
        self.published = 0

    async def run(self, rate: float, seconds: float) -> None:
        """Tell *rate* events a second, in pieces of a tenth of a second."""
        began, told = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed * rate) - told
            if due > 0:
                await self._publish([self._event(self._accounts[(told + number) % len(self._accounts)]) for number in range(due)])
                told += due
            await asyncio.sleep(0.02)

    async def last_word(self) -> None:
        """Tell each of every account something that he may see: who has that has all that was before."""
        for account in self._accounts:
            owner, teammate, loner = (someone.principal.id for someone in account.people)
            device = account.devices[0]
            audiences = [Audience(device=device, assignee=who) for who in (owner, teammate, loner)]
            await self._publish([self._message(account, ids.new(), audience) for audience in audiences])

    async def _publish(self, some: list[Envelope[Any]]) -> None:
        by_service: dict[str, list[Envelope[Any]]] = {}
        for one in some:
            by_service.setdefault(one.data.topic.service, []).append(one)
        for service, theirs in by_service.items():
            await self._made.services[service].publish(*theirs, timeout=60)
        self.published += len(some)

    def _event(self, account: Account) -> Envelope[Any]:
        dice = self._dice.random()
        if dice < 0.03:
            device = self._dice.choice(account.devices)
            body = DeviceChanged(
                id=ids.public(ids.DEVICE, device), name="Ventas", state=DeviceState.CONNECTED, revision=self.published, at=datetime.now(UTC)
            )
            return envelope.wrap(account.tenant, body, audience=Audience(device=device))
        if len(account.chats) < 12:
            audience = Audience(device=self._dice.choice(account.devices), team=self._dice.choice([*account.teams, None]))
            account.chats[ids.new()] = audience
        chat = self._dice.choice(list(account.chats))
        if dice < 0.1:
            return self._assign(account, chat)
        return self._message(account, chat, account.chats[chat])

    def _assign(self, account: Account, chat: UUID) -> Envelope[Any]:
        before = account.chats[chat]
        assignee = self._dice.choice([None, *(someone.principal.id for someone in account.people)])
        device = ids.public(ids.DEVICE, before.device or account.devices[0])
        after = Audience(device=before.device, team=self._dice.choice([*account.teams, None]), assignee=assignee)
        account.chats[chat] = after
        body = ChatAssigned(
            id=ids.public(ids.CHAT, chat),
            device_id=device,
            assignee_id=_public(ids.USER, after.assignee),
            team_id=_public(ids.TEAM, after.team),
            previous_id=_public(ids.USER, before.assignee),
            previous_team_id=_public(ids.TEAM, before.team),
            at=datetime.now(UTC),
            way="auto",
        )
        return envelope.wrap(account.tenant, body, audience=after)

    def _message(self, account: Account, chat: UUID, audience: Audience) -> Envelope[Any]:
        body = MessageReceived(
            id=ids.public(ids.MESSAGE, ids.new()),
            chat_id=ids.public(ids.CHAT, chat),
            device_id=ids.public(ids.DEVICE, audience.device or account.devices[0]),
            from_me=False,
            kind="text",
            status=MessageStatus.RECEIVED,
            at=datetime.now(UTC),
            text=_TEXT,
            sender_name="Luis",
        )
        return envelope.wrap(account.tenant, body, audience=audience)


def _public(prefix: str, id: UUID | None) -> str | None:
    return None if id is None else ids.public(prefix, id)


async def _truth(made: Arena, accounts: list[Account]) -> dict[TenantId, list[Fact]]:
    """Read from the stream what happened in each account."""
    facts: dict[TenantId, list[Fact]] = {account.tenant: [] for account in accounts}
    bus = made.services["realtime"]
    state = await bus.stream_state()
    async with await bus.ordered(subjects.EVERY_EVENT, 1) as ordered:
        async for told in ordered:
            whole = envelope.decode(told.payload)
            former = None
            if isinstance(whole.data, ChatAssigned):
                team, who = whole.data.previous_team_id, whole.data.previous_id
                former = Audience(
                    device=whole.audience.device,
                    team=ids.parse(ids.TEAM, team) if team else None,
                    assignee=UserId(ids.parse(ids.USER, who)) if who else None,
                )
            facts[whole.tenant].append(Fact(told.sequence, whole.audience, whole.data.topic.service == "conversations", former))
            if told.sequence >= state.last_sequence:
                break
    return facts


async def run(
    *,
    sockets: int = 2000,
    replicas: int = 2,
    tenants: int = 20,
    rate: float = 200,
    seconds: float = 300,
    cuts_per_s: float = 20,
    kills: int = 3,
    restarts: int = 2,
    changes: int = 20,
    replay: int = 2000,
    seed: int = 1,
) -> dict[str, Any]:
    """Measure, while sockets are cut, *kills* replicas and *restarts* of the bus fall, and what people see changes."""
    dice = random.Random(seed)
    async with arena(replicas, replay_events=replay, drain_seconds=0.2) as made:
        accounts = _accounts(made, tenants)
        limits = await made.services["auth"].bucket(buckets.ACCESS)
        for account in accounts:
            for user, access in account.access.items():
                if access != Access():
                    await limits.put(str(user), encode_access(access))
        homes = [accounts[number % tenants] for number in range(sockets)]
        browsers = [Browser(home.people[number // tenants % len(home.people)], made.replicas, dice) for number, home in enumerate(homes)]
        traffic = Traffic(made, accounts, dice)
        ghost = Ghost(made, accounts[0])
        async with _running(browsers):
            await _opened(browsers)
            telling = asyncio.create_task(traffic.run(rate, seconds))
            began = time.monotonic()
            plan = sorted(
                [(_spread(number, kills), "kill") for number in range(kills)]
                + [(_spread(number, restarts) + 0.07, "restart") for number in range(restarts)]
                + [(_spread(number, changes), "change") for number in range(changes)]
            )
            await ghost.appear(made.replicas[0], made.replicas[-1])
            for share, what in [*plan, (1.0, "end")]:
                while time.monotonic() - began < share * seconds and not telling.done():
                    for _ in range(_drawn(dice, cuts_per_s * 0.1)):
                        dice.choice(browsers).cut()
                    await asyncio.sleep(0.1)
                if what == "kill":
                    await _fall(made.replicas[-1], ghost)
                elif what == "restart":
                    await asyncio.to_thread(made.nats.kill)
                    await asyncio.to_thread(made.nats.start)
                elif what == "change":
                    await _change(dice.choice(accounts), limits.put, dice)
            await telling
            await traffic.last_word()
            facts = await _truth(made, accounts)
            wrong = await _settled(browsers, homes, facts)
            gone = await ghost.gone()
    lost, doubled, disordered = wrong
    frames = sum(browser.frames for browser in browsers)
    return {
        "name": "realtime",
        "sockets": sockets,
        "replicas": replicas,
        "tenants": tenants,
        "events": sum(map(len, facts.values())),
        "frames": frames,
        "connections": sum(browser.opened for browser in browsers),
        "resyncs": _count([reason for browser in browsers for reason in browser.resyncs]),
        "kills": kills,
        "restarts": restarts,
        "presence_gone_s": None if gone is None else round(gone, 1),
        "broken_chains": sum(browser.broken for browser in browsers),
        "lost": lost,
        "doubled": doubled,
        "disordered": disordered,
        "asked": traffic.published,
        "done": sum(map(len, facts.values())) if not sum(browser.broken for browser in browsers) and gone is not None else 0,
    }


def _spread(number: int, of: int) -> float:
    return (number + 1) / (of + 1)


def _drawn(dice: random.Random, mean: float) -> int:
    return int(mean) + (dice.random() < mean % 1)


def _count(words: list[str]) -> dict[str, int]:
    return {word: words.count(word) for word in sorted(set(words))}


@contextlib.asynccontextmanager
async def _running(browsers: list[Browser]) -> Any:
    tasks = [asyncio.create_task(browser.run()) for browser in browsers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for browser in browsers:
            browser.cut()


async def _opened(browsers: list[Browser]) -> None:
    async with asyncio.timeout(_SETTLE_SECONDS):
        await asyncio.gather(*(browser.there.wait() for browser in browsers))


async def _fall(replica: Replica, ghost: "Ghost") -> None:
    """A replica dies, and comes back on its port a moment later."""
    replica.kill()
    ghost.died()
    await asyncio.sleep(0.5)
    replica.start()
    await replica.ready()


async def _change(account: Account, put: Callable[..., Any], dice: random.Random) -> None:
    """An agent of a team sees other teams' chats, or all, from now on."""
    user = account.people[1].principal.id
    wanted = dice.choice([Access(chats="team", teams=frozenset(account.teams)), Access(chats="own"), Access(chats="team")])
    if wanted == account.access[user]:
        return
    while True:
        try:
            await put(str(user), encode_access(wanted))
        except BusAway:  # it may have been written: once more, until that is certain
            await asyncio.sleep(0.2)
        else:
            account.access[user] = wanted
            return


async def _settled(browsers: list[Browser], homes: list[Account], facts: dict[TenantId, list[Fact]]) -> tuple[int, int, int]:
    """Wait until everybody has all; count what is lost, doubled and out of order in the end."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    pending = list(zip(browsers, homes, strict=True))
    lost = doubled = disordered = 0
    while pending:
        late = []
        for browser, home in pending:
            due = _due(browser, home, facts)
            if browser.got != due:
                if time.monotonic() < deadline:
                    late.append((browser, home))
                    continue
                have, want = set(browser.got), set(due)
                lost += len(want - have)
                doubled += len(browser.got) - len(have) + len(have - want)
                disordered += have == want
        pending = late
        if pending:
            await asyncio.sleep(0.5)
    return lost, doubled, disordered


def _due(browser: Browser, home: Account, facts: dict[TenantId, list[Fact]]) -> "array[int]":
    user = browser.someone.principal.id
    access = home.access[user]
    return array("q", [fact.seq for fact in facts[home.tenant] if fact.seq > browser.floor and sees(user, access, fact)])


class Ghost:
    """Somebody on the replica that will die, and a colleague on another who watches."""

    def __init__(self, made: Arena, account: Account) -> None:
        self._someone = made.sign_in(Role.AGENT, account.tenant, lifetime=_LONG)
        self._colleague = account.people[0]
        self._name = ids.public(ids.USER, self._someone.principal.id)
        self._links: list[Link] = []
        self._there = asyncio.Event()
        self._gone: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._died: float | None = None

    async def appear(self, safe: Replica, doomed: Replica) -> None:
        """Be there, seen by the colleague."""
        self._links = [
            await Link.open(f"{safe.url}/ws?token={self._colleague.token}", self._watch),
            await Link.open(f"{doomed.url}/ws?token={self._someone.token}", lambda _: None),
        ]
        self._links[1].say(b'{"type":"presence","state":"online"}')
        async with asyncio.timeout(10):
            await self._there.wait()

    def _watch(self, message: bytes) -> None:
        frame = _frame.decode(message)
        if frame.event != "presence":
            return
        told = msgspec.json.decode(frame.data)
        if told["user_id"] != self._name:
            return
        if told["state"] == "online":
            self._there.set()
        elif self._died is not None and not self._gone.done():
            self._gone.set_result(time.monotonic() - self._died)

    def died(self) -> None:
        """Note when; the first time counts."""
        self._died = self._died or time.monotonic()

    async def gone(self) -> float | None:
        """Give the seconds from the death of the replica to the colleague's knowing; None where he never knew."""
        if self._died is None:
            return 0.0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * GONE_SECONDS):
                return await self._gone
        return None
