"""Pipelines and their stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.ids import PipelineId, StageId, TenantId
from contracts.leads import StageKind

from pipeline.domain import defaults
from pipeline.domain.errors import PipelineMissing, StageMissing
from pipeline.domain.leads import Stage

FALLBACK = ("es", "USD")
"""The language and the currency of an account that is not known here yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A pipeline with its stages in order."""

    tenant: TenantId
    id: PipelineId
    name: str
    currency: str
    position: int
    default: bool
    owner_follows_chat: bool
    chat_follows_owner: bool
    revision: int
    stages: tuple[Stage, ...]

    def stage(self, id: StageId) -> Stage | None:
        """Give one of its stages; None when it is none of them."""
        return next((stage for stage in self.stages if stage.id == id), None)

    @property
    def entrance(self) -> Stage:
        """Where a lead begins: the first open stage."""
        return next((stage for stage in self.stages if stage.kind == "open"), self.stages[0])


_PIPELINE = "p.id, p.name, p.currency, p.position, p.is_default, p.owner_follows_chat, p.chat_follows_owner, p.revision"
_STAGE = "s.id, s.pipeline, s.name, s.kind, s.color, s.probability, s.rotting_days, s.position"


def stage_of(found: Sequence[Any]) -> Stage:
    """Read a stage from `_STAGE`."""
    return Stage(
        id=found[0],
        pipeline=found[1],
        name=found[2],
        kind=found[3],
        color=found[4],
        probability=found[5],
        rotting_days=found[6],
        position=found[7],
    )


async def every(c: asyncpg.Connection, tenant: TenantId) -> list[Pipeline]:
    """Read the tenant's pipelines in order; the first one is made where there is none."""
    found = await _read(c, tenant)
    if not found:
        await begin(c, tenant)
        found = await _read(c, tenant)
    return found


async def find(c: asyncpg.Connection, tenant: TenantId, id: PipelineId | None) -> Pipeline:
    """Read one pipeline, the default one for None.  Raises: PipelineMissing."""
    for one in await every(c, tenant):
        if one.id == id or (id is None and one.default):
            return one
    raise PipelineMissing


async def stage(c: asyncpg.Connection, tenant: TenantId, id: StageId, *, lock: bool = False) -> Stage:
    """Read one stage; with *lock*, hold its row: who holds it gives out ranks in it.  Raises: StageMissing."""
    found = await c.fetchrow(
        f"select {_STAGE} from stages s where s.tenant = $1 and s.id = $2{' for no key update' if lock else ''}",  # noqa: S608
        tenant,
        id,
    )
    if found is None:
        raise StageMissing
    return stage_of(found)


async def _read(c: asyncpg.Connection, tenant: TenantId) -> list[Pipeline]:
    # The pipelines first: what another transaction commits between the two statements is then there with its stages, or not at all.
    rows = await c.fetch(f"select {_PIPELINE} from pipelines p where p.tenant = $1 order by p.position, p.id", tenant)  # noqa: S608
    stages: dict[UUID, list[Stage]] = {}
    for found in await c.fetch(f"select {_STAGE} from stages s where s.tenant = $1 order by s.position, s.id", tenant):  # noqa: S608
        stages.setdefault(found[1], []).append(stage_of(found))
    return [
        Pipeline(
            tenant=tenant,
            id=one["id"],
            name=one["name"],
            currency=one["currency"],
            position=one["position"],
            default=one["is_default"],
            owner_follows_chat=one["owner_follows_chat"],
            chat_follows_owner=one["chat_follows_owner"],
            revision=one["revision"],
            stages=tuple(stages.get(one["id"], ())),
        )
        for one in rows
    ]


async def begin(c: asyncpg.Connection, tenant: TenantId) -> None:
    """The tenant has its first pipeline, in its language and currency; by anybody at once, once.

    Nothing waits for the account to be heard of: a guess is put right by `settle`.
    """
    account = await c.fetchrow("select locale, currency from accounts where tenant = $1", tenant)
    locale, currency = (account["locale"], account["currency"]) if account else FALLBACK
    id = ids.derived("first pipeline", tenant)
    made = await c.fetchval(
        "insert into pipelines (tenant, id, name, currency, position, is_default, guessed) values ($1, $2, $3, $4, 0, true, $5) "
        "on conflict do nothing returning id",
        tenant,
        id,
        defaults.name(locale),
        currency,
        account is None,
    )
    if made:
        await add_stages(
            c, tenant, PipelineId(id), [(ids.derived("first stage", tenant, n), one) for n, one in enumerate(defaults.stages(locale))]
        )


async def settle(c: asyncpg.Connection, tenant: TenantId, locale: str, currency: str) -> bool:
    """A first pipeline that was made by guess has the account's own words and currency; True when there was one."""
    id = await c.fetchval(
        "update pipelines set name = $2, currency = $3, guessed = false, revision = revision + 1 "
        "where tenant = $1 and guessed returning id",
        tenant,
        defaults.name(locale),
        currency,
    )
    if id is None:
        return False
    for position, one in enumerate(defaults.stages(locale)):
        await c.execute("update stages set name = $4 where tenant = $1 and pipeline = $2 and position = $3", tenant, id, position, one.name)
    return True


async def add_stages(
    c: asyncpg.Connection, tenant: TenantId, pipeline: PipelineId, stages: Sequence[tuple[UUID, defaults.Beginning]]
) -> None:
    """The pipeline has these stages, in this order."""
    await c.executemany(
        "insert into stages (tenant, id, pipeline, name, kind, color, probability, rotting_days, position) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [(tenant, id, pipeline, *one, position) for position, (id, one) in enumerate(stages)],
    )


async def lock(c: asyncpg.Connection, tenant: TenantId, id: PipelineId) -> Pipeline:
    """Read one pipeline and hold it: nobody else changes its stages until the transaction ends.  Raises: PipelineMissing."""
    await every(c, tenant)
    if await c.fetchval("select id from pipelines where tenant = $1 and id = $2 for update", tenant, id) is None:
        raise PipelineMissing
    return await find(c, tenant, id)


async def add(c: asyncpg.Connection, tenant: TenantId, id: UUID, name: str, currency: str) -> None:
    """There is one more pipeline, the last one; its stages are to be added."""
    await c.execute(
        "insert into pipelines (tenant, id, name, currency, position) "
        "select $1, $2, $3, $4, coalesce(max(position), -1) + 1 from pipelines where tenant = $1",
        tenant,
        id,
        name,
        currency,
    )


async def change(c: asyncpg.Connection, tenant: TenantId, id: PipelineId, **changes: Any) -> None:
    """The pipeline has these values and the next revision; with *default*, no other one is the default."""
    if changes.get("is_default"):
        await c.execute(
            "update pipelines set is_default = false, revision = revision + 1 where tenant = $1 and is_default and id <> $2", tenant, id
        )
    columns = "".join(f", {name} = ${n}" for n, name in enumerate(changes, 3))
    await c.execute(
        f"update pipelines set revision = revision + 1, guessed = false{columns} where tenant = $1 and id = $2",  # noqa: S608  # names of ours
        tenant,
        id,
        *changes.values(),
    )


async def change_stage(c: asyncpg.Connection, tenant: TenantId, id: StageId, **changes: Any) -> None:
    """The stage has these values, and its leads its kind."""
    if not changes:
        return
    columns = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, 3))
    await c.execute(f"update stages set {columns} where tenant = $1 and id = $2", tenant, id, *changes.values())  # noqa: S608  # names of ours


async def rekind(c: asyncpg.Connection, tenant: TenantId, id: StageId, kind: StageKind) -> None:
    """The leads of the stage are of its new kind: open again, or closed now."""
    await c.execute(
        """
        update leads set kind = $3, version = version + 1, at = now(), lost_reason = case when $3 = 'lost' then lost_reason end,
               closed_at = case when $3 <> 'open' then coalesce(closed_at, now()) end
         where tenant = $1 and stage = $2 and kind <> $3
        """,
        tenant,
        id,
        kind,
    )


async def arrange(c: asyncpg.Connection, tenant: TenantId, table: str, order: Sequence[UUID]) -> None:
    """Pipelines or stages stand in this order."""
    if table not in {"pipelines", "stages"}:
        raise ValueError(table)
    await c.execute(
        f"update {table} t set position = n.place "  # noqa: S608
        "from unnest($2::uuid[]) with ordinality as n (id, place) where t.tenant = $1 and t.id = n.id",
        tenant,
        list(order),
    )


async def remove_stage(c: asyncpg.Connection, tenant: TenantId, id: StageId) -> None:
    """The stage, which is empty, is no more."""
    await c.execute("delete from stage_totals where tenant = $1 and stage = $2", tenant, id)
    await c.execute("delete from stages where tenant = $1 and id = $2", tenant, id)


async def remove(c: asyncpg.Connection, tenant: TenantId, id: PipelineId) -> None:
    """The pipeline, which has no stages any more, is no more."""
    await c.execute("delete from pipelines where tenant = $1 and id = $2", tenant, id)


async def holds(c: asyncpg.Connection, tenant: TenantId, stage: StageId) -> bool:
    """Tell whether a lead is in the stage."""
    return bool(await c.fetchval("select exists (select from leads where tenant = $1 and stage = $2)", tenant, stage))
