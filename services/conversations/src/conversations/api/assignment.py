"""Who answers a chat: by hand, and where and to whom chats are given out by themselves."""

from datetime import UTC, datetime
from typing import Annotated, Self

import asyncpg
import msgspec
from contracts import ids
from contracts.edge import PublicChatId, PublicDeviceId, PublicTeamId, PublicUserId
from contracts.ids import ChatId
from contracts.principal import Principal, Role, Scope
from fastapi import APIRouter
from pydantic import Field, model_validator
from servicekit import outbox
from servicekit.db import raw
from servicekit.http import Admin, Body, Caller, Json, Text, answer, needs, problems

from conversations import store
from conversations.api import chats, shapes
from conversations.api.shapes import Chat, Db, Sights
from conversations.domain.errors import AgentMissing, AssigneeInvalid, ChatMissing, ChatMoved, DeviceMissing, TeamMissing
from conversations.domain.standing import Standing
from conversations.store import assignment, devices, moves, people, writing
from conversations.store.assignment import Rule
from conversations.store.chats import Held
from conversations.store.moves import Move

of_chats = APIRouter(prefix="/api/chats", tags=["chats"])
router = APIRouter(prefix="/api/assignment", tags=["assignment"])

MOST = 1000


class Assign(Body):
    """Who should answer, and in which team's queue; what is left out stays, null takes it away."""

    assignee_id: Annotated[PublicUserId | None, Field(description="Left out with a `team_id`: nobody of it yet.")] = None
    team_id: PublicTeamId | None = None
    note: Annotated[Text | None, Field(description="Stands beside the chat as an internal note.")] = None
    revision: Annotated[int | None, Field(description="The chat's `revision` as the caller knows it.")] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set & {"assignee_id", "team_id"}:
            raise ValueError("Say who: assignee_id, team_id, or both.")
        return self


class Take(Body):
    """The caller wants to answer it."""

    revision: int | None = None


class OfNumber(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the chats of a number (or of a team's queue) are given out by themselves."""

    automatic: bool
    device_id: str | None = None
    team_id: str | None = None


class OfAgent(msgspec.Struct, frozen=True, kw_only=True):
    """One person who can be given chats.

    Attributes:
        capacity: The open chats that he may be given; null: the account's for an agent, none for other roles.
        load: The open chats that he answers.
    """

    user_id: str
    name: str
    role: Role
    capacity: int | None
    load: int


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """How chats are given out; *capacity*: the open chats that an agent may be given, where nothing else is said of him."""

    capacity: int
    rules: tuple[OfNumber, ...]
    agents: tuple[OfAgent, ...]


class Capacity(Body):
    """How many open chats an agent may be given."""

    capacity: Annotated[int, Field(ge=0, le=MOST)]


class OwnCapacity(Body):
    """How many open chats this person may be given; null: as many as the account says."""

    capacity: Annotated[int | None, Field(ge=0, le=MOST)]


class Automatic(Body):
    """Whether chats are given out by themselves there: to the least loaded who is online, and among equals in turn."""

    automatic: bool


@of_chats.post("/{id}/assign", responses=answer(Chat) | problems(ChatMissing, ChatMoved, AssigneeInvalid, TeamMissing))
@needs(Scope.SEND)
async def assign(id: PublicChatId, body: Assign, caller: Caller, db: Db, sights: Sights) -> Json:
    """Give a chat to somebody, to a team, or to nobody. Repeating it changes nothing."""

    def after(held: Held) -> Standing:
        before = held.standing
        given = body.model_fields_set
        assignee = body.assignee_id if "assignee_id" in given or "team_id" in given else before.assignee
        team = body.team_id if "team_id" in given else before.team
        return before.assigned(assignee, team, "manual", datetime.now(UTC))

    async def once() -> Json:
        async with db.transaction(caller.tenant) as tx:
            c = await raw(tx)
            held = await chats.hold(c, caller, id)
            await chats.unmoved(c, caller, held, body.revision)
            if body.team_id is not None and not await people.is_team(c, caller.tenant, body.team_id):
                raise TeamMissing
            if body.assignee_id is not None:
                seen = sights.access_of(body.assignee_id).sees(held.device)
                if not seen or not await people.is_active(c, caller.tenant, body.assignee_id):
                    raise AssigneeInvalid("Give it to somebody who can sign in and sees this number.")
            now = datetime.now(UTC)
            standing = after(held)
            told = await moves.make(c, [Move(held=held, after=standing, actor=shapes.actor(caller), note=body.note)], now)
            if body.note is not None and standing != held.standing:
                key = caller.kind == "key"
                told += (await writing.note(c, held, author=caller.id, by_key=key, text=body.note, at=now))[1]
            await outbox.add(tx, *told)
            return Json(await chats.shown(c, caller, held.id))

    return await store.persistently(once)


@of_chats.post("/{id}/take", responses=answer(Chat) | problems(ChatMissing, ChatMoved, AssigneeInvalid))
@needs(Scope.SEND)
async def take(id: PublicChatId, body: Take, caller: Caller, db: Db) -> Json:
    """Answer a chat from now on, if nobody else does: of two who take it at once one gets it, and the other 409 and the chat."""
    if caller.kind == "key":
        raise AssigneeInvalid("A program cannot answer for a person.")
    return await store.persistently(lambda: _take(db, caller, id, body.revision))


async def _take(db: Db, caller: Principal, id: ChatId, revision: int | None) -> Json:
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        held = await chats.hold(c, caller, id)
        before = held.standing
        if before.assignee != caller.id:
            if before.assignee is not None:
                raise await chats.moved(c, caller, held)
            await chats.unmoved(c, caller, held, revision)
            now = datetime.now(UTC)
            move = Move(held=held, after=before.assigned(caller.id, before.team, "manual", now), actor=shapes.actor(caller))
            await outbox.add(tx, *await moves.make(c, [move], now))
        return Json(await chats.shown(c, caller, held.id))


@router.get("", responses=answer(Assignment))
async def read_assignment(caller: Caller, db: Db) -> Json:
    """Show how chats are given out, and to whom."""
    async with db.transaction(caller.tenant) as tx:
        return Json(await _assignment(await raw(tx), caller))


@router.put("", responses=answer(Assignment))
async def set_capacity(body: Capacity, caller: Admin, db: Db) -> Json:
    """Set how many open chats an agent may be given."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        await assignment.set_capacity(c, caller.tenant, body.capacity)
        return Json(await _assignment(c, caller))


@router.put("/devices/{id}", responses=answer(Assignment) | problems(DeviceMissing))
async def set_of_device(id: PublicDeviceId, body: Automatic, caller: Admin, db: Db) -> Json:
    """Set whether the chats of a number are given out by themselves."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        if not caller.sees(id) or not await devices.standing(c, caller.tenant, id):
            raise DeviceMissing
        await assignment.set_rule(c, caller.tenant, Rule(device=id, automatic=body.automatic))
        return Json(await _assignment(c, caller))


@router.put("/teams/{id}", responses=answer(Assignment) | problems(TeamMissing))
async def set_of_team(id: PublicTeamId, body: Automatic, caller: Admin, db: Db) -> Json:
    """Set whether the chats in a team's queue are given out by themselves, among its members."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        if not await people.is_team(c, caller.tenant, id):
            raise TeamMissing
        await assignment.set_rule(c, caller.tenant, Rule(team=id, automatic=body.automatic))
        return Json(await _assignment(c, caller))


@router.put("/agents/{id}", responses=answer(Assignment) | problems(AgentMissing))
async def set_of_agent(id: PublicUserId, body: OwnCapacity, caller: Admin, db: Db) -> Json:
    """Set how many open chats one person may be given; 0: none."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        if not await people.set_capacity(c, caller.tenant, id, body.capacity):
            raise AgentMissing
        return Json(await _assignment(c, caller))


async def _assignment(c: asyncpg.Connection, caller: Principal) -> Assignment:
    everybody = await people.every(c, caller.tenant)
    loads = await assignment.loads(c, caller.tenant, [person.id for person in everybody])
    return Assignment(
        capacity=await assignment.capacity(c, caller.tenant),
        rules=tuple(
            OfNumber(
                automatic=rule.automatic,
                device_id=None if rule.device is None else ids.public(ids.DEVICE, rule.device),
                team_id=None if rule.team is None else ids.public(ids.TEAM, rule.team),
            )
            for rule in await assignment.rules(c, caller.tenant)
            if rule.device is None or caller.sees(rule.device)
        ),
        agents=tuple(
            OfAgent(
                user_id=ids.public(ids.USER, person.id),
                name=person.name,
                role=person.role,
                capacity=person.capacity,
                load=loads[person.id],
            )
            for person in everybody
        ),
    )
