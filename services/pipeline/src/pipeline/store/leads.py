"""Leads: their rows, their places, and what is kept of every change."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.ids import ChatId, ContactId, LeadId, PipelineId, StageId, TenantId, UserId
from contracts.principal import Principal

from pipeline.domain import ranks
from pipeline.domain.errors import LeadMissing
from pipeline.domain.leads import Lead

NAMES = tuple(field.name for field in fields(Lead))
COLUMNS = ", ".join(f"l.{name}" for name in NAMES)
_WRITTEN = tuple(name for name in NAMES if name not in {"tenant", "id", "created_at"})
_INSERT = f"insert into leads ({', '.join(NAMES)}) values ({', '.join(f'${n}' for n in range(1, len(NAMES) + 1))})"  # noqa: S608
_UPDATE = f"update leads set {', '.join(f'{name} = ${n}' for n, name in enumerate(_WRITTEN, 3))} where tenant = $1 and id = $2"  # noqa: S608


def row(found: Sequence[Any], start: int = 0) -> Lead:
    """Read a lead from `COLUMNS`, which begin at *start*."""
    values = dict(zip(NAMES, found[start : start + len(NAMES)], strict=True))
    values["chats"], values["tags"] = tuple(values["chats"]), tuple(values["tags"])
    return Lead(**values)


def seen(caller: Principal | None, values: list[object], lead: str = "l") -> str:
    """Add what *caller* sees to *values* and give the condition; empty for who sees all.

    A lead stands on the number of its first chat and is seen by who sees that chat; whoever owns it sees it anyway.
    """
    if caller is None or (caller.access.devices is None and caller.access.chats == "all"):
        return ""
    access = caller.access
    values.append(caller.id)
    who = f"${len(values)}"
    parts = []
    if access.devices is not None:
        values.append(list(access.devices))
        parts.append(f"{lead}.device = any (${len(values)}::uuid[])")
    if access.chats == "team":
        values.append(list(access.teams))
        parts.append(f"({lead}.assignee = {who} or {lead}.team = any (${len(values)}::uuid[]))")
    elif access.chats == "own":
        parts.append(f"{lead}.assignee = {who}")
    return f" and ({lead}.owner = {who} or {' and '.join(parts)})"


async def find(c: asyncpg.Connection, tenant: TenantId, id: LeadId, caller: Principal | None = None, *, lock: bool = False) -> Lead:
    """Read one lead that *caller* sees, and with *lock* hold its row until the transaction ends.  Raises: LeadMissing."""
    values: list[object] = [tenant, id]
    condition = seen(caller, values)
    found = await c.fetchrow(
        f"select {COLUMNS} from leads l where l.tenant = $1 and l.id = $2{condition}{' for no key update' if lock else ''}",  # noqa: S608
        *values,
    )
    if found is None:
        raise LeadMissing
    return row(found)


async def insert(c: asyncpg.Connection, lead: Lead) -> None:
    """The lead is here."""
    await c.execute(_INSERT, *(getattr(lead, name) for name in NAMES))
    await link(c, lead)


async def save(c: asyncpg.Connection, lead: Lead) -> None:
    """The lead's row is as *lead* says; whoever saves holds it."""
    await c.execute(_UPDATE, lead.tenant, lead.id, *(getattr(lead, name) for name in _WRITTEN))


async def link(c: asyncpg.Connection, lead: Lead) -> None:
    """The lead's chats are those that it names."""
    await c.execute(
        "delete from lead_chats where tenant = $1 and lead = $2 and not chat = any ($3)", lead.tenant, lead.id, list(lead.chats)
    )
    await c.execute(
        "insert into lead_chats (tenant, lead, chat, linked_at) "
        "select $1, $2, chat, $4 from unnest($3::uuid[]) as n (chat) on conflict do nothing",
        lead.tenant,
        lead.id,
        list(lead.chats),
        lead.at,
    )


async def delete(c: asyncpg.Connection, tenant: TenantId, id: LeadId) -> None:
    """Nothing is left of the lead."""
    for table in ("lead_chats", "lead_notes", "lead_history", "stage_visits", "tasks"):
        await c.execute(f"delete from {table} where tenant = $1 and lead = $2", tenant, id)  # noqa: S608
    await c.execute("delete from leads where tenant = $1 and id = $2", tenant, id)


async def of_chats(c: asyncpg.Connection, tenant: TenantId, chats: Sequence[ChatId]) -> list[Lead]:
    """Read and hold the leads that these chats belong to, by id."""
    found = await c.fetch(
        f"""
        select {COLUMNS} from leads l
         where l.tenant = $1 and l.id in (select lead from lead_chats where tenant = $1 and chat = any ($2::uuid[]))
         order by l.id for no key update
        """,  # noqa: S608
        tenant,
        list(chats),
    )
    return [row(one) for one in found]


async def enter(c: asyncpg.Connection, lead: Lead) -> None:
    """It is on record since when the lead is in its stage, and until when it was in the one before."""
    await c.execute(
        "update stage_visits set left_at = $3 where tenant = $1 and lead = $2 and left_at is null", lead.tenant, lead.id, lead.stage_since
    )
    await c.execute(
        "insert into stage_visits (tenant, lead, pipeline, stage, entered_at) values ($1, $2, $3, $4, $5) "
        "on conflict (tenant, lead, entered_at) do update set stage = excluded.stage, pipeline = excluded.pipeline, left_at = null",
        lead.tenant,
        lead.id,
        lead.pipeline,
        lead.stage,
        lead.stage_since,
    )


async def remember(
    c: asyncpg.Connection, lead: Lead, what: str, changes: Mapping[str, Any], *, by: Principal | None = None, rule: UUID | None = None
) -> None:
    """One more line stands in the lead's history."""
    await c.execute(
        "insert into lead_history (tenant, lead, id, at, what, actor, actor_kind, rule, changes) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)",
        lead.tenant,
        lead.id,
        ids.new(),
        lead.at,
        what,
        by and UUID(int=by.id.int),
        by and by.kind,
        rule,
        json.dumps(changes, default=str),
    )


async def place(
    c: asyncpg.Connection,
    tenant: TenantId,
    stage: StageId,
    *,
    before: LeadId | None = None,
    after: LeadId | None = None,
    moving: LeadId | None = None,
) -> tuple[str, bool]:
    """Give a free rank in *stage*, whose row is held: right after *after*, or right before *before*, else at the top.

    A neighbour that is not there any more counts for nothing. Where ranks have become long, the cards around get new ones, which
    the second value tells.
    """
    known = {
        one["id"]: one["rank"]
        for one in await c.fetch(
            "select id, rank from leads where tenant = $1 and stage = $2 and id = any ($3::uuid[])",
            tenant,
            stage,
            [id for id in (before, after) if id is not None and id != moving],
        )
    }
    lower, upper = known.get(after), known.get(before)
    if lower is not None:
        upper = await _next(c, tenant, stage, lower, moving)
    elif upper is not None:
        lower = await _previous(c, tenant, stage, upper, moving)
    else:
        upper = await _first(c, tenant, stage, moving)
    rank = ranks.between(lower, upper)
    if ranks.fits(rank):
        return rank, False
    return await _even(c, tenant, stage, lower, upper, moving), True


_ASIDE = "tenant = $1 and stage = $2 and id is distinct from $3"


async def _first(c: asyncpg.Connection, tenant: TenantId, stage: StageId, moving: LeadId | None) -> str | None:
    found: str | None = await c.fetchval(f"select rank from leads where {_ASIDE} order by rank limit 1", tenant, stage, moving)  # noqa: S608
    return found


async def _next(c: asyncpg.Connection, tenant: TenantId, stage: StageId, rank: str, moving: LeadId | None) -> str | None:
    statement = f"select rank from leads where {_ASIDE} and rank > $4 order by rank limit 1"  # noqa: S608
    found: str | None = await c.fetchval(statement, tenant, stage, moving, rank)
    return found


async def _previous(c: asyncpg.Connection, tenant: TenantId, stage: StageId, rank: str, moving: LeadId | None) -> str | None:
    statement = f"select rank from leads where {_ASIDE} and rank < $4 order by rank desc limit 1"  # noqa: S608
    found: str | None = await c.fetchval(statement, tenant, stage, moving, rank)
    return found


async def _even(
    c: asyncpg.Connection, tenant: TenantId, stage: StageId, lower: str | None, upper: str | None, moving: LeadId | None
) -> str:
    """The cards around a place have short ranks, and the place between them is given."""
    above_of = f"select id, rank from leads where {_ASIDE} and rank <= $4 order by rank desc limit $5"  # noqa: S608
    below_of = f"select id, rank from leads where {_ASIDE} and rank >= $4 order by rank limit $5"  # noqa: S608
    for window in (*ranks.WINDOWS, None):
        most = None if window is None else window + 1
        above = list(reversed(await c.fetch(above_of, tenant, stage, moving, lower, most))) if lower is not None else []
        below = list(await c.fetch(below_of, tenant, stage, moving, upper, most)) if upper is not None else []
        floor = above.pop(0)["rank"] if window is not None and len(above) > window else None
        ceiling = below.pop()["rank"] if window is not None and len(below) > window else None
        given = ranks.even(floor, ceiling, len(above) + 1 + len(below))
        if given is None:
            continue
        mine = given.pop(len(above))
        # The one that moves within the stage has its old rank until its row is written, and another one may be given just that.
        await c.execute("set constraints leads_place deferred")
        await c.execute(
            """
            update leads l set rank = n.rank from unnest($3::uuid[], $4::text[]) as n (id, rank)
             where l.tenant = $1 and l.stage = $2 and l.id = n.id
            """,
            tenant,
            stage,
            [one["id"] for one in (*above, *below)],
            given,
        )
        return mine
    raise AssertionError("All cards of a column always have room.")


async def open_of_contact(c: asyncpg.Connection, tenant: TenantId, pipeline: PipelineId, contact: ContactId) -> Lead | None:
    """Read and hold the contact's newest open lead in a pipeline."""
    found = await c.fetchrow(
        f"""
        select {COLUMNS} from leads l where l.tenant = $1 and l.contact = $3 and l.pipeline = $2 and l.kind = 'open'
         order by l.created_at desc, l.id desc limit 1 for no key update
        """,  # noqa: S608
        tenant,
        pipeline,
        contact,
    )
    return row(found) if found else None


async def history(c: asyncpg.Connection, tenant: TenantId, id: LeadId, *, limit: int, after: UUID | None) -> Sequence[asyncpg.Record]:
    """Read up to *limit* lines of the lead's history, the newest first."""
    behind = "" if after is None else " and id < $3"
    rows: list[asyncpg.Record] = await c.fetch(
        "select id, at, what, actor, actor_kind, rule, changes from lead_history "  # noqa: S608
        f"where tenant = $1 and lead = $2{behind} order by id desc limit {int(limit)}",
        tenant,
        id,
        *(() if after is None else (after,)),
    )
    return rows


async def notes(c: asyncpg.Connection, tenant: TenantId, id: LeadId, *, limit: int, after: UUID | None) -> Sequence[asyncpg.Record]:
    """Read up to *limit* of the lead's notes, the newest first."""
    behind = "" if after is None else " and id < $3"
    rows: list[asyncpg.Record] = await c.fetch(
        f"select id, author, text, at from lead_notes where tenant = $1 and lead = $2{behind} order by id desc limit {int(limit)}",  # noqa: S608
        tenant,
        id,
        *(() if after is None else (after,)),
    )
    return rows


async def add_note(c: asyncpg.Connection, tenant: TenantId, lead: LeadId, id: UUID, author: UserId | None, text: str, at: datetime) -> None:
    """The note is here."""
    await c.execute(
        "insert into lead_notes (tenant, lead, id, author, text, at) values ($1, $2, $3, $4, $5, $6)", tenant, lead, id, author, text, at
    )


async def remove_note(c: asyncpg.Connection, tenant: TenantId, lead: LeadId, id: UUID) -> bool:
    """The note is no more; False where there was none."""
    statement = "delete from lead_notes where tenant = $1 and lead = $2 and id = $3 returning true"
    return bool(await c.fetchval(statement, tenant, lead, id))
