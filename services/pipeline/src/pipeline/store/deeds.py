"""What can be done to a lead, by whomever: the rows, the history, and what is told of it.

Each gives the envelopes for the outbox: the fact first, then the orders that follow from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from contracts import ids
from contracts.commands import ChangeChat
from contracts.envelope import Envelope, wrap
from contracts.events.pipeline import LeadChanged, LeadCreated, LeadDeleted, LeadMoved
from contracts.ids import ContactId, LeadId, PipelineId, StageId, TenantId, UserId
from contracts.leads import Way
from contracts.principal import Actor, Principal

from pipeline.domain import errors, ranks
from pipeline.domain.leads import Lead, Stage
from pipeline.store import known, leads, pipelines, views

Told = list[Envelope[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who does it.

    Attributes:
        caller: A person or a program.
        rules: The rules that led to it, the last one being the one that does it.
        chat: It follows from what happened to the chat, so that the chat needs no order.
    """

    caller: Principal | None = None
    rules: tuple[UUID, ...] = ()
    chat: bool = False

    @property
    def actor(self) -> Actor | None:
        """Name them as events do."""
        return None if self.caller is None else Actor(id=UUID(int=self.caller.id.int), kind=self.caller.kind)

    @property
    def way(self) -> Way:
        """Say how, as events do."""
        return "manual" if self.caller is not None else "rule"

    @property
    def chain(self) -> tuple[str, ...]:
        """Name the rules as events do."""
        return tuple(ids.public(ids.RULE, rule) for rule in self.rules)

    @property
    def rule(self) -> UUID | None:
        """Give the rule that does it."""
        return self.rules[-1] if self.rules else None


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A lead to make."""

    title: str
    pipeline: PipelineId | None = None
    stage: StageId | None = None
    value: int = 0
    currency: str | None = None
    contact: ContactId | None = None
    chats: tuple[known.Chat, ...] = ()
    owner: UserId | None = None
    source: str | None = None
    tags: tuple[UUID, ...] = ()
    expected_close: date | None = None
    id: LeadId | None = None


async def create(c: asyncpg.Connection, tenant: TenantId, new: New, by: By) -> tuple[Lead, Told]:
    """A lead is at the top of its stage.  Raises: PipelineMissing, StageMissing, StageElsewhere."""
    board = await pipelines.find(c, tenant, new.pipeline) if new.stage is None else None
    stage = await pipelines.stage(c, tenant, new.stage or board.entrance.id, lock=True)  # type: ignore[union-attr]
    board = board or await pipelines.find(c, tenant, stage.pipeline)
    if new.pipeline is not None and stage.pipeline != new.pipeline:
        raise errors.StageElsewhere("Name a stage of the lead's own pipeline.")
    rank, _ = await leads.place(c, tenant, stage.id)
    now = datetime.now(UTC)
    first = new.chats[0] if new.chats else None
    lead = Lead(
        tenant=tenant,
        id=new.id or LeadId(ids.new()),
        pipeline=stage.pipeline,
        stage=stage.id,
        kind=stage.kind,
        title=new.title,
        value=new.value,
        currency=new.currency or board.currency,
        rank=rank,
        version=1,
        created_at=now,
        at=now,
        stage_since=now,
        contact=new.contact or (first.contact if first else None),
        chat=first.id if first else None,
        chats=tuple(chat.id for chat in new.chats),
        device=first.device if first else None,
        team=first.team if first else None,
        assignee=first.assignee if first else None,
        owner=new.owner,
        owner_at=now if new.owner else None,
        source=new.source,
        tags=new.tags,
        expected_close=new.expected_close,
        closed_at=None if stage.kind == "open" else now,
    )
    await leads.insert(c, lead)
    await leads.enter(c, lead)
    await leads.remember(c, lead, "created", {"title": lead.title, "stage": lead.stage, "value": lead.value}, by=by.caller, rule=by.rule)
    fact = wrap(
        tenant,
        LeadCreated(**views.fields(lead), way=by.way, rules=by.chain, actor=by.actor),
        audience=views.audience(lead),
        occurred_at=now,
    )
    return lead, [fact, *await _tell_chats(c, board, lead, by, fact.id)]


async def change(c: asyncpg.Connection, lead: Lead, by: By, **changes: Any) -> tuple[Lead, Told]:
    """The lead, whose row is held, has these values; nothing is told where it had them before."""
    now = datetime.now(UTC)
    changed, names = lead.changed(now, **changes)
    if not names:
        return lead, []
    await leads.save(c, changed)
    if "chats" in names:
        await leads.link(c, changed)
    public = {"stage", "rank", "device", "team", "assignee", "chat"}
    shown = {name: [getattr(lead, name), getattr(changed, name)] for name in names if name not in public}
    if shown:
        await leads.remember(c, changed, "changed", shown, by=by.caller, rule=by.rule)
    fact = wrap(
        lead.tenant,
        LeadChanged(**views.fields(changed), changed=names, rules=by.chain, actor=by.actor),
        audience=views.audience(changed),
        occurred_at=now,
    )
    told: Told = [fact]
    if "owner" in names and not by.chat:
        board = await pipelines.find(c, lead.tenant, lead.pipeline)
        told += await _tell_chats(c, board, changed, by, fact.id)
    return changed, told


@dataclass(frozen=True, slots=True, kw_only=True)
class To:
    """A place on the board: right after one card or right before another, else at the top of the stage."""

    stage: StageId
    before: LeadId | None = None
    after: LeadId | None = None
    lost_reason: str | None = None


async def move(c: asyncpg.Connection, tenant: TenantId, id: LeadId, to: To, by: By, *, version: int | None = None) -> tuple[Lead, Told]:
    """The lead stands there; in another pipeline, where the stage is one of it.

    Args:
        version: That of the lead as it was when somebody decided to move it; None: wherever it is now.

    Raises:
        LeadMissing, StageMissing: Not here, or not seen.
        LeadMoved: The lead is another version by now.
    """
    stage = await pipelines.stage(c, tenant, to.stage, lock=True)
    lead = await leads.find(c, tenant, id, by.caller, lock=True)
    return await put(c, lead, stage, to, by, version=version)


async def put(c: asyncpg.Connection, lead: Lead, stage: Stage, to: To, by: By, *, version: int | None = None) -> tuple[Lead, Told]:
    """Do as `move`, with the rows of the stage and of the lead held already."""
    agrees(lead, version)
    now = datetime.now(UTC)
    rank, evened = await leads.place(c, lead.tenant, stage.id, before=to.before, after=to.after, moving=lead.id)
    moved = lead.moved(stage, rank, now, to.lost_reason)
    await leads.save(c, moved)
    common: dict[str, Any] = {"rules": by.chain, "actor": by.actor, "evened": evened}
    body: LeadMoved | LeadChanged
    if moved.stage == lead.stage:
        body = LeadChanged(**views.fields(moved), changed=("rank",), **common)
    else:
        await leads.enter(c, moved)
        changes = {"stage": [lead.stage, moved.stage]} | ({"lost_reason": moved.lost_reason} if moved.lost_reason else {})
        await leads.remember(c, moved, "moved", changes, by=by.caller, rule=by.rule)
        body = LeadMoved(**views.fields(moved), from_stage_id=ids.public(ids.STAGE, lead.stage), way=by.way, **common)
    return moved, [wrap(lead.tenant, body, audience=views.audience(moved), occurred_at=now)]


def agrees(lead: Lead, version: int | None) -> None:
    """Return if *lead* is of *version*.  Raises: LeadMoved."""
    if version is not None and version != lead.version:
        raise errors.LeadMoved("Look at it as it is now, and decide again.", lead=msgspec.to_builtins(views.view(lead)))


async def delete(c: asyncpg.Connection, lead: Lead, by: By) -> Told:
    """The lead, whose row is held, is no more."""
    await leads.delete(c, lead.tenant, lead.id)
    shown = views.fields(lead)
    body = LeadDeleted(id=shown["id"], pipeline_id=shown["pipeline_id"], stage_id=shown["stage_id"], actor=by.actor)
    return [wrap(lead.tenant, body, audience=views.audience(lead))]


async def empty(c: asyncpg.Connection, tenant: TenantId, stage: Stage, into: Stage, by: By) -> Told:
    """Every lead of *stage* is at the end of *into*, in the same order; both rows are held. No rule runs for these."""
    await c.fetch("select id from leads where tenant = $1 and stage = $2 order by id for no key update", tenant, stage.id)
    found = await c.fetch(f"select {leads.COLUMNS} from leads l where l.tenant = $1 and l.stage = $2 order by l.rank", tenant, stage.id)  # noqa: S608
    if not found:
        return []
    now = datetime.now(UTC)
    last = await c.fetchval("select max(rank) from leads where tenant = $1 and stage = $2", tenant, into.id)
    places = ranks.spread(last, None, len(found))
    moved = [leads.row(one).moved(into, rank, now) for one, rank in zip(found, places, strict=True)]
    given = [lead.id for lead in moved]
    await c.execute(
        """
        update leads l set pipeline = $3, stage = $4, kind = $5, rank = n.rank, version = l.version + 1, at = $6, stage_since = $6,
               closed_at = case when $5 = 'open' then null when l.kind = $5 then l.closed_at else $6 end,
               lost_reason = case when $5 = 'lost' then l.lost_reason end
          from unnest($2::uuid[], $7::text[]) as n (id, rank) where l.tenant = $1 and l.id = n.id
        """,
        tenant,
        given,
        into.pipeline,
        into.id,
        into.kind,
        now,
        places,
    )
    await c.execute("update stage_visits set left_at = $3 where tenant = $1 and lead = any ($2) and left_at is null", tenant, given, now)
    await c.execute(
        "insert into stage_visits (tenant, lead, pipeline, stage, entered_at) select $1, id, $3, $4, $5 from unnest($2::uuid[]) as n (id)",
        tenant,
        given,
        into.pipeline,
        into.id,
        now,
    )
    await c.execute(
        "insert into lead_history (tenant, lead, id, at, what, actor, actor_kind, changes) "
        "select $1, id, uuidv7(), $3, 'moved', $4, $5, jsonb_build_object('stage', jsonb_build_array($6::text, $7::text)) "
        "from unnest($2::uuid[]) as n (id)",
        tenant,
        given,
        now,
        by.caller and UUID(int=by.caller.id.int),
        by.caller and by.caller.kind,
        str(stage.id),
        str(into.id),
    )
    whence = ids.public(ids.STAGE, stage.id)
    return [
        wrap(
            tenant,
            LeadMoved(**views.fields(lead), from_stage_id=whence, way="merge", actor=by.actor),
            audience=views.audience(lead),
            occurred_at=now,
        )
        for lead in moved
    ]


async def untag(c: asyncpg.Connection, tenant: TenantId, tag: UUID, *, after: UUID, limit: int) -> tuple[Told, UUID | None]:
    """Up to *limit* leads behind the one with the id *after* bear the tag, which is no more, no longer. No rule runs for these.

    Returns: What is told, and behind which to go on; None: no lead bears it.
    """
    now = datetime.now(UTC)
    found = await c.fetch(
        f"""
        with mine as (select id from leads where tenant = $1 and tags @> array[$2::uuid] and id > $5 order by id limit $3 for no key update)
        update leads l set tags = array_remove(l.tags, $2), version = l.version + 1, at = $4
          from mine where l.tenant = $1 and l.id = mine.id returning {leads.COLUMNS}
        """,  # noqa: S608  # a constant
        tenant,
        tag,
        limit,
        now,
        after,
    )
    rid = sorted((leads.row(one) for one in found), key=lambda lead: lead.id)
    told: Told = [
        wrap(
            tenant,
            LeadChanged(**views.fields(lead), changed=("tags",)),
            id=ids.derived("untagged", tag, lead.id, lead.version),
            audience=views.audience(lead),
            occurred_at=now,
        )
        for lead in rid
    ]
    return told, rid[-1].id if len(rid) == limit else None


async def follow_chat(c: asyncpg.Connection, tenant: TenantId, chat: known.Chat, *, at: datetime | None) -> Told:
    """The leads of a chat stand where it stands: its number, its team, who answers it.

    Args:
        at: When somebody was given the chat; the owner follows, unless the owner was decided on later. None: nobody was.
    """
    told: Told = []
    boards: dict[PipelineId, pipelines.Pipeline] = {}
    for lead in await leads.of_chats(c, tenant, [chat.id]):
        changes: dict[str, Any] = {}
        if lead.chat == chat.id:
            changes = {"device": chat.device, "team": chat.team, "assignee": chat.assignee}
            if lead.contact is None and chat.contact is not None:
                changes["contact"] = chat.contact
        if at is not None and chat.assignee is not None and lead.kind == "open" and (lead.owner_at is None or lead.owner_at < at):
            if lead.pipeline not in boards:
                boards[lead.pipeline] = await pipelines.find(c, tenant, lead.pipeline)
            if boards[lead.pipeline].owner_follows_chat:
                changes["owner"] = chat.assignee
        _, more = await change(c, lead, By(chat=True), **changes)
        told += more
    return told


async def attach(c: asyncpg.Connection, lead: Lead, chat: known.Chat, by: By) -> tuple[Lead, Told]:
    """The chat is one of the lead's; the first one is the one on its card."""
    if chat.id in lead.chats:
        return lead, []
    changes: dict[str, Any] = {"chats": (*lead.chats, chat.id)}
    if lead.chat is None:
        changes |= {"chat": chat.id, "device": chat.device, "team": chat.team, "assignee": chat.assignee}
        changes |= {"contact": lead.contact or chat.contact}
    return await change(c, lead, by, **changes)


async def _tell_chats(c: asyncpg.Connection, board: pipelines.Pipeline, lead: Lead, by: By, cause: UUID) -> Told:
    """Order that who owns the lead answers its chats. The order's id comes from the cause, so that a repeat is the same order."""
    if by.chat or lead.owner is None or not board.chat_follows_owner or not lead.chats:
        return []
    answered = await known.chats(c, lead.tenant, lead.chats)
    return [
        wrap(
            lead.tenant,
            ChangeChat(chat=chat.id, origin="automation", assignee=lead.owner),
            id=ids.derived(cause, "chat follows owner", chat.id),
        )
        for chat in answered.values()
        if chat.assignee != lead.owner
    ]


def linked(lead: Lead, chats: Sequence[known.Chat]) -> dict[str, Any]:
    """Give the changes that make *chats* the lead's, the first one on its card."""
    first = chats[0] if chats else None
    return {
        "chats": tuple(chat.id for chat in chats),
        "chat": first.id if first else None,
        "device": first.device if first else None,
        "team": first.team if first else None,
        "assignee": first.assignee if first else None,
        "contact": lead.contact or (first.contact if first else None),
    }
