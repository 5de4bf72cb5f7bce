"""Tasks: what is to be done about leads, and when people are reminded of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from contracts import ids, leads
from contracts.edge import PublicLeadId, PublicTaskId, PublicUserId
from contracts.envelope import Envelope, wrap
from contracts.events.pipeline import TaskChanged, TaskDeleted
from contracts.ids import TenantId, UserId
from contracts.principal import Principal, Scope
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime
from servicekit import cursors, outbox
from servicekit.cursors import BadCursor
from servicekit.db import raw
from servicekit.http import Body, Caller, Cursor, Json, Limit, answer, needs, problems
from servicekit.idempotency import Idempotent, InFlight, Mismatch

from pipeline.api.shapes import Db, Title, given, uuid_of
from pipeline.domain import errors
from pipeline.store import known, tasks
from pipeline.store import leads as stored

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

NEVER = datetime.max.replace(tzinfo=UTC)


class NewTask(Body):
    """Something to do about a lead."""

    lead_id: PublicLeadId
    title: Title
    assignee_id: PublicUserId | None = None
    due_at: AwareDatetime | None = None
    remind_at: AwareDatetime | None = None


class TaskChange(Body):
    """What is to be different; what is left out stays."""

    title: Title | None = None
    assignee_id: PublicUserId | None = None
    due_at: AwareDatetime | None = None
    remind_at: AwareDatetime | None = None
    done: bool | None = None


@router.get("", responses=answer(leads.Task, page=True) | problems(BadCursor))
async def list_tasks(
    caller: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    lead_id: Annotated[PublicLeadId | None, Query()] = None,
    mine: Annotated[bool, Query(description="Those of the caller: assigned to them, or about leads that they own.")] = False,
    done: Annotated[bool | None, Query()] = None,
    due_before: Annotated[AwareDatetime | None, Query()] = None,
) -> Json:
    """List tasks, those that are due first first."""
    name = f"tasks?lead={lead_id}&mine={mine}&done={done}&due={due_before}"
    after = cursors.decode(caller.tenant, name, cursor, tuple[datetime, UUID]) if cursor else None
    async with db.transaction(caller.tenant) as tx:
        found = await tasks.page(
            await raw(tx),
            caller.tenant,
            caller,
            limit=limit + 1,
            after=after,
            lead=lead_id,
            assignee=UserId(uuid_of(caller)) if mine else None,
            done=done,
            due_before=due_before,
        )
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = cursors.encode(caller.tenant, name, (last.due_at or NEVER, UUID(int=last.id.int)))
    return Json({"items": [task.view() for task in found[:limit]], "next_cursor": following})


@router.post(
    "", status_code=201, responses=answer(leads.Task, status=201) | problems(errors.LeadMissing, errors.UserMissing, InFlight, Mismatch)
)
@needs(Scope.SEND)
async def make(body: NewTask, caller: Caller, idem: Idempotent, db: Db) -> Response:
    """Make a task."""
    async with db.transaction(caller.tenant) as tx:
        if replay := await idem.begin(tx):
            return replay.response()
        c = await raw(tx)
        lead = await stored.find(c, caller.tenant, body.lead_id, caller)
        await _demand(c, caller, body.assignee_id)
        task = tasks.Task(
            tenant=caller.tenant,
            id=ids.new(),
            lead=lead.id,
            title=body.title,
            assignee=body.assignee_id,
            due_at=body.due_at,
            remind_at=body.remind_at,
            done_at=None,
            created_at=datetime.now(UTC),
            device=lead.device,
            team=lead.team,
            lead_assignee=lead.assignee,
            owner=lead.owner,
        )
        await tasks.save(c, task)
        await outbox.add(tx, _told(caller.tenant, task))
        return await idem.finish(tx, 201, msgspec.json.encode(task.view()))


@router.patch("/{id}", responses=answer(leads.Task) | problems(errors.TaskMissing, errors.UserMissing))
@needs(Scope.SEND)
async def change(id: PublicTaskId, body: TaskChange, caller: Caller, db: Db) -> Json:
    """Change a task, or say that it is done."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        task = await tasks.find(c, caller.tenant, id, caller)
        values = given(body, assignee_id="assignee")
        if (done := values.pop("done", None)) is not None:
            values["done_at"] = (task.done_at or datetime.now(UTC)) if done else None
        if values.get("title", "") is None:
            del values["title"]
        await _demand(c, caller, values.get("assignee"))
        changed = replace(task, **values)
        if changed != task:
            await tasks.save(c, changed)
            await outbox.add(tx, _told(caller.tenant, changed))
    return Json(changed.view())


@router.delete("/{id}", status_code=204, response_class=Response, responses=problems(errors.TaskMissing))
@needs(Scope.SEND)
async def delete(id: PublicTaskId, caller: Caller, db: Db) -> None:
    """Delete a task."""
    async with db.transaction(caller.tenant) as tx:
        c = await raw(tx)
        task = await tasks.find(c, caller.tenant, id, caller)
        await tasks.remove(c, caller.tenant, id)
        body = TaskDeleted(id=ids.public(ids.TASK, id), lead_id=ids.public(ids.LEAD, task.lead))
        await outbox.add(tx, wrap(caller.tenant, body, audience=task.audience()))


def _told(tenant: TenantId, task: tasks.Task) -> Envelope[Any]:
    return wrap(tenant, TaskChanged(**task.fields()), audience=task.audience())


async def _demand(c: Any, caller: Principal, id: UserId | None) -> None:
    if id is not None and id != uuid_of(caller) and not await known.is_user(c, caller.tenant, id):
        raise errors.UserMissing
