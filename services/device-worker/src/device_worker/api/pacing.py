"""How fast a number sends now: the meter of its governor, and pausing it by hand."""

from datetime import UTC, date, datetime, timedelta

from contracts.principal import Scope
from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel
from servicekit.http import Admin, Body, Caller, Doer, needs, problems

from device_worker.api.parts import Db, Seen
from device_worker.domain import Device, DeviceMissing, PauseInvalid, governor
from device_worker.domain.governor import Meter, Number
from device_worker.domain.reasons import BY_USER
from device_worker.store import accounts, devices, meters, queue, sending
from device_worker.store.queue import Depth

_LONGEST_PAUSE = timedelta(days=366)

routes = APIRouter()


class DayBudget(BaseModel):
    """What of today's budget is used; a null budget has no limit."""

    used: int
    budget: int | None


class WarmUpDay(BaseModel):
    """On which day of its warm-up a young number is; 1 is the day of its pairing."""

    day: int
    days: int


class GovernorView(BaseModel):
    """What a number may send now, and why it does not.

    Attributes:
        enabled: False: nothing of this holds.
        tokens: Messages that may go at once.
        day: The account's day that the budgets are for.
        new_contacts: People written to today who never wrote to this number and never were written to.
        messages: Messages of today to people who had not written within 24 hours.
        warm_up: Null for a number that is grown up.
        quiet_until: It is quiet now, until then.
        queued: Messages that wait, by reason in *waiting*.
    """

    enabled: bool
    tokens: int
    burst: int
    per_minute: int
    day: date
    time_zone: str
    new_contacts: DayBudget
    messages: DayBudget
    warm_up: WarmUpDay | None
    quiet_until: datetime | None
    paused_until: datetime | None
    paused_reason: str | None
    queued: int
    oldest_at: datetime | None
    waiting: dict[str, int]


class SendingPause(Body):
    """Until when nothing goes."""

    until: AwareDatetime


def _shown(device: Device, time_zone: str, meter: Meter | None, depth: Depth, now: datetime) -> GovernorView:
    pace = device.settings.pace
    number = Number(pace=pace, linked_at=device.linked_at or (device.created_at if device.phone else None), time_zone=time_zone)
    stands = governor.as_of(meter, number, now)
    return GovernorView(
        enabled=pace.enabled,
        tokens=governor.whole_tokens(stands),
        burst=pace.burst,
        per_minute=pace.per_minute,
        day=number.day(now),
        time_zone=time_zone,
        new_contacts=DayBudget(used=stands.new_contacts, budget=number.new_contacts(now)),
        messages=DayBudget(used=stands.messages, budget=number.messages(now)),
        warm_up=WarmUpDay(day=number.age(now), days=len(pace.warm_up)) if number.stage(now) is not None else None,
        quiet_until=governor.quiet_until(pace.quiet, time_zone, now) if pace.quiet is not None else None,
        paused_until=stands.paused_until,
        paused_reason=stands.paused_why,
        queued=depth.queued,
        oldest_at=depth.oldest_at,
        waiting=depth.reasons,
    )


@routes.get("/{id}/governor", responses=problems(DeviceMissing))
async def read_governor(id: Seen, caller: Caller, db: Db) -> GovernorView:
    """Show what a number may send now: tokens, budgets, warm-up, quiet hours, pauses."""
    async with db.transaction(caller.tenant) as tx:
        device = await devices.find(tx, caller.tenant, id)
        zone = await accounts.time_zone(tx, caller.tenant)
        meter = await meters.find(tx, caller.tenant, id)
        depth = await queue.depth(tx, caller.tenant, id)
    return _shown(device, zone, meter, depth, datetime.now(UTC))


@routes.post("/{id}/governor/pause", status_code=204, responses=problems(DeviceMissing, PauseInvalid))
@needs(Scope.CONTROL)
async def pause_sending(id: Seen, body: SendingPause, caller: Admin, doer: Doer, db: Db) -> None:
    """Send nothing until a time, and keep receiving; what is ordered waits. Another pause takes the place of this one."""
    now = datetime.now(UTC)
    if not now < body.until <= now + _LONGEST_PAUSE:
        raise PauseInvalid("Give a time between now and a year from now.")
    async with db.transaction(caller.tenant) as tx:
        device = await devices.lock(tx, caller.tenant, id)
        await sending.pause(tx, device, now, body.until, BY_USER)
        await devices.ordered(tx, device, "pause", doer)


@routes.post("/{id}/governor/resume", status_code=204, responses=problems(DeviceMissing))
@needs(Scope.CONTROL)
async def resume_sending(id: Seen, caller: Admin, doer: Doer, db: Db) -> None:
    """End a pause, by whomever it was made; a ban of WhatsApp's lasts all the same."""
    async with db.transaction(caller.tenant) as tx:
        device = await devices.lock(tx, caller.tenant, id)
        await sending.resume(tx, device, datetime.now(UTC))
        await devices.ordered(tx, device, "resume", doer)
