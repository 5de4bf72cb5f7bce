"""What there is of one person; and, erased, their leads bear no name, note or task any more and stay where they stand with their worth.

So the funnel and the sums of the past are as they were, and nobody can say of whom.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids
from contracts.envelope import Envelope, wrap
from contracts.events.pipeline import LeadChanged
from contracts.ids import TenantId

from pipeline.domain.leads import Lead
from pipeline.store import leads, views

#: What a lead of nobody is called.
NOBODY = "—"
_BATCH = 200


async def forget(
    c: asyncpg.Connection, tenant: TenantId, contacts: Collection[UUID], chats: Collection[UUID], at: datetime
) -> tuple[list[str], list[Envelope[Any]]]:
    """Nothing here says anything of these contacts and chats; gives their leads' public ids, and what is told of them."""
    key = tenant, list(contacts), list(chats)
    found = await c.fetch(
        """
        select id from leads where tenant = $1 and (contact = any($2::uuid[]) or contact is null and id in
            (select lead from lead_chats where tenant = $1 and chat = any($3::uuid[])))
         order by id for update
        """,
        *key,
    )
    theirs = [row[0] for row in found]
    shared = await c.fetch(
        "select distinct lead from lead_chats where tenant = $1 and chat = any($2::uuid[]) and lead <> all($3::uuid[])",
        tenant,
        list(chats),
        theirs,
    )
    await _unlink(c, tenant, [row[0] for row in shared], chats)
    for start in range(0, len(theirs), _BATCH):
        await _strip(c, tenant, theirs[start : start + _BATCH], at)
    for table, column, values in (
        ("contacts", "id", contacts),
        ("contact_redirects", "old", contacts),
        ("contact_redirects", "new", contacts),
        ("chat_redirects", "old", chats),
        ("chat_redirects", "new", chats),
        ("chats", "id", chats),
    ):
        await c.execute(f"delete from {table} where tenant = $1 and {column} = any($2::uuid[])", tenant, list(values))  # noqa: S608
    told: list[Envelope[Any]] = []
    for id in theirs:
        lead = await leads.find(c, tenant, id)
        fact = LeadChanged(**views.fields(lead), changed=("title", "contact_id", "chat_ids"))
        told.append(wrap(tenant, fact, audience=views.audience(lead)))
    return [ids.public(ids.LEAD, id) for id in theirs], told


async def known_of(
    c: asyncpg.Connection, tenant: TenantId, contact: UUID
) -> AsyncIterator[tuple[Lead, Sequence[asyncpg.Record], Sequence[asyncpg.Record]]]:
    """Read the contact's leads, each with its tasks and its notes."""
    rows = await c.fetch("select id from leads where tenant = $1 and contact = $2 order by id", tenant, contact)
    for (id,) in rows:
        lead = await leads.find(c, tenant, id)
        tasks = await c.fetch("select id, title, due_at, done_at from tasks where tenant = $1 and lead = $2 order by id", tenant, id)
        notes = await c.fetch("select text, at from lead_notes where tenant = $1 and lead = $2 order by id", tenant, id)
        yield lead, tasks, notes


async def _strip(c: asyncpg.Connection, tenant: TenantId, some: Sequence[UUID], at: datetime) -> None:
    key = tenant, list(some)
    await c.execute(
        """
        update leads set title = $3, contact = null, chat = null, chats = '{}', device = null, source = null, lost_reason = null,
               version = version + 1, at = $4
         where tenant = $1 and id = any($2::uuid[])
        """,
        *key,
        NOBODY,
        at,
    )
    for table in ("lead_chats", "lead_notes", "tasks"):
        await c.execute(f"delete from {table} where tenant = $1 and lead = any($2::uuid[])", *key)  # noqa: S608
    await c.execute("update lead_history set changes = '{}' where tenant = $1 and lead = any($2::uuid[])", *key)
    await c.execute("update rule_runs set steps = '[]' where tenant = $1 and lead = any($2::uuid[])", *key)


async def _unlink(c: asyncpg.Connection, tenant: TenantId, some: Sequence[UUID], chats: Collection[UUID]) -> None:
    """These leads are another's, and have these chats no more."""
    await c.execute(
        "delete from lead_chats where tenant = $1 and lead = any($2::uuid[]) and chat = any($3::uuid[])", tenant, list(some), list(chats)
    )
    await c.execute(
        """
        update leads l set chats = r.rest, chat = r.rest[1], version = version + 1
          from (
            select id, array(
                select one from unnest(chats) with ordinality as u (one, place) where one <> all($3::uuid[]) order by place
            ) as rest from leads where tenant = $1 and id = any($2::uuid[])
          ) r
         where l.tenant = $1 and l.id = r.id
        """,
        tenant,
        list(some),
        list(chats),
    )
