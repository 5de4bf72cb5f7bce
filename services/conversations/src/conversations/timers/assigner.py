"""Chats are given to those who are there.

Every replica looks once a second; an account's own lock makes one of them at a time give out its chats, and nobody is elected.
What is written down is all there is to know: a process that dies in the middle leaves nothing behind that another has to mend.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import structlog
from contracts import hours
from contracts.hours import Assigned
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Role
from servicekit import outbox, timers
from servicekit.db import Database, DatabaseBusy, raw

from conversations import store
from conversations.domain.assigner import Agent, Given, Waiting, assign, eligible, has_gone
from conversations.domain.standing import Standing
from conversations.store import assignment, chats, moves, people
from conversations.store import hours as service_hours
from conversations.store.assignment import Queued, Rule
from conversations.store.chats import Held
from conversations.store.moves import Move
from conversations.store.people import Person
from conversations.timers.presence import Presence

EVERY = timedelta(seconds=1)
AT_ONCE = 200

log = structlog.get_logger()

Sights = Callable[[UserId], Access]
"""Gives what somebody sees."""


def assigning(db: Database, system: Database, presence: Presence, sights: Sights) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Make the background part that gives out chats, and takes back those of people who have left."""

    async def run() -> None:
        there = await who_is_there(presence)
        now = datetime.now(UTC)
        async with system.system() as tx:
            c = await raw(tx)
            await assignment.saw(c, there.keys(), now)
            tenants = await assignment.tenants_to_look_at(c, there.keys())
        for tenant in sorted(tenants):
            mine = {user: state for (whose, user), state in there.items() if whose == tenant}
            try:
                await give_out(db, tenant, mine, sights, now)
            except (store.Moved, DatabaseBusy):
                log.info("the assigner comes again", tenant=str(tenant))

    return timers.every(EVERY, run, name="assigner")


async def who_is_there(presence: Presence) -> dict[tuple[TenantId, UserId], str]:
    """Read who is there: ``online``, or ``away`` where all that speak for him say so."""
    there = await presence.read()
    return {who: "online" if any(one.state == "online" for one in said) else "away" for who, said in there.items()}


async def give_out(db: Database, tenant: TenantId, there: Mapping[UserId, str], sights: Sights, now: datetime) -> int:
    """The account's chats that can be given out are; returns how many. Nothing where another process is at it."""
    async with db.transaction(tenant) as tx:
        c = await raw(tx)
        if not await assignment.hold(c, tenant):
            return 0
        told = await _take_from_the_gone(c, tenant, now)
        desk = await Desk.read(c, tenant, there, sights, now)
        planned = await desk.give(c)
        held = await chats.lock(c, [(tenant, one.chat) for one in planned])
        holders = {one.chat: one.holder for one in desk.left}
        given = [one for one in planned if _still_waits(held[one.chat].standing, holders.get(one.chat))]
        told += await moves.make(c, [_move(held[one.chat], one, now) for one in given], now)
        await assignment.gave(c, tenant, list({one.agent: one.turn for one in given}.items()))
        await outbox.add(tx, *told)
        return len(given)


@dataclass(slots=True)
class Desk:
    """What the assigner knows of one account.

    Attributes:
        left: Chats in which a customer waits for somebody who has gone.
    """

    tenant: TenantId
    now: datetime
    online: dict[UserId, Agent]
    members: dict[UUID, frozenset[UserId]]
    rules: list[Rule]
    hours: list[Assigned]
    sights: Sights
    left: list[Queued]

    @classmethod
    async def read(cls, c: asyncpg.Connection, tenant: TenantId, there: Mapping[UserId, str], sights: Sights, now: datetime) -> "Desk":
        """Look at everything once."""
        everybody = await people.every(c, tenant)
        default = await assignment.capacity(c, tenant)
        online = [person for person in everybody if there.get(person.id) == "online"]
        loads = await assignment.loads(c, tenant, [person.id for person in online])
        gone = [person.id for person in everybody if person.id not in there and has_gone(person.last_seen_at, now)]
        return cls(
            tenant=tenant,
            now=now,
            online={
                person.id: Agent(id=person.id, load=loads[person.id], capacity=_capacity(person, default), turn=person.turn)
                for person in online
            },
            members=await people.members(c, tenant),
            rules=await assignment.rules(c, tenant),
            hours=await service_hours.every(c, tenant),
            sights=sights,
            left=await assignment.abandoned(c, tenant, gone, limit=AT_ONCE),
        )

    async def give(self, c: asyncpg.Connection) -> list[Given]:
        """Go through the queue, a part at a time, as long as somebody has room."""
        given: list[Given] = []
        waiting: list[Queued] = list(self.left)
        after: tuple[datetime, UUID] | None = None
        while any(agent.load < agent.capacity for agent in self.online.values()):
            some = await assignment.queue(c, self.tenant, limit=AT_ONCE, after=after)
            part = assign([self._waiting(one) for one in (*waiting, *some)], self.online)
            for one in part:
                agent = self.online[one.agent]
                self.online[one.agent] = Agent(id=agent.id, load=agent.load + 1, capacity=agent.capacity, turn=one.turn)
            given += part
            taken = {one.chat for one in part}
            waiting = [one for one in waiting if one.chat not in taken]
            if len(some) < AT_ONCE:
                break
            after = some[-1].since, UUID(int=some[-1].chat.int)
        return given

    def _waiting(self, one: Queued) -> Waiting:
        candidates: frozenset[UserId] = frozenset()
        if assignment.automatic(self.rules, one.device, one.team) and self._is_open(one.device, one.team):
            sees = {id: self.sights(id).sees(one.device) for id in self.online}
            candidates = eligible(team=one.team, members=self.members, agents=self.online, sees=sees)
        return Waiting(chat=one.chat, since=one.since, candidates=candidates, holder=one.holder)

    def _is_open(self, device: DeviceId, team: UUID | None) -> bool:
        return hours.is_open(hours.covering(self.hours, device=device, team=team), self.now)


def _capacity(person: Person, default: int) -> int:
    if person.capacity is not None:
        return person.capacity
    return default if person.role is Role.AGENT else 0


async def _take_from_the_gone(c: asyncpg.Connection, tenant: TenantId, now: datetime) -> list[moves.Told]:
    """What somebody who cannot sign in any more had in hand nobody has."""
    gone = await assignment.of_the_gone(c, tenant, limit=AT_ONCE)
    held = await chats.lock(c, [(tenant, chat) for chat in gone])
    return await moves.make(
        c, [Move(held=one, after=one.standing.assigned(None, one.standing.team, "rule", now)) for one in held.values()], now
    )


def _move(held: Held, given: Given, now: datetime) -> Move:
    return Move(held=held, after=held.standing.assigned(given.agent, held.standing.team, "auto", now))


def _still_waits(standing: Standing, holder: UserId | None) -> bool:
    """Tell whether nobody took it, answered it or closed it between being read and being locked."""
    if standing.status != "open" or standing.assignee != holder:
        return False
    return standing.queued_at is not None if holder is None else standing.waiting_since is not None
