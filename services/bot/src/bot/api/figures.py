"""What the bot did, and what no rule knew."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from contracts.edge import PublicDeviceId
from contracts.errors import Invalid
from contracts.hours import zone
from fastapi import APIRouter, Query
from servicekit import cursors
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Admin, Caller, Cursor, Limit, Page, problems
from starlette.responses import Response

from bot.api.parts import Db
from bot.domain.decide import Why
from bot.domain.settings import Part
from bot.store import facts, figures

router = APIRouter(prefix="/api/bot", tags=["bot"])

DAYS_MAX = 400
_VIEW = "bot phrases"
#: Where the bot said something.
SPOKE = frozenset({Why.PERSON, Why.OPTION, Why.NO_OPTION, Why.RULE, Why.OUT_OF_HOURS, Why.WELCOME})


class PeriodInvalid(Invalid):
    """This is no period."""

    code = "period-invalid"


class Count(Part):
    """How often something happened in the period, by what it was and which rule fired."""

    why: str
    rule: str
    count: int


class Day(Part):
    """One day of the account."""

    day: date
    answered: int
    handed_over: int
    unknown: int


class Figures(Part):
    """What the bot did from the first to the last day.

    Attributes:
        answered: Messages of customers that the bot answered.
        handed_over: Chats that it passed to a person.
        unknown: Messages with a text that no rule knew.
    """

    first: date
    last: date
    answered: int
    handed_over: int
    unknown: int
    counts: tuple[Count, ...]
    days: tuple[Day, ...]


class Phrase(Part):
    """Something that customers said and no rule knew, without accents and case."""

    phrase: str
    count: int
    last_at: datetime


@router.get("/figures", responses=problems(PeriodInvalid))
async def read_figures(
    caller: Caller,
    db: Db,
    first: Annotated[date | None, Query(description="A day of the account; left out: six days before the last.")] = None,
    last: Annotated[date | None, Query(description="A day of the account; left out: today.")] = None,
    device_id: PublicDeviceId | None = None,
) -> Figures:
    """Count what the bot did, by day and by rule."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        account = (await facts.accounts(c, [caller.tenant]))[caller.tenant]
        last = last or datetime.now(UTC).astimezone(zone(account.time_zone)).date()
        first = first or last - timedelta(days=min(6, last.toordinal() - 1))
        if not timedelta(0) <= last - first <= timedelta(days=DAYS_MAX):
            raise PeriodInvalid(f"The last day is not before the first, and at most {DAYS_MAX} days after it.")
        found = await figures.between(c, caller.tenant, first, last)
    seen = [one for one in found if caller.sees(one.device) and device_id in (None, one.device)]
    counts: dict[tuple[str, str], int] = {}
    for one in seen:
        counts[one.what, one.rule] = counts.get((one.what, one.rule), 0) + one.count
    days = {one.day: [other for other in seen if other.day == one.day] for one in seen}
    return Figures(
        first=first,
        last=last,
        answered=_answered(seen),
        handed_over=_sum(seen, "handed-over"),
        unknown=_sum(seen, Why.UNKNOWN),
        counts=tuple(Count(why=why, rule=rule, count=count) for (why, rule), count in sorted(counts.items())),
        days=tuple(
            Day(day=day, answered=_answered(some), handed_over=_sum(some, "handed-over"), unknown=_sum(some, Why.UNKNOWN))
            for day, some in days.items()
        ),
    )


@router.get("/phrases", responses=problems(BadCursor))
async def list_phrases(admin: Admin, db: Db, limit: Limit = 50, cursor: Cursor = None) -> Page[Phrase]:
    """List what customers said and no rule knew, the most frequent first."""
    after = cursors.decode(admin.tenant, _VIEW, cursor, tuple[int, str]) if cursor else None
    async with db.transaction(admin.tenant) as tx:
        found = await figures.page(await raw(tx), admin.tenant, after=after, limit=limit + 1)
    shown = [Phrase(phrase=one.phrase, count=one.count, last_at=one.last_at) for one in found[:limit]]
    following = cursors.encode(admin.tenant, _VIEW, (shown[-1].count, shown[-1].phrase)) if len(found) > limit else None
    return Page(items=shown, next_cursor=following)


@router.delete("/phrases", status_code=204)
async def forget_phrase(
    phrase: Annotated[str, Query(min_length=1, max_length=100, description="As the list shows it.")], admin: Admin, db: Db
) -> Response:
    """Take a phrase from the list: it needs no rule, or has one now."""
    async with db.transaction(admin.tenant) as tx:
        await figures.forget(await raw(tx), admin.tenant, phrase.replace("\x00", ""))
    return Response(status_code=204)


def _answered(some: list[figures.Figure]) -> int:
    return sum(one.count for one in some if one.what in SPOKE)


def _sum(some: list[figures.Figure], what: str) -> int:
    return sum(one.count for one in some if one.what == what)
