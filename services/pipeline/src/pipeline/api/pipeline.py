"""The board, and the short way to what stands on it: ``/api/pipeline``."""

from typing import Annotated, Any

from contracts import leads as public
from contracts.edge import PublicLeadId, PublicPipelineId, PublicStageId
from contracts.ids import PipelineId
from contracts.principal import Principal, Scope
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field
from servicekit.db import Database, raw
from servicekit.http import Caller, Json, answer, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from pipeline.api import leads, pipelines, shapes
from pipeline.api.shapes import (
    Board,
    Cards,
    Column,
    Db,
    LeadCard,
    LeadChange,
    NewLead,
    NewPipeline,
    OnBus,
    PipelineChange,
    StageChange,
    Total,
)
from pipeline.domain import errors, money
from pipeline.domain.leads import Stage
from pipeline.store import board, views
from pipeline.store import pipelines as stored
from pipeline.store.board import Filter

router = APIRouter(prefix="/api/pipeline", tags=["pipeline"])

FIRST = 30
Each = Annotated[int, Query(ge=1, le=100, description="How many leads of each column at most.")]


class LeadById(LeadChange):
    """A lead to change."""

    id: PublicLeadId


class StageById(StageChange):
    """A stage to change."""

    id: PublicStageId


class PipelineById(PipelineChange):
    """A pipeline to change."""

    id: PublicPipelineId


def any_of(*shapes: Any, status: int = 200, description: str = "It is done.") -> dict[int | str, dict[str, Any]]:
    """Document that a route answers with one of several shapes."""
    schemas = [answer(shape)[200]["content"]["application/json"]["schema"] for shape in shapes]
    return {status: {"description": description, "content": {"application/json": {"schema": {"anyOf": schemas}}}}}


Changed = Annotated[LeadById | StageById | PipelineById, Field(union_mode="left_to_right")]
Made = Annotated[NewLead | NewPipeline, Field(union_mode="left_to_right")]


@router.get("", responses=answer(Board) | problems(errors.PipelineMissing, errors.CurrencyUnknown))
async def show(
    caller: Caller,
    db: Db,
    filter: Annotated[Filter, Depends(shapes.filters)],
    pipeline_id: Annotated[PublicPipelineId | None, Query(description="Left out: the default one.")] = None,
    limit: Each = FIRST,
) -> Json:
    """Show a board: each column with its first leads in order, how many there are, and what they are worth."""
    return Json(await shown(db, caller, pipeline_id, filter, limit))


@router.post(
    "",
    status_code=201,
    responses=any_of(LeadCard, public.Pipeline, status=201, description="The lead, or (with a `name`) the pipeline.")
    | problems(*leads.MISSING, errors.StageElsewhere, errors.CurrencyUnknown, errors.AdminOnly, errors.TooMany, InFlight, Mismatch),
)
@needs(Scope.SEND)
async def make(body: Made, caller: Caller, idem: Idempotent, db: Db, bus: OnBus) -> Response:
    """Enter a lead, as `POST /api/leads` does; with a `name` in the place of a title, make a pipeline."""
    if isinstance(body, NewPipeline):
        pipelines.demand(caller)
        return await pipelines.made(body, caller, idem, db)
    return await leads.entered(body, caller, idem, db, bus)


@router.patch(
    "", responses=any_of(LeadCard, public.Stage, public.Pipeline) | problems(*leads.CHANGING, errors.AdminOnly, errors.LastOfItsKind)
)
@needs(Scope.SEND)
async def change_by_id(body: Changed, caller: Caller, db: Db, bus: OnBus) -> Json:
    """Change what `id` names: a lead (`led_…`), a stage (`stg_…`) or a pipeline (`pip_…`)."""
    match body:
        case LeadById():
            return await leads.changed(body.id, without_id(body), caller, db, bus)
        case StageById():
            pipelines.demand(caller)
            return await pipelines.stage_changed(None, body.id, body, caller, db)
    pipelines.demand(caller)
    return await pipelines.changed(body.id, body, caller, db)


@router.patch("/{id}", responses=answer(LeadCard) | problems(*leads.CHANGING))
@needs(Scope.SEND)
async def change(id: PublicLeadId, body: LeadChange, caller: Caller, db: Db, bus: OnBus) -> Json:
    """Change a lead, as `PUT /api/leads/{id}` does; `stage_id` moves it to the top of that stage."""
    return await leads.changed(id, body, caller, db, bus)


def without_id(body: LeadById) -> LeadChange:
    """Give the change alone."""
    return LeadChange.model_validate({name: getattr(body, name) for name in body.model_fields_set - {"id"}})


async def shown(db: Database, caller: Principal, id: PipelineId | None, filter: Filter, limit: int) -> Board:
    """Give a board as *caller* sees it.  Raises: PipelineMissing."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        found = await stored.find(c, caller.tenant, id)
        cards = await board.columns(c, caller.tenant, found.id, filter, caller, limit=limit + 1)
        totals = await board.totals(c, caller.tenant, found.id, filter, caller)
    columns = []
    for stage in found.stages:
        here = cards.get(stage.id, [])
        items = [shapes.card(one, caller) for one in here[:limit]]
        following = pipelines.next_cursor(caller, stage.id, filter, here[limit - 1].lead.rank) if len(here) > limit else None
        columns.append(_column(stage, totals.get(stage.id, []), Cards(items=items, next_cursor=following)))
    return Board(pipeline=views.pipeline(found), items=columns)


def _column(stage: Stage, totals: list[board.Total], cards: Cards) -> Column:
    worth = [
        Total(currency=one.currency, count=one.leads, value=one.value, weighted=money.weighted(one.value, stage.probability))
        for one in totals
    ]
    named = views.stage(stage)
    fields = {name: getattr(named, name) for name in named.__struct_fields__}
    return Column(**fields, count=sum(one.count for one in worth), totals=worth, leads=cards)
