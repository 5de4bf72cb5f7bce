"""Figures of a pipeline, as JSON or as CSV."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from contracts import ids
from contracts.edge import PublicPipelineId
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel
from servicekit import sheets
from servicekit.db import raw
from servicekit.http import Admin, Page, problems

from pipeline.api.shapes import Db
from pipeline.domain import errors
from pipeline.store import pipelines, reports, views

router = APIRouter(prefix="/api/pipelines/{id}/reports", tags=["reports"])

Format = Annotated[Literal["json", "csv"], Query(description="`csv`: a file for a spreadsheet.")]
Since = Annotated[AwareDatetime | None, Query(description="Left out: 30 days before `until`.")]
Until = Annotated[AwareDatetime | None, Query(description="Left out: now.")]

CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


class Reached(BaseModel):
    """How many of the leads that were made in the time came this far."""

    stage_id: str
    stage: str
    kind: str
    leads: int
    reached: int
    share: float


class Stayed(BaseModel):
    """How long leads stay in a stage."""

    stage_id: str
    stage: str
    visits: int
    still_there: int
    mean_seconds: int | None
    median_seconds: int | None


class Expected(BaseModel):
    """What open leads are worth that are expected to close in a month; null: nobody said when."""

    month: str | None
    currency: str
    leads: int
    value: int
    weighted: int


class Outcome(BaseModel):
    """What was won and lost, for one reason or by one person."""

    name: str
    owner_id: str | None
    currency: str
    won: int
    lost: int
    won_value: int
    lost_value: int


@router.get("/conversion", response_model=Page[Reached], responses=CSV | problems(errors.PipelineMissing))
async def conversion(id: PublicPipelineId, admin: Admin, db: Db, since: Since = None, until: Until = None, format: Format = "json") -> Any:
    """Of the leads made in a time: how many came into each stage or further, and how many are won or lost by now."""
    begin, end = _span(since, until)
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await pipelines.find(c, admin.tenant, id)
        rows = await reports.conversion(c, admin.tenant, id, begin, end)
    items = [
        Reached(
            stage_id=ids.public(ids.STAGE, row["stage"]),
            stage=row["name"],
            kind=row["kind"],
            leads=row["leads"],
            reached=row["reached"],
            share=round(row["reached"] / row["leads"], 4) if row["leads"] else 0.0,
        )
        for row in rows
    ]
    return _answer(Reached, items, format, "conversion")


@router.get("/time", response_model=Page[Stayed], responses=CSV | problems(errors.PipelineMissing))
async def time(id: PublicPipelineId, admin: Admin, db: Db, since: Since = None, until: Until = None, format: Format = "json") -> Any:
    """Tell how long leads that came into each stage in a time stayed there."""
    begin, end = _span(since, until)
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await pipelines.find(c, admin.tenant, id)
        rows = await reports.time_in_stage(c, admin.tenant, id, begin, end)
    items = [
        Stayed(
            stage_id=ids.public(ids.STAGE, row["stage"]),
            stage=row["name"],
            visits=row["visits"],
            still_there=row["still_there"],
            mean_seconds=row["mean_seconds"],
            median_seconds=row["median_seconds"],
        )
        for row in rows
    ]
    return _answer(Stayed, items, format, "time")


@router.get("/forecast", response_model=Page[Expected], responses=CSV | problems(errors.PipelineMissing))
async def forecast(id: PublicPipelineId, admin: Admin, db: Db, format: Format = "json") -> Any:
    """Tell what open leads are worth, by the month in which they are expected to close."""
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await pipelines.find(c, admin.tenant, id)
        rows = await reports.forecast(c, admin.tenant, id)
    items = [
        Expected(month=row["month"], currency=row["currency"], leads=row["leads"], value=int(row["value"]), weighted=int(row["weighted"]))
        for row in rows
    ]
    return _answer(Expected, items, format, "forecast")


@router.get("/outcomes", response_model=Page[Outcome], responses=CSV | problems(errors.PipelineMissing))
async def outcomes(
    id: PublicPipelineId,
    admin: Admin,
    db: Db,
    by: Annotated[Literal["reason", "owner"], Query()] = "reason",
    since: Since = None,
    until: Until = None,
    format: Format = "json",
) -> Any:
    """Tell what was won and lost in a time, by the reason that was given or by who owned it."""
    begin, end = _span(since, until)
    async with db.transaction(admin.tenant) as tx:
        c = await raw(tx)
        await pipelines.find(c, admin.tenant, id)
        rows = await reports.outcomes(c, admin.tenant, id, begin, end, by)
    items = [
        Outcome(
            name=row["name"],
            owner_id=views.maybe(ids.USER, row["owner"]),
            currency=row["currency"],
            won=row["won"],
            lost=row["lost"],
            won_value=int(row["won_value"]),
            lost_value=int(row["lost_value"]),
        )
        for row in rows
    ]
    return _answer(Outcome, items, format, "outcomes")


def _span(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    end = until or datetime.now(UTC)
    return since or end - timedelta(days=30), end


def _answer(shape: type[BaseModel], items: list[Any], format: str, name: str) -> Any:
    if format == "csv":
        text = sheets.write(list(shape.model_fields), [item.model_dump() for item in items])
        return Response(text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}.csv"'})
    return Page[Any](items=items)
