"""Figures of a pipeline, from where its leads have been."""

from datetime import datetime

import asyncpg
from contracts.ids import PipelineId, TenantId

Rows = list[asyncpg.Record]


async def conversion(c: asyncpg.Connection, tenant: TenantId, pipeline: PipelineId, since: datetime, until: datetime) -> Rows:
    """Of the leads made in this time: how many came into each stage or further, and how many of them are won by now.

    Further is what stands after it; who was won or lost at once has been in no stage between.
    """
    rows: Rows = await c.fetch(
        """
        with cohort as (
            select id from leads where tenant = $1 and pipeline = $2 and created_at >= $3 and created_at < $4
        ), reached as (
            select v.lead, max(s.position) filter (where s.kind = 'open') as furthest, bool_or(s.kind = 'won' and v.left_at is null) as won
              from stage_visits v join stages s on s.tenant = v.tenant and s.id = v.stage
             where v.tenant = $1 and v.lead in (select id from cohort) group by v.lead
        )
        select s.id as stage, s.name, s.kind, s.position,
               count(*) filter (where case s.kind when 'open' then r.furthest >= s.position or r.won
                                                  else exists (select from stage_visits v where v.tenant = $1 and v.lead = r.lead
                                                                  and v.stage = s.id and v.left_at is null) end) as reached,
               (select count(*) from cohort) as leads
          from stages s left join reached r on true
         where s.tenant = $1 and s.pipeline = $2 group by s.id, s.name, s.kind, s.position order by s.position
        """,
        tenant,
        pipeline,
        since,
        until,
    )
    return rows


async def time_in_stage(c: asyncpg.Connection, tenant: TenantId, pipeline: PipelineId, since: datetime, until: datetime) -> Rows:
    """How long leads that came into each stage in this time stayed there, those that are still there until now."""
    rows: Rows = await c.fetch(
        """
        select s.id as stage, s.name, count(v.lead) as visits, count(v.lead) filter (where v.left_at is null) as still_there,
               extract(epoch from avg(coalesce(v.left_at, now()) - v.entered_at))::bigint as mean_seconds,
               extract(epoch from percentile_cont(0.5) within group (order by coalesce(v.left_at, now()) - v.entered_at))::bigint
                   as median_seconds
          from stages s left join stage_visits v
            on v.tenant = s.tenant and v.stage = s.id and v.pipeline = s.pipeline and v.entered_at >= $3 and v.entered_at < $4
         where s.tenant = $1 and s.pipeline = $2 group by s.id, s.name, s.position order by s.position
        """,
        tenant,
        pipeline,
        since,
        until,
    )
    return rows


async def forecast(c: asyncpg.Connection, tenant: TenantId, pipeline: PipelineId) -> Rows:
    """What open leads are worth, by the month in which they are expected to close, as it is and weighted by their stages."""
    rows: Rows = await c.fetch(
        """
        select to_char(l.expected_close, 'YYYY-MM') as month, l.currency, count(*) as leads, sum(l.value)::numeric as value,
               div(sum(l.value::numeric * s.probability) + 50, 100) as weighted
          from leads l join stages s on s.tenant = l.tenant and s.id = l.stage
         where l.tenant = $1 and l.pipeline = $2 and l.kind = 'open' group by 1, 2 order by 1 nulls last, 2
        """,
        tenant,
        pipeline,
    )
    return rows


_BY = {
    "reason": ("case when l.kind = 'lost' then coalesce(nullif(l.lost_reason, ''), '-') else '-' end", "null::uuid"),
    "owner": ("coalesce(u.name, '-')", "l.owner"),
}


async def outcomes(c: asyncpg.Connection, tenant: TenantId, pipeline: PipelineId, since: datetime, until: datetime, by: str) -> Rows:
    """What was won and lost in this time, by the reason that was given or by who owned it."""
    name, id = _BY[by]
    rows: Rows = await c.fetch(
        f"""
        select {name} as name, {id} as owner, l.currency, count(*) filter (where l.kind = 'won') as won,
               count(*) filter (where l.kind = 'lost') as lost,
               coalesce(sum(l.value) filter (where l.kind = 'won'), 0)::numeric as won_value,
               coalesce(sum(l.value) filter (where l.kind = 'lost'), 0)::numeric as lost_value
          from leads l left join users u on u.tenant = l.tenant and u.id = l.owner
         where l.tenant = $1 and l.pipeline = $2 and l.closed_at >= $3 and l.closed_at < $4
         group by 1, 2, 3 order by 4 desc, 5 desc, 1
        """,  # noqa: S608  # constants
        tenant,
        pipeline,
        since,
        until,
    )
    return rows
