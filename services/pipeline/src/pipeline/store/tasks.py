"""Tasks about leads, and when to remind of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from contracts import ids, leads
from contracts.envelope import Audience
from contracts.ids import LeadId, TenantId, UserId
from contracts.principal import Principal

from pipeline.domain.errors import TaskMissing
from pipeline.store.leads import seen
from pipeline.store.views import maybe


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to do about a lead; *device* to *owner* are the lead's and decide who sees it."""

    tenant: TenantId
    id: UUID
    lead: LeadId
    title: str
    assignee: UserId | None
    due_at: datetime | None
    remind_at: datetime | None
    done_at: datetime | None
    created_at: datetime
    device: UUID | None = None
    team: UUID | None = None
    lead_assignee: UserId | None = None
    owner: UserId | None = None
    lead_title: str = ""

    def fields(self) -> dict[str, Any]:
        """Give the fields of the public task."""
        return {
            "id": ids.public(ids.TASK, self.id),
            "lead_id": ids.public(ids.LEAD, self.lead),
            "title": self.title,
            "created_at": self.created_at,
            "assignee_id": maybe(ids.USER, self.assignee),
            "due_at": self.due_at,
            "remind_at": self.remind_at,
            "done_at": self.done_at,
        }

    def view(self) -> leads.Task:
        """Show it."""
        return leads.Task(**self.fields())

    def audience(self) -> Audience:
        """Name who may see it: who sees its lead."""
        return Audience(device=self.device, team=self.team, assignee=self.owner or self.lead_assignee)  # type: ignore[arg-type]


_COLUMNS = (
    "t.tenant, t.id, t.lead, t.title, t.assignee, t.due_at, t.remind_at, t.done_at, t.created_at, "
    "l.device, l.team, l.assignee as lead_assignee, l.owner, l.title as lead_title"
)
_FROM = "tasks t join leads l on l.tenant = t.tenant and l.id = t.lead"


def _task(found: Any) -> Task:
    return Task(**dict(found))


async def find(c: asyncpg.Connection, tenant: TenantId, id: UUID, caller: Principal | None) -> Task:
    """Read one task of a lead that *caller* sees, and hold it.  Raises: TaskMissing."""
    values: list[object] = [tenant, id]
    condition = seen(caller, values)
    found = await c.fetchrow(
        f"select {_COLUMNS} from {_FROM} where t.tenant = $1 and t.id = $2{condition} for no key update of t",  # noqa: S608
        *values,
    )
    if found is None:
        raise TaskMissing
    return _task(found)


async def page(
    c: asyncpg.Connection,
    tenant: TenantId,
    caller: Principal | None,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    lead: LeadId | None = None,
    assignee: UserId | None = None,
    done: bool | None = None,
    due_before: datetime | None = None,
) -> list[Task]:
    """Read up to *limit* tasks, those that are due first first; without a time they come last."""
    values: list[object] = [tenant]
    conditions = ""
    for condition, value in (("t.lead = {}", lead), ("coalesce(t.assignee, l.owner) = {}", assignee), ("t.due_at < {}", due_before)):
        if value is not None:
            values.append(value)
            conditions += " and " + condition.format(f"${len(values)}")
    if done is not None:
        conditions += f" and t.done_at is {'not ' if done else ''}null"
    if after is not None:
        values += after
        conditions += f" and (coalesce(t.due_at, 'infinity'), t.id) > (${len(values) - 1}, ${len(values)})"
    conditions += seen(caller, values)
    found = await c.fetch(
        f"select {_COLUMNS} from {_FROM} where t.tenant = $1{conditions} order by coalesce(t.due_at, 'infinity'), t.id limit {int(limit)}",  # noqa: S608
        *values,
    )
    return [_task(one) for one in found]


async def save(c: asyncpg.Connection, task: Task) -> None:
    """The task is as *task* says; another time to remind is one that has not come yet."""
    await c.execute(
        """
        insert into tasks as t (tenant, id, lead, title, assignee, due_at, remind_at, done_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (tenant, id) do update set title = $4, assignee = $5, due_at = $6, remind_at = $7, done_at = $8,
               reminded_at = case when t.remind_at is distinct from $7 then null else t.reminded_at end
        """,
        task.tenant,
        task.id,
        task.lead,
        task.title,
        task.assignee,
        task.due_at,
        task.remind_at,
        task.done_at,
        task.created_at,
    )


async def remove(c: asyncpg.Connection, tenant: TenantId, id: UUID) -> None:
    """The task is no more."""
    await c.execute("delete from tasks where tenant = $1 and id = $2", tenant, id)


async def due(c: asyncpg.Connection, *, limit: int) -> Sequence[Task]:
    """Take up to *limit* tasks of any tenant whose hour has come; nobody else takes them. For the system role."""
    found = await c.fetch(
        f"""
        with taken as (
            select tenant, id from tasks where done_at is null and reminded_at is null and remind_at <= now()
             order by remind_at limit {int(limit)} for update skip locked
        ), marked as (
            update tasks t set reminded_at = now() from taken n where t.tenant = n.tenant and t.id = n.id returning t.*
        )
        select {_COLUMNS} from marked t join leads l on l.tenant = t.tenant and l.id = t.lead
        """  # noqa: S608
    )
    return [_task(one) for one in found]
