"""Rules and the log of their runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.ids import LeadId, TenantId

from pipeline.domain.errors import RuleMissing
from pipeline.domain.rules import Action, Rule, Trigger

_COLUMNS = "id, name, enabled, trigger, actions"


def _rule(found: Any) -> Rule:
    return Rule(
        id=found["id"],
        name=found["name"],
        enabled=found["enabled"],
        trigger=msgspec.convert(found["trigger"], Trigger),
        actions=msgspec.convert(found["actions"], tuple[Action, ...]),
    )


async def every(c: asyncpg.Connection, tenant: TenantId, *, enabled: bool = False) -> list[Rule]:
    """Read the tenant's rules, in the order in which they were made."""
    condition = " and enabled" if enabled else ""
    statement = f"select {_COLUMNS} from rules where tenant = $1{condition} order by created_at, id"  # noqa: S608
    return [_rule(one) for one in await c.fetch(statement, tenant)]


async def find(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> Rule:
    """Read one rule.  Raises: RuleMissing."""
    found = await c.fetchrow(f"select {_COLUMNS} from rules where tenant = $1 and id = $2", tenant, id)  # noqa: S608
    if found is None:
        raise RuleMissing
    return _rule(found)


async def save(c: asyncpg.Connection, tenant: TenantId, rule: Rule) -> None:
    """The rule is as *rule* says."""
    await c.execute(
        "insert into rules (tenant, id, name, enabled, trigger, actions) values ($1, $2, $3, $4, $5::jsonb, $6::jsonb) "
        "on conflict (tenant, id) do update set name = $3, enabled = $4, trigger = $5::jsonb, actions = $6::jsonb",
        tenant,
        rule.id,
        rule.name,
        rule.enabled,
        msgspec.json.encode(rule.trigger).decode(),
        msgspec.json.encode(rule.actions).decode(),
    )


async def remove(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """The rule is no more; the log of its runs stays."""
    await c.execute("delete from rules where tenant = $1 and id = $2", tenant, id)


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one action of a run came to; *reason*: why it was left out."""

    do: str
    done: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a rule."""

    id: UUID
    rule: UUID
    event: UUID
    lead: LeadId | None
    at: datetime
    outcome: str
    steps: tuple[Step, ...]


async def begin_run(c: asyncpg.Connection, tenant: TenantId, rule: UUID, event: UUID, lead: LeadId | None, at: datetime) -> bool:
    """The run stands in the log; False where this rule ran for this event before."""
    found = await c.fetchval(
        "insert into rule_runs (tenant, rule, event, id, lead, at, outcome) values ($1, $2, $3, $4, $5, $6, 'running') "
        "on conflict do nothing returning true",
        tenant,
        rule,
        event,
        ids.new(),
        lead,
        at,
    )
    return bool(found)


async def end_run(
    c: asyncpg.Connection, tenant: TenantId, rule: UUID, event: UUID, outcome: str, steps: tuple[Step, ...] = (), lead: LeadId | None = None
) -> None:
    """It is on record what the run came to."""
    await c.execute(
        "update rule_runs set outcome = $4, steps = $5::jsonb, lead = coalesce(lead, $6) where tenant = $1 and rule = $2 and event = $3",
        tenant,
        rule,
        event,
        outcome,
        msgspec.json.encode(steps).decode(),
        lead,
    )


async def ran(c: asyncpg.Connection, tenant: TenantId, rule: UUID, lead: LeadId) -> int:
    """Count the rule's runs for this lead within the last hour."""
    count: int = await c.fetchval(
        "select count(*) from rule_runs where tenant = $1 and rule = $2 and lead = $3 and at > now() - interval '1 hour'",
        tenant,
        rule,
        lead,
    )
    return count


async def runs(
    c: asyncpg.Connection, tenant: TenantId, *, limit: int, after: UUID | None = None, rule: UUID | None = None, lead: LeadId | None = None
) -> list[Run]:
    """Read up to *limit* runs, the newest first, from behind *after*."""
    values: list[object] = [tenant]
    conditions = ""
    for condition, value in (("rule = {}", rule), ("lead = {}", lead), ("id < {}", after)):
        if value is not None:
            values.append(value)
            conditions += " and " + condition.format(f"${len(values)}")
    found = await c.fetch(
        "select id, rule, event, lead, at, outcome, steps from rule_runs "  # noqa: S608
        f"where tenant = $1{conditions} order by id desc limit {int(limit)}",
        *values,
    )
    return [
        Run(
            **{name: one[name] for name in ("id", "rule", "event", "lead", "at", "outcome")},
            steps=msgspec.convert(one["steps"], tuple[Step, ...]),
        )
        for one in found
    ]


async def sweep(c: asyncpg.Connection, *, days: int) -> int:
    """Forget runs that are older than *days*; tell how many. For the system role."""
    tag = await c.execute("delete from rule_runs where at < now() - make_interval(days => $1)", days)
    return int(tag.rpartition(" ")[2])
