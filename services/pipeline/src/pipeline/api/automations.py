"""Rules: leads that come of chats, and what follows when a lead comes into a stage; and the log of their runs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from contracts import ids
from contracts.edge import (
    PublicDeviceId,
    PublicLeadId,
    PublicPipelineId,
    PublicRuleId,
    PublicStageId,
    PublicTagId,
    PublicTeamId,
    PublicUserId,
)
from contracts.ids import PipelineId, StageId
from contracts.principal import Principal
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from servicekit import cursors
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Admin, Body, Cursor, Limit, Name, Page, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from pipeline.api.shapes import Db, NoteText, Short, Title, Value
from pipeline.domain import errors, rules
from pipeline.store import known, pipelines, views
from pipeline.store import rules as stored

router = APIRouter(prefix="/api/automations", tags=["automations"])

Devices = Annotated[list[PublicDeviceId], Field(max_length=100, description="On these numbers; none: on any.")]


class OnFirstMessage(Body):
    """A customer writes in a chat for the first time."""

    on: Literal["first_message"]
    devices: Devices = Field(default_factory=list)


class OnKeyword(Body):
    """A customer writes one of these words; accents and case do not count."""

    on: Literal["keyword"]
    words: Annotated[list[Short], Field(min_length=1, max_length=50)]
    match: rules.Match = "word"
    devices: Devices = Field(default_factory=list)


class OnTag(Body):
    """A chat is given this tag."""

    on: Literal["chat_tagged"]
    tag_id: PublicTagId


class OnStage(Body):
    """A lead comes into this stage; without one, into any stage of the pipeline, or of all."""

    on: Literal["stage_entered"]
    stage_id: PublicStageId | None = None
    pipeline_id: PublicPipelineId | None = None


class MakeLead(Body):
    """The chat has a lead, if it has no open one there. The title may name `{contact}` and `{phone}`."""

    do: Literal["make_lead"]
    pipeline_id: PublicPipelineId | None = None
    stage_id: PublicStageId | None = None
    title: Title = "{contact}"
    value: Value = 0


class Send(Body):
    """The customer is written to; it may name `{contact}`, `{title}`, `{value}`, `{stage}`, `{pipeline}` and `{owner}`."""

    do: Literal["send"]
    text: Annotated[NoteText, Field(max_length=4096)]


class Assign(Body):
    """The lead gets an owner, or its chat a team."""

    do: Literal["assign"]
    owner_id: PublicUserId | None = None
    team_id: PublicTeamId | None = None


class Tag(Body):
    """The lead gets and loses tags; with `chat` its chat too."""

    do: Literal["tag"]
    add: Annotated[list[PublicTagId], Field(max_length=20)] = Field(default_factory=list)
    remove: Annotated[list[PublicTagId], Field(max_length=20)] = Field(default_factory=list)
    chat: bool = False


class MakeTask(Body):
    """The lead gets a task, and people are reminded when it is due."""

    do: Literal["make_task"]
    title: Title
    due_minutes: Annotated[int, Field(ge=0, le=525_600, strict=True)]
    assignee_id: PublicUserId | None = None


class Notify(Body):
    """Webhooks (`lead.automation`) and open panels are told."""

    do: Literal["notify"]
    note: Annotated[Title | None, Field()] = None


class Move(Body):
    """The lead goes to the top of another stage."""

    do: Literal["move"]
    stage_id: PublicStageId


Trigger = Annotated[OnFirstMessage | OnKeyword | OnTag | OnStage, Field(discriminator="on")]
Action = Annotated[MakeLead | Send | Assign | Tag | MakeTask | Notify | Move, Field(discriminator="do")]


class NewRule(Body):
    """When something happens, these things are done in order."""

    name: Name
    enabled: bool = True
    trigger: Trigger
    actions: Annotated[list[Action], Field(min_length=1, max_length=10)]


class RuleOut(BaseModel):
    """A rule."""

    id: PublicRuleId
    name: str
    enabled: bool
    trigger: Trigger
    actions: list[Action]


class StepOut(BaseModel):
    """What one action came to; `reason`: why it was left out."""

    do: str
    done: bool
    reason: str | None


class RunOut(BaseModel):
    """One run of a rule; `outcome`: done, loop (it stood in its own chain, or went round and round), moved-on, gone, failed."""

    id: str
    rule_id: PublicRuleId
    lead_id: PublicLeadId | None
    event_id: str
    at: datetime
    outcome: str
    steps: list[StepOut]


@router.get("")
async def list_rules(admin: Admin, db: Db) -> Page[RuleOut]:
    """List the rules, in the order in which they were made and run."""
    async with db.transaction(admin.tenant) as tx:
        found = await stored.every(await raw(tx), admin.tenant)
    return Page(items=[_out(rule) for rule in found])


WRONG = (errors.RuleInvalid, errors.PipelineMissing, errors.StageMissing, errors.StageElsewhere, errors.UserMissing)


@router.post("", status_code=201, response_model=RuleOut, responses=problems(*WRONG, errors.TooMany, InFlight, Mismatch))
async def make(body: NewRule, admin: Admin, idem: Idempotent, db: Db) -> Response:
    """Make a rule."""
    rule = _rule(ids.new(), body)
    async with db.transaction(admin.tenant) as tx:
        if replay := await idem.begin(tx):
            return replay.response()
        c = await raw(tx)
        await c.fetchval("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"rules {admin.tenant}")
        if len(await stored.every(c, admin.tenant)) >= rules.MOST_RULES:
            raise errors.TooMany(f"An account has at most {rules.MOST_RULES} rules.")
        await _demand(c, admin, rule)
        await stored.save(c, admin.tenant, rule)
        return await idem.finish(tx, 201, _out(rule).model_dump_json().encode())


@router.get("/runs", responses=problems(BadCursor))
async def list_runs(
    admin: Admin,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    rule_id: Annotated[PublicRuleId | None, Query()] = None,
    lead_id: Annotated[PublicLeadId | None, Query()] = None,
) -> Page[RunOut]:
    """List the runs of rules within the last 90 days, the newest first."""
    name = f"runs?rule={rule_id}&lead={lead_id}"
    after = cursors.decode(admin.tenant, name, cursor, tuple[UUID])[0] if cursor else None
    async with db.transaction(admin.tenant) as tx:
        found = await stored.runs(await raw(tx), admin.tenant, limit=limit + 1, after=after, rule=rule_id, lead=lead_id)
    following = cursors.encode(admin.tenant, name, (UUID(int=found[limit - 1].id.int),)) if len(found) > limit else None
    return Page(items=[_run(one) for one in found[:limit]], next_cursor=following)


@router.get("/{id}", responses=problems(errors.RuleMissing))
async def read(id: PublicRuleId, admin: Admin, db: Db) -> RuleOut:
    """Show a rule."""
    async with db.transaction(admin.tenant) as tx:
        return _out(await stored.find(await raw(tx), admin.tenant, id))


@router.put("/{id}", responses=problems(errors.RuleMissing, *WRONG))
async def replace(id: PublicRuleId, body: NewRule, admin: Admin, db: Db) -> RuleOut:
    """Replace a rule."""
    rule = _rule(id, body)
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await stored.find(c, admin.tenant, id)
        await _demand(c, admin, rule)
        await stored.save(c, admin.tenant, rule)
    return _out(rule)


@router.delete("/{id}", status_code=204, response_class=Response, responses=problems(errors.RuleMissing))
async def delete(id: PublicRuleId, admin: Admin, db: Db) -> None:
    """Delete a rule; the log of its runs stays."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await stored.find(c, admin.tenant, id)
        await stored.remove(c, admin.tenant, id)


def _rule(id: UUID, body: NewRule) -> rules.Rule:
    """Read a rule.  Raises: RuleInvalid."""
    rule = rules.Rule(
        id=id,
        name=body.name,
        enabled=body.enabled,
        trigger=msgspec.convert(_plain(body.trigger), rules.Trigger),
        actions=tuple(msgspec.convert(_plain(action), rules.Action) for action in body.actions),
    )
    rules.check(rule)
    return rule


def _plain(body: Body) -> dict[str, Any]:
    return {name: getattr(body, name) for name in type(body).model_fields}


async def _demand(c: Any, caller: Principal, rule: rules.Rule) -> None:
    """Return if what the rule names is here."""
    trigger = rule.trigger
    if isinstance(trigger, rules.StageEntered):
        await _stage(c, caller, trigger.stage_id, trigger.pipeline_id)
    for action in rule.actions:
        match action:
            case rules.MakeLead(pipeline_id=pipeline, stage_id=stage):
                board = await pipelines.find(c, caller.tenant, pipeline)
                await _stage(c, caller, stage, board.id)
            case rules.Move(stage_id=stage):
                await _stage(c, caller, stage, None)
            case rules.Assign(owner_id=owner) if owner is not None:
                await _person(c, caller, owner)
            case rules.MakeTask(assignee_id=assignee) if assignee is not None:
                await _person(c, caller, assignee)


async def _stage(c: Any, caller: Principal, stage: StageId | None, pipeline: PipelineId | None) -> None:
    if pipeline is not None:
        await pipelines.find(c, caller.tenant, pipeline)
    if stage is not None:
        found = await pipelines.stage(c, caller.tenant, stage)
        if pipeline not in {None, found.pipeline}:
            raise errors.StageElsewhere


async def _person(c: Any, caller: Principal, id: UUID) -> None:
    if id != UUID(int=caller.id.int) and not await known.is_user(c, caller.tenant, id):  # type: ignore[arg-type]
        raise errors.UserMissing


def _out(rule: rules.Rule) -> RuleOut:
    return RuleOut(
        id=rule.id,
        name=rule.name,
        enabled=rule.enabled,
        trigger=_shown(rule.trigger),
        actions=[_shown(action) for action in rule.actions],
    )


def _shown(part: rules.Trigger | rules.Action) -> Any:
    config = part.__struct_config__
    return {str(config.tag_field): config.tag} | {name: _listed(getattr(part, name)) for name in part.__struct_fields__}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _run(run: stored.Run) -> RunOut:
    return RunOut(
        id=str(run.id),
        rule_id=run.rule,
        lead_id=run.lead,
        event_id=views.maybe(ids.EVENT, run.event) or "",
        at=run.at,
        outcome=run.outcome,
        steps=[StepOut(do=step.do, done=step.done, reason=step.reason) for step in run.steps],
    )
