"""Service hours: when a number or a team answers."""

from datetime import UTC, date, datetime
from typing import Annotated, Self
from uuid import UUID

import msgspec
from contracts import hours as rules
from contracts import ids
from contracts.edge import PublicDeviceId, PublicHoursId, PublicTeamId
from contracts.hours import Assigned, Holiday, Span, Weekly
from fastapi import APIRouter
from pydantic import AfterValidator, Field, model_validator
from servicekit import outbox
from servicekit.db import Tx, raw
from servicekit.http import Admin, Body, Caller, Json, Name, answer, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch
from starlette.responses import Response

from conversations.api.shapes import Db
from conversations.domain.errors import DeviceMissing, HoursMissing, HoursOverlap, TeamMissing, TooMany
from conversations.store import devices, hours, people
from conversations.store.hours import Kept

router = APIRouter(prefix="/api/hours", tags=["hours"])


def _time(text: str) -> str:
    rules.minute(text)
    return text


def _zone(text: str) -> str:
    rules.zone(text)
    return text


Time = Annotated[str, AfterValidator(_time), Field(examples=["09:00"], max_length=5)]


class Part(Body):
    """From *opens* to *closes* by the wall clock; a *closes* that is not later is on the next day."""

    opens: Time
    closes: Time

    @model_validator(mode="after")
    def _begins(self) -> Self:
        if self.opens == "24:00":
            raise ValueError("Nothing opens at 24:00.")
        return self


class EachWeek(Part):
    """A part of every week; *day* is 0 on Mondays."""

    day: Annotated[int, Field(ge=0, le=6)]


class Free(Body):
    """A date on which other parts hold than in an ordinary week; without any it is closed all day."""

    date: date
    name: Annotated[str, Field(max_length=100)] = ""
    spans: Annotated[tuple[Part, ...], Field(max_length=10)] = ()


class SetHours(Body):
    """Service hours, as a whole."""

    name: Name
    time_zone: Annotated[
        str | None, AfterValidator(lambda value: None if value is None else _zone(value)), Field(description="Null: the account's.")
    ] = None
    weekly: Annotated[list[EachWeek], Field(max_length=70)]
    holidays: Annotated[tuple[Free, ...], Field(max_length=400)] = ()
    devices: Annotated[tuple[PublicDeviceId, ...], Field(max_length=500, description="The numbers that keep them.")] = ()
    teams: Annotated[
        tuple[PublicTeamId, ...], Field(max_length=500, description="The teams that keep them, before their numbers' own.")
    ] = ()
    everywhere: Annotated[bool, Field(description="They hold where no others do.")] = False


class HoursShown(msgspec.Struct, frozen=True, kw_only=True):
    """Service hours, and where they hold.

    Attributes:
        time_zone: None: the account's.
        open: It is open now.
        next_opening: When it is open next, UTC: now where it is; None: never within a year.
    """

    id: str
    name: str
    time_zone: str | None
    weekly: tuple[Weekly, ...]
    holidays: tuple[Holiday, ...]
    devices: tuple[str, ...]
    teams: tuple[str, ...]
    everywhere: bool
    open: bool
    next_opening: datetime | None


@router.get("", responses=answer(HoursShown, page=True))
async def list_hours(caller: Caller, db: Db) -> Json:
    """List all service hours by name; there is one page."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        kept, every = await hours.kept(c, caller.tenant), await hours.every(c, caller.tenant)
    return Json({"items": [_shown(one, assigned) for one, assigned in zip(kept, every, strict=True)], "next_cursor": None})


@router.post(
    "",
    status_code=201,
    responses=answer(HoursShown, status=201) | problems(HoursOverlap, DeviceMissing, TeamMissing, TooMany, InFlight, Mismatch),
)
async def create_hours(body: SetHours, caller: Admin, idem: Idempotent, db: Db) -> Response:
    """Set service hours for numbers, teams, or the whole account."""
    async with db.transaction(caller.tenant) as tx:
        if stored := await idem.begin(tx):
            return stored.response()
        shown = await _put(tx, caller, ids.new(), body)
        return await idem.finish(tx, 201, msgspec.json.encode(shown))


@router.put("/{id}", responses=answer(HoursShown) | problems(HoursMissing, HoursOverlap, DeviceMissing, TeamMissing))
async def replace_hours(id: PublicHoursId, body: SetHours, caller: Admin, db: Db) -> Json:
    """Set other hours in the place of these."""
    async with db.transaction(caller.tenant) as tx:
        await hours.known(await raw(tx), caller.tenant, id)
        return Json(await _put(tx, caller, id, body))


@router.delete("/{id}", status_code=204, responses=problems(HoursMissing))
async def delete_hours(id: PublicHoursId, caller: Admin, db: Db) -> Response:
    """Delete service hours: where they held it is always open, or as the account's say."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        await hours.hold(c, caller.tenant)
        await hours.known(c, caller.tenant, id)
        await hours.delete(c, caller.tenant, id)
        await outbox.add(tx, await hours.told(c, caller.tenant))
    return Response(status_code=204)


async def _put(tx: Tx, caller: Admin, id: UUID, body: SetHours) -> HoursShown:
    c, tenant = await raw(tx), caller.tenant
    await hours.hold(c, tenant)
    for device in body.devices:
        if not caller.sees(device) or not await devices.standing(c, tenant, device):
            raise DeviceMissing
    for team in body.teams:
        if not await people.is_team(c, tenant, team):
            raise TeamMissing
    kept = Kept(
        id=id,
        name=body.name,
        time_zone=body.time_zone,
        weekly=tuple(Weekly(day=one.day, opens=one.opens, closes=one.closes) for one in body.weekly),
        holidays=tuple(
            Holiday(date=one.date, name=one.name, spans=tuple(Span(opens=part.opens, closes=part.closes) for part in one.spans))
            for one in body.holidays
        ),
        devices=tuple(dict.fromkeys(body.devices)),
        teams=tuple(dict.fromkeys(body.teams)),
        everywhere=body.everywhere,
    )
    await hours.put(c, tenant, kept)
    await outbox.add(tx, await hours.told(c, tenant))
    every = dict(zip((one.id for one in await hours.kept(c, tenant)), await hours.every(c, tenant), strict=True))
    return _shown(kept, every[id])


def _shown(kept: Kept, assigned: Assigned) -> HoursShown:
    now = datetime.now(UTC)
    return HoursShown(
        id=ids.public(ids.HOURS, kept.id),
        name=kept.name,
        time_zone=kept.time_zone,
        weekly=kept.weekly,
        holidays=kept.holidays,
        devices=tuple(ids.public(ids.DEVICE, device) for device in kept.devices),
        teams=tuple(ids.public(ids.TEAM, team) for team in kept.teams),
        everywhere=kept.everywhere,
        open=rules.is_open(assigned.hours, now),
        next_opening=rules.next_opening(assigned.hours, now),
    )
