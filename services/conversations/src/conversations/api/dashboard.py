"""The day's figures, and those of any period beside the one before it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from contracts import ids
from contracts.edge import PublicDeviceId
from contracts.errors import Invalid
from contracts.ids import DeviceId, UserId
from contracts.principal import Principal, Role
from fastapi import APIRouter, Query
from servicekit import sheets
from servicekit.db import raw
from servicekit.http import Caller, Json, answer, problems
from starlette.responses import Response

from conversations import store
from conversations.api.shapes import Db
from conversations.store import figures

router = APIRouter(prefix="/api/dashboard", tags=["dashboard"])

DAYS_MAX = figures.PERIOD_DAYS_MAX


class PeriodInvalid(Invalid):
    """This is no period."""

    code = "period-invalid"


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """How long customers waited for a person's first word, in seconds; null where nobody got one.

    Exact for up to 1,000 first answers in the period; for more, the median and p90 are at most 2 % off (within the first second, 1 s).
    """

    count: int
    median_seconds: float | None
    p90_seconds: float | None


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """What happened from the first to the last day, both of them included.

    Attributes:
        active: Chats in which anything was said.
    """

    first: date
    last: date
    received: int
    sent: int
    active: int
    first_response: Waited


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """One person's part.

    Attributes:
        handled: Chats in which they wrote.
        open_now: Chats that are theirs and open at this moment.
    """

    id: str
    name: str | None
    handled: int
    sent: int
    open_now: int
    first_response: Waited


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """One number's part."""

    id: str
    name: str | None
    received: int
    sent: int
    active: int


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one day of the account; of each day of the period one."""

    day: date
    received: int
    sent: int


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one hour of the day (0 to 23), over all days of the period."""

    hour: int
    received: int
    sent: int


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """The account's figures, on the numbers that the caller sees.

    Attributes:
        previous: As many days before the first one.
        open_now: Chats that are open at this moment; of them *unassigned_now* are nobody's, and in *waiting_now* a customer waits.
        agents: Everybody's for who administers the account, else the caller's own.
    """

    time_zone: str
    period: Period
    previous: Period
    open_now: int
    waiting_now: int
    unassigned_now: int
    agents: tuple[Agent, ...]
    numbers: tuple[Number, ...]
    days: tuple[Day, ...]
    hours: tuple[Hour, ...]


First = Annotated[date | None, Query(description="A day of the account; left out: the last day alone.")]
Last = Annotated[date | None, Query(description="A day of the account; left out: today.")]


@router.get("", responses=answer(Dashboard) | problems(PeriodInvalid))
async def read_dashboard(caller: Caller, db: Db, first: First = None, last: Last = None, device_id: PublicDeviceId | None = None) -> Json:
    """Show the figures of a period, today's where none is named, beside those of the period before."""
    return Json(await _dashboard(caller, db, first, last, device_id))


_TABLE: dict[int | str, dict[str, Any]] = {200: {"description": "A table.", "content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.get(
    "/export",
    response_class=Response,
    responses={**_TABLE, **problems(PeriodInvalid)},
)
async def export_dashboard(
    caller: Caller,
    db: Db,
    table: Annotated[Literal["agents", "numbers", "days", "hours"], Query(description="Which one.")] = "days",
    first: First = None,
    last: Last = None,
    device_id: PublicDeviceId | None = None,
) -> Response:
    """Give one table of the dashboard as CSV, for a spreadsheet; nothing in it is a formula."""
    shown = await _dashboard(caller, db, first, last, device_id)
    rows = [_flat(row) for row in getattr(shown, table)]
    columns = list(rows[0]) if rows else [field.name for field in msgspec.structs.fields(_ROWS[table])]
    name = f"clarin-{table}-{shown.period.first}-{shown.period.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(sheets.write(columns, rows), media_type="text/csv; charset=utf-8", headers=headers)


_ROWS: dict[str, type[msgspec.Struct]] = {"agents": Agent, "numbers": Number, "days": Day, "hours": Hour}


async def _dashboard(caller: Principal, db: Db, first: date | None, last: date | None, device: DeviceId | None) -> Dashboard:
    devices = _seen(caller, device)
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        zone = await figures.time_zone(c, caller.tenant)
        last = last or datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
        first = first or last
        length = (last - first).days + 1
        if length < 1:
            raise PeriodInvalid(f"The period ends on {last}, before it begins: give a last day from {first} on, or an earlier first one.")
        if length > DAYS_MAX:
            raise PeriodInvalid(f"A period has at most {DAYS_MAX} days, and this one {length}: give days that are closer together.")
        if first.toordinal() <= length:
            raise PeriodInvalid("There are no days before this period to compare it with: give a later first day.")
        await store.by_index(c)
        people, numbers = await figures.names(c, caller.tenant)
        opened, waiting = await figures.standing(c, caller.tenant, devices)
        work = await figures.work(c, caller.tenant, first, last, devices)
        said = await figures.said(c, caller.tenant, first, last, devices)
        active = await figures.active(c, caller.tenant, first, last, devices)
        waits = await figures.waits(c, caller.tenant, first, last, devices)
        before = await _before(c, caller, first - timedelta(days=length), first - timedelta(days=1), devices)
        everybody = caller.may(Role.ADMIN)
        idle = [figures.Work(author=id, handled=0, sent=0) for id in opened if id is not None and id not in {one.author for one in work}]
        return Dashboard(
            time_zone=zone,
            period=_period(first, last, said.all, active, waits),
            previous=before,
            open_now=sum(opened.values()),
            waiting_now=waiting,
            unassigned_now=opened.get(None, 0),
            agents=tuple(
                Agent(
                    id=ids.public(ids.USER, one.author),
                    name=people.get(one.author),
                    handled=one.handled,
                    sent=one.sent,
                    open_now=opened.get(one.author, 0),
                    first_response=_waited(waits.get(one.author)),
                )
                for one in (*work, *idle)
                if one.author in people and (everybody or one.author == caller.id)
            ),
            numbers=tuple(
                Number(
                    id=ids.public(ids.DEVICE, device),
                    name=numbers.get(device),
                    received=count.received,
                    sent=count.sent,
                    active=chats,
                )
                for device, chats in active.items()
                for count in (said.numbers.get(device, _NOTHING),)
            ),
            days=tuple(
                Day(day=day, received=count.received, sent=count.sent)
                for day in (first + timedelta(days=number) for number in range(length))
                for count in (said.days.get(day, _NOTHING),)
            ),
            hours=tuple(
                Hour(hour=hour, received=count.received, sent=count.sent)
                for hour in range(24)
                for count in (said.hours.get(hour, _NOTHING),)
            ),
        )


_NOTHING = figures.Count(received=0, sent=0)


async def _before(c: asyncpg.Connection, caller: Principal, first: date, last: date, devices: figures.Devices) -> Period:
    """Count what the period before is compared by."""
    count = await figures.total(c, caller.tenant, first, last, devices)
    active = await figures.active(c, caller.tenant, first, last, devices)
    waits = await figures.waits(c, caller.tenant, first, last, devices, each=False)
    return _period(first, last, count, active, waits)


def _period(
    first: date, last: date, count: figures.Count, active: Mapping[DeviceId, int], waits: Mapping[UserId | None, figures.Waits]
) -> Period:
    return Period(
        first=first,
        last=last,
        received=count.received,
        sent=count.sent,
        active=sum(active.values()),
        first_response=_waited(waits.get(None)),
    )


def _waited(waits: figures.Waits | None) -> Waited:
    if waits is None:
        return Waited(count=0, median_seconds=None, p90_seconds=None)
    return Waited(count=waits.responses, median_seconds=waits.median, p90_seconds=waits.p90)


def _seen(caller: Principal, device: DeviceId | None) -> figures.Devices:
    """Give the numbers to count: the one that was asked for, as far as the caller sees it; None: all."""
    if device is None:
        return caller.access.devices
    return [device] if caller.sees(device) else []


def _flat(row: msgspec.Struct) -> dict[str, object]:
    """Give a row with its waits beside the rest."""
    flat: dict[str, object] = {}
    for key, value in msgspec.to_builtins(row).items():
        flat |= {f"{key}_{inner}": one for inner, one in value.items()} if isinstance(value, dict) else {key: value}
    return flat
