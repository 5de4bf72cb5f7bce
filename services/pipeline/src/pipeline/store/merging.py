"""Contacts and chats turn out to be others: what was about them is about those, whatever is told first."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import asyncpg
from contracts.envelope import Envelope, wrap
from contracts.events.pipeline import TaskChanged
from contracts.ids import ChatId, ContactId, TenantId

from pipeline.domain.leads import Lead
from pipeline.store import deeds, known, leads, pipelines, tasks
from pipeline.store.redirects import Redirects, became

#: What a rule says of a lead that it makes of a chat.
BY_RULE = "chat"


async def contacts(
    c: asyncpg.Connection, redirects: Redirects, tenant: TenantId, survivor: ContactId, loser: ContactId
) -> list[Envelope[Any]]:
    """Whatever was about *loser* is about *survivor*, or about who stands for that one; returns what is told."""
    survivor = redirects.contact(tenant, survivor)
    if survivor == loser:
        return []
    became(redirects.contacts, tenant, loser, survivor)
    await _redirect(c, "contact_redirects", tenant, loser, survivor)
    await c.execute("update chats set contact = $3 where tenant = $1 and contact = $2", tenant, loser, survivor)
    await c.execute("delete from contacts where tenant = $1 and id = $2", tenant, loser)
    told: list[Envelope[Any]] = []
    for lead in await _of_contact(c, tenant, loser):
        _, more = await deeds.change(c, lead, deeds.By(chat=True), contact=survivor)
        told += more
    return [*told, *await _fold(c, await _of_contact(c, tenant, survivor))]


async def chats(c: asyncpg.Connection, redirects: Redirects, tenant: TenantId, kept: ChatId, gone: ChatId) -> list[Envelope[Any]]:
    """Whatever was of the chat *gone* is of *kept*, or of who stands for that one; returns what is told."""
    kept = redirects.chat(tenant, kept)
    if kept == gone:
        return []
    became(redirects.chats, tenant, gone, kept)
    await _redirect(c, "chat_redirects", tenant, gone, kept)
    # First the row: who makes a lead of the chat holds it, and is waited for.
    row = await c.fetchrow(f"delete from chats where tenant = $1 and id = $2 returning {_CHAT}", tenant, gone)  # noqa: S608  # a constant
    if row is not None:
        await c.execute(
            f"""
            insert into chats as h (tenant, id, {_CHAT}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            on conflict (tenant, id) do update set first_id = coalesce(h.first_id, excluded.first_id), {_NEWER}
            """,  # noqa: S608  # constants
            tenant,
            kept,
            *row,
        )
    about = await known.chat(c, tenant, kept)
    told: list[Envelope[Any]] = []
    for lead in await leads.of_chats(c, tenant, [gone]):
        changes: dict[str, Any] = {"chats": tuple(dict.fromkeys(kept if chat == gone else chat for chat in lead.chats))}
        if lead.chat == gone:
            changes["chat"] = kept
            if about is not None:
                changes |= {"device": about.device, "team": about.team, "assignee": about.assignee}
        _, more = await deeds.change(c, lead, deeds.By(chat=True), **changes)
        told += more
    return [*told, *await _fold(c, await leads.of_chats(c, tenant, [kept]))]


_CHAT = "device, contact, first_id, last_id, last_at, last_kind, last_text, last_from_me"
_NEWER = ", ".join(
    f"{name} = case when h.last_at is null or (h.last_at, h.last_id) < (excluded.last_at, excluded.last_id) "
    f"then excluded.{name} else h.{name} end"
    for name in ("last_id", "last_at", "last_kind", "last_text", "last_from_me")
)


async def _redirect(c: asyncpg.Connection, table: str, tenant: TenantId, old: UUID, new: UUID) -> None:
    await c.execute(f"update {table} set new = $3 where tenant = $1 and new = $2", tenant, old, new)  # noqa: S608
    await c.execute(
        f"insert into {table} (tenant, old, new) values ($1, $2, $3) on conflict (tenant, old) do update set new = $3",  # noqa: S608
        tenant,
        old,
        new,
    )


async def _of_contact(c: asyncpg.Connection, tenant: TenantId, contact: ContactId) -> list[Lead]:
    found = await c.fetch(
        f"select {leads.COLUMNS} from leads l where l.tenant = $1 and l.contact = $2 order by l.id for no key update",  # noqa: S608
        tenant,
        contact,
    )
    return [leads.row(one) for one in found]


async def _fold(c: asyncpg.Connection, some: Collection[Lead]) -> list[Envelope[Any]]:
    """Of the open leads that rules have made of one person, held by the caller, one is left on each board; what people made stays.

    It is the one that has come the furthest, with the tasks, notes, tags and chats of all.
    """
    made: dict[UUID, list[Lead]] = {}
    for lead in some:
        if lead.kind == "open" and lead.source == BY_RULE:
            made.setdefault(lead.pipeline, []).append(lead)
    told: list[Envelope[Any]] = []
    for same in made.values():
        if len(same) > 1:
            board = await pipelines.find(c, same[0].tenant, same[0].pipeline)
            places = {stage.id: place for place, stage in enumerate(board.stages)}
            first, *rest = sorted(same, key=lambda lead: (-places.get(lead.stage, 0), lead.created_at, lead.id))
            for other in rest:
                first, more = await _into(c, first, other)
                told += more
    return told


async def _into(c: asyncpg.Connection, kept: Lead, gone: Lead) -> tuple[Lead, list[Envelope[Any]]]:
    key = kept.tenant, gone.id, kept.id
    moved = await c.fetch("update tasks set lead = $3 where tenant = $1 and lead = $2 returning id", *key)
    await c.execute("update lead_notes set lead = $3 where tenant = $1 and lead = $2", *key)
    told = await deeds.delete(c, gone, deeds.By(chat=True))
    same_money = kept.currency == gone.currency
    kept, more = await deeds.change(
        c,
        kept,
        deeds.By(chat=True),
        chats=tuple(dict.fromkeys((*kept.chats, *gone.chats))),
        tags=tuple(dict.fromkeys((*kept.tags, *gone.tags))),
        contact=kept.contact or gone.contact,
        owner=kept.owner or gone.owner,
        value=kept.value or (gone.value if same_money else 0),
        expected_close=kept.expected_close or gone.expected_close,
    )
    told += more
    for row in moved:
        task = await tasks.find(c, kept.tenant, row["id"], None)
        told.append(wrap(kept.tenant, TaskChanged(**task.fields()), audience=task.audience()))
    return kept, told
