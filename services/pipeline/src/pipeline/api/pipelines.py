"""Pipelines and their stages, and the pages of a column."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from contracts import ids, leads
from contracts.edge import PublicPipelineId, PublicStageId
from contracts.envelope import Envelope, wrap
from contracts.events.pipeline import PipelineChanged, PipelineDeleted
from contracts.ids import PipelineId, StageId
from contracts.principal import Principal, Role, Scope
from fastapi import APIRouter, Depends, Query, Response
from servicekit import cursors, outbox
from servicekit.cursors import BadCursor
from servicekit.db import Database, raw
from servicekit.http import Admin, Caller, Cursor, Json, Limit, answer, problems
from servicekit.idempotency import Idempotency, Idempotent, InFlight, Mismatch

from pipeline import store
from pipeline.api import shapes
from pipeline.api.shapes import Db, LeadCard, NewPipeline, NewStage, PipelineChange, StageChange, given
from pipeline.domain import defaults, errors
from pipeline.domain.leads import Stage
from pipeline.store import board, deeds, views
from pipeline.store import pipelines as stored
from pipeline.store.board import Filter
from pipeline.store.pipelines import Pipeline

router = APIRouter(prefix="/api/pipelines", tags=["pipelines"])

MOST = 20
MOST_STAGES = 30

MoveTo = Annotated[PublicStageId | None, Query(description="The stage that its leads go to, at the end.")]


@router.get("", responses=answer(leads.Pipeline, page=True))
async def list_pipelines(caller: Caller, db: Db) -> Json:
    """List the pipelines with their stages, in their order; the first one is there from the start."""
    async with db.transaction(caller.tenant) as tx:
        found = await stored.every(await raw(tx), caller.tenant)
    return Json({"items": [views.pipeline(one) for one in found], "next_cursor": None})


@router.post(
    "",
    status_code=201,
    responses=answer(leads.Pipeline, status=201)
    | problems(errors.CurrencyUnknown, errors.LastOfItsKind, errors.TooMany, InFlight, Mismatch),
)
async def make(body: NewPipeline, admin: Admin, idem: Idempotent, db: Db) -> Response:
    """Make a pipeline."""
    return await made(body, admin, idem, db)


async def made(body: NewPipeline, caller: Principal, idem: Idempotency, db: Database) -> Response:
    """The pipeline is there, and shown."""
    async with db.transaction(caller.tenant) as tx:
        if replay := await idem.begin(tx):
            return replay.response()
        c = await raw(tx)
        known = await stored.every(c, caller.tenant)
        if len(known) >= MOST:
            raise errors.TooMany(f"An account has at most {MOST} pipelines.")
        first = next(one for one in known if one.default)
        names = [stage.name for stage in first.stages]
        locale = next((language for language in ("es", "pt", "en") if defaults.stages(language)[0].name in names), "es")
        stages = defaults.stages(locale) if body.stages is None else [_beginning(stage) for stage in body.stages]
        if not any(stage.kind == "open" for stage in stages):
            raise errors.LastOfItsKind("A lead needs an open stage to begin in.")
        id = PipelineId(ids.new())
        await stored.add(c, caller.tenant, id, body.name, body.currency or first.currency)
        await stored.add_stages(c, caller.tenant, id, [(ids.new(), stage) for stage in stages])
        pipeline = await stored.find(c, caller.tenant, id)
        await outbox.add(tx, _told(pipeline, caller))
        return await idem.finish(tx, 201, msgspec.json.encode(views.pipeline(pipeline)))


@router.get("/{id}", responses=answer(leads.Pipeline) | problems(errors.PipelineMissing))
async def read(id: PublicPipelineId, caller: Caller, db: Db) -> Json:
    """Show a pipeline with its stages."""
    async with db.transaction(caller.tenant) as tx:
        return Json(views.pipeline(await stored.find(await raw(tx), caller.tenant, id)))


@router.patch("/{id}", responses=answer(leads.Pipeline) | problems(errors.PipelineMissing, errors.StageMissing, errors.CurrencyUnknown))
async def change(id: PublicPipelineId, body: PipelineChange, admin: Admin, db: Db) -> Json:
    """Change a pipeline: its name, its currency for new leads, the order of its stages, what follows what."""
    return await changed(id, body, admin, db)


async def changed(id: PipelineId, body: PipelineChange, caller: Principal, db: Database) -> Json:
    """The pipeline is different, and shown."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        pipeline = await stored.lock(c, caller.tenant, id)
        values = given(body, default="is_default")
        order, position = values.pop("stages", None), values.pop("position", None)
        values.pop("id", None)
        if order is not None:
            if sorted(order) != sorted(stage.id for stage in pipeline.stages):
                raise errors.StageMissing("Name all of its stages, each once, in their new order.")
            await stored.arrange(c, caller.tenant, "stages", order)
        if position is not None:
            others = [one.id for one in await stored.every(c, caller.tenant) if one.id != id]
            await stored.arrange(c, caller.tenant, "pipelines", [*others[:position], id, *others[position:]])
        await stored.change(c, caller.tenant, id, **{name: value for name, value in values.items() if value is not None})
        pipeline = await stored.find(c, caller.tenant, id)
        await outbox.add(tx, _told(pipeline, caller))
    return Json(views.pipeline(pipeline))


@router.delete(
    "/{id}",
    status_code=204,
    response_class=Response,
    responses=problems(errors.PipelineMissing, errors.StageMissing, errors.LastOfItsKind, errors.LeadsInTheWay, errors.StageElsewhere),
)
async def delete(id: PublicPipelineId, admin: Admin, db: Db, move_to: MoveTo = None) -> None:
    """Delete a pipeline with its stages; its leads go to a stage of another one."""

    async def once() -> None:
        async with db.transaction(admin.tenant) as tx:
            c = await raw(tx)
            pipeline = await stored.lock(c, admin.tenant, id)
            others = [one for one in await stored.every(c, admin.tenant) if one.id != id]
            if not others:
                raise errors.LastOfItsKind("Make another pipeline first.")
            into = await _target(c, admin, move_to, pipeline.stages)
            if into is not None and into.pipeline == id:
                raise errors.StageElsewhere("Name a stage of another pipeline.")
            for stage in pipeline.stages:
                for envelopes in await _emptied(c, admin, stage, into):
                    await outbox.add(tx, *envelopes)
                await stored.remove_stage(c, admin.tenant, stage.id)
            await stored.remove(c, admin.tenant, id)
            if pipeline.default:
                await stored.change(c, admin.tenant, others[0].id, is_default=True)
            body = PipelineDeleted(id=ids.public(ids.PIPELINE, id), actor=deeds.By(caller=admin).actor)
            await outbox.add(tx, wrap(admin.tenant, body))

    await store.persistently(once)


@router.post(
    "/{id}/stages",
    status_code=201,
    responses=answer(leads.Stage, status=201) | problems(errors.PipelineMissing, errors.TooMany, InFlight, Mismatch),
)
async def add_stage(id: PublicPipelineId, body: NewStage, admin: Admin, idem: Idempotent, db: Db) -> Response:
    """Add a stage: an open one after the last open one, another at the end."""
    async with db.transaction(admin.tenant) as tx:
        if replay := await idem.begin(tx):
            return replay.response()
        c = await raw(tx)
        pipeline = await stored.lock(c, admin.tenant, id)
        if len(pipeline.stages) >= MOST_STAGES:
            raise errors.TooMany(f"A pipeline has at most {MOST_STAGES} stages.")
        new = StageId(ids.new())
        await stored.add_stages(c, admin.tenant, id, [(new, _beginning(body))])
        order = [stage.id for stage in pipeline.stages]
        at = (
            1 + max((n for n, stage in enumerate(pipeline.stages) if stage.kind == "open"), default=-1)
            if body.kind == "open"
            else len(order)
        )
        await stored.arrange(c, admin.tenant, "stages", [*order[:at], new, *order[at:]])
        pipeline = await _saved(c, admin, id)
        await outbox.add(tx, _told(pipeline, admin))
        return await idem.finish(tx, 201, msgspec.json.encode(_shown(pipeline, new)))


@router.patch(
    "/{id}/stages/{stage}",
    responses=answer(leads.Stage) | problems(errors.PipelineMissing, errors.StageMissing, errors.LastOfItsKind),
)
async def change_stage(id: PublicPipelineId, stage: PublicStageId, body: StageChange, admin: Admin, db: Db) -> Json:
    """Change a stage; another kind closes its leads or opens them again."""
    return await stage_changed(id, stage, body, admin, db)


async def stage_changed(id: PipelineId | None, stage: StageId, body: StageChange, caller: Principal, db: Database) -> Json:
    """The stage is different, and shown; *id* None: whichever pipeline it belongs to."""

    async def once() -> Json:
        async with db.transaction(caller.tenant) as tx:
            c = await raw(tx)
            pipeline = await stored.lock(c, caller.tenant, id or (await stored.stage(c, caller.tenant, stage)).pipeline)
            before = pipeline.stage(stage)
            if before is None:
                raise errors.StageMissing
            values = given(body)
            values.pop("id", None)
            position = values.pop("position", None)
            values = {name: value for name, value in values.items() if value is not None or name == "rotting_days"}
            kind = values.get("kind", before.kind)
            if kind != before.kind:
                _keep_one_open(pipeline, stage)
                await stored.stage(c, caller.tenant, stage, lock=True)
            await stored.change_stage(c, caller.tenant, stage, **values)
            if kind != before.kind:
                await stored.rekind(c, caller.tenant, stage, kind)
            if position is not None:
                others = [one.id for one in pipeline.stages if one.id != stage]
                await stored.arrange(c, caller.tenant, "stages", [*others[:position], stage, *others[position:]])
            pipeline = await _saved(c, caller, pipeline.id)
            await outbox.add(tx, _told(pipeline, caller))
        return Json(_shown(pipeline, stage))

    return await store.persistently(once)


@router.delete(
    "/{id}/stages/{stage}",
    status_code=204,
    response_class=Response,
    responses=problems(errors.PipelineMissing, errors.StageMissing, errors.LastOfItsKind, errors.LeadsInTheWay, errors.StageElsewhere),
)
async def delete_stage(id: PublicPipelineId, stage: PublicStageId, admin: Admin, db: Db, move_to: MoveTo = None) -> None:
    """Delete a stage; its leads go to the end of another one of the same pipeline. No rule runs for them."""

    async def once() -> None:
        async with db.transaction(admin.tenant) as tx:
            c = await raw(tx)
            pipeline = await stored.lock(c, admin.tenant, id)
            here = pipeline.stage(stage)
            if here is None:
                raise errors.StageMissing
            _keep_one_open(pipeline, stage)
            into = await _target(c, admin, move_to, (here,))
            if into is not None and into.pipeline != id:
                raise errors.StageElsewhere("Name another stage of the same pipeline.")
            for envelopes in await _emptied(c, admin, here, into):
                await outbox.add(tx, *envelopes)
            await stored.remove_stage(c, admin.tenant, stage)
            await outbox.add(tx, _told(await _saved(c, admin, id), admin))

    await store.persistently(once)


@router.get(
    "/{id}/stages/{stage}/leads",
    responses=answer(LeadCard, page=True) | problems(errors.StageMissing, BadCursor, errors.CurrencyUnknown),
)
async def list_column(
    id: PublicPipelineId,
    stage: PublicStageId,
    caller: Caller,
    db: Db,
    filter: Annotated[Filter, Depends(shapes.filters)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Json:
    """List the leads of a column in their order."""
    after = cursors.decode(caller.tenant, _view(stage, filter), cursor, tuple[str])[0] if cursor else None
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        if (await stored.stage(c, caller.tenant, stage)).pipeline != id:
            raise errors.StageMissing
        found = await board.column(c, caller.tenant, stage, filter, caller, limit=limit + 1, after=after)
    following = next_cursor(caller, stage, filter, found[limit - 1].lead.rank) if len(found) > limit else None
    return Json({"items": [shapes.card(one, caller) for one in found[:limit]], "next_cursor": following})


def next_cursor(caller: Principal, stage: StageId, filter: Filter, rank: str) -> str:
    """Name the place in a column after the card with *rank*."""
    return cursors.encode(caller.tenant, _view(stage, filter), (rank,))


def demand(caller: Principal) -> None:
    """Return if *caller* may change pipelines.  Raises: AdminOnly."""
    if not caller.may(Role.ADMIN) or not caller.allows(Scope.SETTINGS):
        raise errors.AdminOnly("Ask somebody who administers the account.")


def _view(stage: StageId, filter: Filter) -> str:
    return f"column?stage={stage}&{filter.name()}"


def _beginning(stage: NewStage) -> defaults.Beginning:
    return defaults.Beginning(stage.name, stage.kind, stage.color, stage.chance(), stage.rotting_days)


def _keep_one_open(pipeline: Pipeline, stage: StageId) -> None:
    if not any(one.kind == "open" for one in pipeline.stages if one.id != stage):
        raise errors.LastOfItsKind("It is the only open stage.")


async def _target(c: Any, caller: Principal, move_to: StageId | None, leaving: Sequence[Stage]) -> Stage | None:
    """Read where leads go, and hold all the stages concerned, in one order."""
    for id in sorted({*(stage.id for stage in leaving), *((move_to,) if move_to else ())}):
        await c.fetchval("select id from stages where tenant = $1 and id = $2 for no key update", caller.tenant, id)
    if move_to is None:
        return None
    if any(stage.id == move_to for stage in leaving):
        raise errors.StageMissing("Its leads cannot go to the stage that is deleted.")
    return await stored.stage(c, caller.tenant, move_to)


_CHUNK = 500


async def _emptied(c: Any, caller: Principal, stage: Stage, into: Stage | None) -> list[list[Envelope[Any]]]:
    """No lead is in *stage* any more; give what is to be told, in parts.  Raises: LeadsInTheWay."""
    if into is None:
        if await stored.holds(c, caller.tenant, stage.id):
            raise errors.LeadsInTheWay("Say with move_to which stage its leads go to.")
        return []
    told = await deeds.empty(c, caller.tenant, stage, into, deeds.By(caller=caller))
    return [told[n : n + _CHUNK] for n in range(0, len(told), _CHUNK)]


async def _saved(c: Any, caller: Principal, id: PipelineId) -> Pipeline:
    await stored.change(c, caller.tenant, id)
    return await stored.find(c, caller.tenant, id)


def _told(pipeline: Pipeline, caller: Principal) -> Envelope[Any]:
    return wrap(pipeline.tenant, PipelineChanged(**views.pipeline_fields(pipeline), actor=deeds.By(caller=caller).actor))


def _shown(pipeline: Pipeline, id: UUID) -> leads.Stage:
    return next(views.stage(stage) for stage in pipeline.stages if stage.id == id)
