"""Looking at leads: the columns of a board, the pages of one, and the list of all.

Unfiltered, counts and sums are those that the database keeps for each stage; for a filter, or for somebody who does not see all,
they are counted from the same rows that are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from contracts.ids import ChatId, ContactId, DeviceId, LeadId, PipelineId, StageId, TenantId, UserId
from contracts.principal import Principal

from pipeline.domain.leads import Lead
from pipeline.store import leads


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which leads; None: all of them.

    Attributes:
        owner: ``none``: those that nobody owns.
        stuck: Longer in their stage than it allows.
        since: Made then or later; *until*: before then.
        text: Stands in the title, the contact's name or phone.
    """

    owner: UserId | Literal["none"] | None = None
    tag: UUID | None = None
    value_min: int | None = None
    value_max: int | None = None
    currency: str | None = None
    stuck: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    pipeline: PipelineId | None = None
    stage: StageId | None = None
    chat: ChatId | None = None
    contact: ContactId | None = None
    status: str | None = None

    @property
    def empty(self) -> bool:
        """Whether it lets every lead through."""
        return all(getattr(self, field.name) is None for field in fields(self))

    def name(self) -> str:
        """Name it, so that a cursor holds for it alone."""
        return "&".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))


_STUCK = "(l.kind = 'open' and l.stage_since < now() - make_interval(days => s.rotting_days))"


def where(filter: Filter, caller: Principal | None, values: list[object]) -> str:
    """Add what *filter* and *caller* ask for to *values* and give the conditions on the lead ``l`` and its stage ``s``."""
    parts = []

    def add(condition: str, value: object) -> None:
        values.append(value)
        parts.append(condition.format(f"${len(values)}"))

    if filter.owner == "none":
        parts.append("l.owner is null")
    elif filter.owner is not None:
        add("l.owner = {}", filter.owner)
    for condition, value in (
        ("{} = any (l.tags)", filter.tag),
        ("l.value >= {}", filter.value_min),
        ("l.value <= {}", filter.value_max),
        ("l.currency = {}", filter.currency),
        ("l.created_at >= {}", filter.since),
        ("l.created_at < {}", filter.until),
        ("l.pipeline = {}", filter.pipeline),
        ("l.stage = {}", filter.stage),
        ("l.contact = {}", filter.contact),
        ("l.kind = {}", filter.status),
        ("l.id in (select lead from lead_chats x where x.tenant = $1 and x.chat = {})", filter.chat),
    ):
        if value is not None:
            add(condition, value)
    if filter.stuck is not None:
        parts.append(_STUCK if filter.stuck else f"coalesce(not {_STUCK}, true)")
    if filter.text:
        escaped = filter.text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        add(
            "(l.sought like {0} or exists (select from contacts x where x.tenant = $1 and x.id = l.contact and x.sought like {0}))",
            f"%{escaped}%",
        )
    return "".join(f" and {part}" for part in parts) + leads.seen(caller, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a card shows beside its lead."""

    contact: ContactId | None
    contact_name: str | None
    phone: str | None
    chat: ChatId | None
    device: DeviceId | None
    team: UUID | None
    assignee: UserId | None
    chat_name: str | None
    chat_status: str | None
    unread: int | None
    last_id: UUID | None
    last_at: datetime | None
    last_kind: str | None
    last_text: str | None
    last_from_me: bool | None
    tasks: int
    next_due: datetime | None


_NAMES = tuple(field.name for field in fields(Beside))
_WIDTH = len(leads.NAMES)


@dataclass(frozen=True, slots=True)
class Card:
    """A lead with what its card shows."""

    lead: Lead
    beside: Beside


_BESIDE = (
    "k.id, k.name, k.phone, h.id, h.device, h.team, h.assignee, h.name, h.status, h.unread, h.last_id, h.last_at, h.last_kind, "
    "h.last_text, h.last_from_me, t.tasks, t.next_due"
)
_JOINED = """
    left join contacts k on k.tenant = $1 and k.id = l.contact
    left join chats h on h.tenant = $1 and h.id = l.chat
    left join lateral (
        select count(*) as tasks, min(x.due_at) as next_due from tasks x where x.tenant = $1 and x.lead = l.id and x.done_at is null
    ) t on true
"""


@dataclass(frozen=True, slots=True)
class Total:
    """What a stage holds in one currency."""

    currency: str
    leads: int
    value: int


async def columns(
    c: asyncpg.Connection, tenant: TenantId, pipeline: PipelineId, filter: Filter, caller: Principal | None, *, limit: int
) -> dict[StageId, list[Card]]:
    """Read the first *limit* cards of each stage of *pipeline*, by stage, those with no card left out."""
    values: list[object] = [tenant, pipeline]
    conditions = where(filter, caller, values)
    found = await c.fetch(
        f"""
        select {leads.COLUMNS}, {_BESIDE}
          from stages s cross join lateral (
               select l.* from leads l where l.tenant = $1 and l.stage = s.id{conditions} order by l.rank limit {int(limit)}
          ) l {_JOINED}
         where s.tenant = $1 and s.pipeline = $2 order by s.position, l.rank
        """,  # noqa: S608  # constants and numbers
        *values,
    )
    shown: dict[StageId, list[Card]] = {}
    for one in found:
        card = _card(one)
        shown.setdefault(card.lead.stage, []).append(card)
    return shown


async def column(
    c: asyncpg.Connection, tenant: TenantId, stage: StageId, filter: Filter, caller: Principal | None, *, limit: int, after: str | None
) -> list[Card]:
    """Read up to *limit* cards of one stage from behind the rank *after*."""
    values: list[object] = [tenant, stage]
    conditions = where(filter, caller, values)
    if after is not None:
        values.append(after)
        conditions += f" and l.rank > ${len(values)}"
    found = await c.fetch(
        f"""
        select {leads.COLUMNS}, {_BESIDE}
          from (select l.* from leads l join stages s on s.tenant = $1 and s.id = $2
                 where l.tenant = $1 and l.stage = $2{conditions} order by l.rank limit {int(limit)}) l {_JOINED}
         order by l.rank
        """,  # noqa: S608
        *values,
    )
    return [_card(one) for one in found]


async def newest(
    c: asyncpg.Connection,
    tenant: TenantId,
    filter: Filter,
    caller: Principal | None,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    id: LeadId | None = None,
) -> list[Card]:
    """Read up to *limit* leads, the newest first, from behind *after*; with *id*, that one alone."""
    values: list[object] = [tenant]
    conditions = where(filter, caller, values)
    if after is not None:
        values += after
        conditions += f" and (l.created_at, l.id) < (${len(values) - 1}, ${len(values)})"
    if id is not None:
        values.append(id)
        conditions += f" and l.id = ${len(values)}"
    found = await c.fetch(
        f"""
        select {leads.COLUMNS}, {_BESIDE}
          from (select l.* from leads l join stages s on s.tenant = $1 and s.id = l.stage
                 where l.tenant = $1{conditions} order by l.created_at desc, l.id desc limit {int(limit)}) l {_JOINED}
         order by l.created_at desc, l.id desc
        """,  # noqa: S608
        *values,
    )
    return [_card(one) for one in found]


async def totals(
    c: asyncpg.Connection, tenant: TenantId, pipeline: PipelineId, filter: Filter, caller: Principal | None
) -> dict[StageId, list[Total]]:
    """Count and sum what each stage of *pipeline* holds, by currency."""
    values: list[object] = [tenant, pipeline]
    conditions = where(filter, caller, values)
    if conditions:
        statement = f"""
            select l.stage, l.currency, count(*), sum(l.value)::numeric
              from leads l join stages s on s.tenant = $1 and s.id = l.stage
             where l.tenant = $1 and l.pipeline = $2{conditions} group by l.stage, l.currency order by l.currency
        """  # noqa: S608
    else:
        statement = """
            select t.stage, t.currency, t.leads, t.value from stage_totals t join stages s on s.tenant = t.tenant and s.id = t.stage
             where t.tenant = $1 and s.pipeline = $2 and t.leads > 0 order by t.currency
        """
    result: dict[StageId, list[Total]] = {}
    for stage, currency, count, value in await c.fetch(statement, *values):
        result.setdefault(stage, []).append(Total(currency, count, int(value)))
    return result


def _card(found: Sequence[Any]) -> Card:
    return Card(leads.row(found), Beside(**dict(zip(_NAMES, found[_WIDTH:], strict=True))))
