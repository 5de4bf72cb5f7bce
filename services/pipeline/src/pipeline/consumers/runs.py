"""Running a rule: one transaction, once for one cause, with a line in the log that says what came of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from contracts import ids
from contracts.commands import ChangeChat, WriteMessage
from contracts.envelope import Envelope, wrap
from contracts.events.pipeline import LeadNotified, TaskChanged
from contracts.ids import ChatId, LeadId, TenantId
from prometheus_client import Counter

from pipeline import store
from pipeline.domain import errors, money, rules
from pipeline.domain.leads import Lead
from pipeline.domain.rules import Action, Assign, MakeLead, MakeTask, Move, Notify, Rule, Send, Tag
from pipeline.store import deeds, known, leads, merging, pipelines, redirects, tasks, views
from pipeline.store import rules as log_of
from pipeline.store.rules import Step

FRESH = timedelta(minutes=30)
"""A customer is written to about what happened so long ago at most; what comes later still changes leads."""

RUNS = Counter("clarin_pipeline_rule_runs_total", "Runs of rules, by what they came to.", ["outcome"])

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What sets a rule off.

    Attributes:
        id: The event's.
        chain: The rules that led to it.
    """

    tenant: TenantId
    id: UUID
    at: datetime
    chain: tuple[UUID, ...] = ()


async def for_chat(c: asyncpg.Connection, cause: Cause, rule: Rule, chat: ChatId) -> list[Envelope[Any]]:
    """The chat has a lead, and what else the rule says is done, if this rule has not run for this cause."""
    # Whoever makes a lead of a chat holds its row, so that two rules or two processes make one.
    [chat] = await redirects.today(c, cause.tenant, [chat])
    await c.fetchval("select id from chats where tenant = $1 and id = $2 for update", cause.tenant, chat)
    if await redirects.today(c, cause.tenant, [chat]) != [chat]:
        raise store.Moved  # just now
    about = await known.chat(c, cause.tenant, chat)
    if about is None or not await log_of.begin_run(c, cause.tenant, rule.id, cause.id, None, cause.at):
        return []
    make = rule.actions[0]
    assert isinstance(make, MakeLead), "`rules.check` demands it."  # noqa: S101
    by = deeds.By(rules=(*cause.chain, rule.id))
    try:
        lead, told, step = await _made(c, cause, rule, make, about, by)
    except (errors.PipelineMissing, errors.StageMissing, errors.StageElsewhere) as gone:
        await _end(c, cause, rule, "failed", (Step(do="make_lead", done=False, reason=gone.code),))
        return []
    lead, more, steps = await _act(c, cause, rule, lead, rule.actions[1:], by)
    await _end(c, cause, rule, "done", (step, *steps), lead.id)
    return [*told, *more]


async def for_lead(c: asyncpg.Connection, cause: Cause, rule: Rule, id: LeadId, stage: UUID) -> list[Envelope[Any]]:
    """What the rule says is done to the lead, if it has not run for this cause, may run, and the lead is still in *stage*."""
    if not await log_of.begin_run(c, cause.tenant, rule.id, cause.id, id, cause.at):
        return []
    if not rules.admits(rule.id, cause.chain) or await log_of.ran(c, cause.tenant, rule.id, id) > rules.OFTEN:
        log.warning("a rule was stopped in a loop", tenant=str(cause.tenant), rule=str(rule.id))
        await _end(c, cause, rule, "loop")
        return []
    for target in sorted(action.stage_id for action in rule.actions if isinstance(action, Move)):
        await c.fetchval("select id from stages where tenant = $1 and id = $2 for no key update", cause.tenant, target)
    try:
        lead = await leads.find(c, cause.tenant, id, lock=True)
    except errors.LeadMissing:
        await _end(c, cause, rule, "gone")
        return []
    if lead.stage != stage:
        await _end(c, cause, rule, "moved-on")
        return []
    by = deeds.By(rules=(*cause.chain, rule.id))
    _, told, steps = await _act(c, cause, rule, lead, rule.actions, by)
    await _end(c, cause, rule, "done", steps)
    return told


async def _end(
    c: asyncpg.Connection, cause: Cause, rule: Rule, outcome: str, steps: tuple[Step, ...] = (), lead: LeadId | None = None
) -> None:
    RUNS.labels(outcome).inc()
    await log_of.end_run(c, cause.tenant, rule.id, cause.id, outcome, steps, lead)


async def _made(
    c: asyncpg.Connection, cause: Cause, rule: Rule, make: MakeLead, chat: known.Chat, by: deeds.By
) -> tuple[Lead, list[Envelope[Any]], Step]:
    """The chat's open lead, its contact's, or a new one."""
    board = await pipelines.find(c, cause.tenant, make.pipeline_id)
    for lead in await leads.of_chats(c, cause.tenant, [chat.id]):
        if lead.kind == "open" and lead.pipeline == board.id:
            return lead, [], Step(do="make_lead", done=False, reason="there-already")
    if chat.contact is not None and (other := await leads.open_of_contact(c, cause.tenant, board.id, chat.contact)) is not None:
        lead, told = await deeds.attach(c, other, chat, by)
        return lead, told, Step(do="make_lead", done=False, reason="chat-attached")
    values = await known.names(c, cause.tenant, chat.contact, None)
    values.setdefault("contact", chat.name or "")
    # The chat's own answerer owns it from the start, as he would have it had the chat been given to him a moment later.
    owner = chat.assignee if board.owner_follows_chat else None
    new = deeds.New(
        id=LeadId(ids.derived("lead by rule", rule.id, cause.id)),
        title=rules.fill(make.title, values)[:200] or "Lead",
        pipeline=board.id,
        stage=make.stage_id,
        value=make.value,
        chats=(chat,),
        owner=owner,
        source=merging.BY_RULE,
    )
    lead, told = await deeds.create(c, cause.tenant, new, by)
    return lead, told, Step(do="make_lead", done=True)


async def _act(
    c: asyncpg.Connection, cause: Cause, rule: Rule, lead: Lead, actions: tuple[Action, ...], by: deeds.By
) -> tuple[Lead, list[Envelope[Any]], tuple[Step, ...]]:
    told: list[Envelope[Any]] = []
    steps = []
    for number, action in enumerate(actions):
        lead, more, reason = await _do(c, cause, rule, lead, action, by, number)
        told += more
        steps.append(Step(do=type(action).__struct_config__.tag, done=reason is None, reason=reason))  # type: ignore[arg-type]
    return lead, told, tuple(steps)


Done = tuple[Lead, list[Envelope[Any]], str | None]


async def _do(c: asyncpg.Connection, cause: Cause, rule: Rule, lead: Lead, action: Action, by: deeds.By, number: int) -> Done:
    """Do one thing; the last value says why it was left out, where it was."""
    tenant = cause.tenant
    order = ids.derived(cause.id, rule.id, number)
    match action:
        case Send(text=text):
            if lead.chat is None:
                return lead, [], "no-chat"
            if datetime.now(UTC) - cause.at > FRESH:
                return lead, [], "too-late"
            filled = rules.fill(text, await _values(c, lead))
            if not filled:
                return lead, [], "nothing-to-say"
            write = WriteMessage(chat=lead.chat, origin="automation", text=filled, not_after=cause.at + FRESH)
            return lead, [wrap(tenant, write, id=order)], None
        case Assign(owner_id=owner, team_id=team):
            if owner is not None:
                if not await known.is_user(c, tenant, owner):
                    return lead, [], "user-not-found"
                changed, told = await deeds.change(c, lead, by, owner=owner)
                return changed, told, None if told else "was-so"
            if lead.chat is None:
                return lead, [], "no-chat"
            return lead, [wrap(tenant, ChangeChat(chat=lead.chat, origin="automation", team=team, hand_over=True), id=order)], None
        case Tag(add=add, remove=remove, chat=chat):
            tags = tuple(dict.fromkeys(tag for tag in (*lead.tags, *add) if tag not in remove))
            changed, told = await deeds.change(c, lead, by, tags=tags)
            if chat and lead.chat is not None:
                orders = ChangeChat(chat=lead.chat, origin="automation", add_tags=add, remove_tags=remove)
                told = [*told, wrap(tenant, orders, id=order)]
            return changed, told, None if told else "was-so"
        case MakeTask(title=title, due_minutes=minutes, assignee_id=assignee):
            due = datetime.now(UTC) + timedelta(minutes=minutes)
            task = tasks.Task(
                tenant=tenant,
                id=order,
                lead=lead.id,
                title=rules.fill(title, await _values(c, lead))[:200] or rule.name,
                assignee=assignee,
                due_at=due,
                remind_at=due,
                done_at=None,
                created_at=datetime.now(UTC),
            )
            await tasks.save(c, task)
            return lead, [wrap(tenant, TaskChanged(**task.fields()), audience=views.audience(lead))], None
        case Notify(note=note):
            body = LeadNotified(
                lead=views.view(lead),
                rule_id=ids.public(ids.RULE, rule.id),
                rule=rule.name,
                note=rules.fill(note, await _values(c, lead)) if note else None,
            )
            return lead, [wrap(tenant, body, id=order, audience=views.audience(lead))], None
        case Move(stage_id=stage):
            if lead.stage == stage:
                return lead, [], "was-so"
            try:
                target = await pipelines.stage(c, tenant, stage, lock=True)
                moved, told = await deeds.put(c, lead, target, deeds.To(stage=stage), by)
            except (errors.StageMissing, errors.StageElsewhere) as problem:
                return lead, [], problem.code
            return moved, told, None
    return lead, [], "not-here"


async def _values(c: asyncpg.Connection, lead: Lead) -> dict[str, str]:
    board = await pipelines.find(c, lead.tenant, lead.pipeline)
    stage = board.stage(lead.stage)
    return {
        **await known.names(c, lead.tenant, lead.contact, lead.owner),
        "title": lead.title,
        "value": money.written(lead.value, lead.currency),
        "stage": stage.name if stage else "",
        "pipeline": board.name,
    }
