"""What requests bring and answers show."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from contracts import ids, leads
from contracts.edge import PublicChatId, PublicContactId, PublicLeadId, PublicPipelineId, PublicStageId, PublicTagId, PublicUserId
from contracts.leads import StageKind
from contracts.principal import Principal
from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import Body, Name, state
from servicekit.http.bodies import Storable

from pipeline.domain import money
from pipeline.store import board, views
from pipeline.store.board import Filter

Db = Annotated[Database, state("db")]
OnBus = Annotated[Bus, state("bus")]

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Storable]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Storable]
NoteText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), Storable]
Currency = Annotated[str, Field(min_length=3, max_length=3, description="ISO 4217", examples=["MXN"]), AfterValidator(money.currency)]
Value = Annotated[int, Field(ge=0, le=money.MOST, strict=True, description="In minor units of the currency: 12.50 USD is 1250.")]
Tags = Annotated[list[PublicTagId], Field(max_length=50)]
Chats = Annotated[list[PublicChatId], Field(max_length=20)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$"), Field(examples=["#228be6"])]
Probability = Annotated[int, Field(ge=0, le=100, strict=True)]
Rotting = Annotated[int, Field(ge=1, le=3650, strict=True, description="Days after which a lead is stuck in it.")]
Version = Annotated[
    int, Field(ge=1, strict=True, description="That of the lead as you know it: refused with 409 when it is another by now.")
]


class NewLead(Body):
    """A lead; a title is enough."""

    title: Title
    pipeline_id: PublicPipelineId | None = None
    stage_id: PublicStageId | None = None
    value: Value = 0
    currency: Currency | None = None
    contact_id: PublicContactId | None = None
    chat_id: Annotated[PublicChatId | None, Field(description="The chat that it comes from; the first of `chat_ids`.")] = None
    chat_ids: Chats = Field(default_factory=list)
    owner_id: Annotated[PublicUserId | None, Field(description="Left out: whoever enters it, if that is a person.")] = None
    source: Short | None = None
    tags: Tags = Field(default_factory=list)
    expected_close: date | None = None


class LeadChange(Body):
    """What is to be different; what is left out stays, and null takes away what may be missing."""

    title: Title | None = None
    value: Value | None = None
    currency: Currency | None = None
    contact_id: PublicContactId | None = None
    chat_ids: Chats | None = None
    owner_id: PublicUserId | None = None
    source: Short | None = None
    tags: Tags | None = None
    expected_close: date | None = None
    lost_reason: Short | None = None
    stage_id: Annotated[PublicStageId | None, Field(description="Another stage of its pipeline: it goes to the top.")] = None
    version: Version | None = None


class Move(Body):
    """Where a lead goes: right after one lead, or right before another, else to the top of the stage."""

    stage_id: PublicStageId
    version: Version
    before_id: PublicLeadId | None = None
    after_id: PublicLeadId | None = None
    lost_reason: Short | None = None


class NewStage(Body):
    """A column."""

    name: Name
    kind: StageKind = "open"
    color: Color = "#228be6"
    probability: Annotated[Probability | None, Field(description="Percent; left out: 100 of what is won, 0 of what is lost, else 50.")] = (
        None
    )
    rotting_days: Rotting | None = None

    def chance(self) -> int:
        """Give its probability."""
        return {"won": 100, "lost": 0, "open": 50}[self.kind] if self.probability is None else self.probability


class StageChange(Body):
    """What is to be different; `position` counts from 0."""

    name: Name | None = None
    kind: StageKind | None = None
    color: Color | None = None
    probability: Probability | None = None
    rotting_days: Rotting | None = None
    position: Annotated[int, Field(ge=0, le=1000)] | None = None


class NewPipeline(Body):
    """A pipeline; without stages it gets those that an account begins with."""

    name: Name
    currency: Currency | None = None
    stages: Annotated[list[NewStage] | None, Field(min_length=1, max_length=30)] = None


class PipelineChange(Body):
    """What is to be different."""

    name: Name | None = None
    currency: Currency | None = None
    default: Literal[True] | None = None
    owner_follows_chat: bool | None = None
    chat_follows_owner: bool | None = None
    stages: Annotated[list[PublicStageId] | None, Field(max_length=30, description="All of its stages in their new order.")] = None
    position: Annotated[int, Field(ge=0, le=1000)] | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A card's contact."""

    id: str
    name: str | None
    phone: str | None


class LastMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest message of a card's chat; *text* is its beginning."""

    id: str
    at: datetime
    kind: str
    text: str | None
    from_me: bool


class CardChat(msgspec.Struct, frozen=True, kw_only=True):
    """A card's chat."""

    id: str
    device_id: str
    name: str | None
    status: str
    unread: int
    assignee_id: str | None
    last_message: LastMessage | None


class LeadCard(leads.Lead, frozen=True, kw_only=True):
    """A lead with what its card shows.

    Attributes:
        chat: None where there is none, or the caller does not see it.
        open_tasks: Tasks that are not done.
    """

    contact: Person | None = None
    chat: CardChat | None = None
    open_tasks: int = 0
    next_task_at: datetime | None = None


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What leads of one currency are worth, as it is and weighted by the stage's probability; in minor units."""

    currency: str
    count: int
    value: int
    weighted: int


class Cards(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a column's leads."""

    items: list[LeadCard]
    next_cursor: str | None = None


class Column(leads.Stage, frozen=True, kw_only=True):
    """A stage with its first leads, and what all of them are worth."""

    count: int
    totals: list[Total]
    leads: Cards


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline with its columns."""

    pipeline: leads.Pipeline
    items: list[Column]
    next_cursor: None = None


def card(one: board.Card, caller: Principal) -> LeadCard:
    """Show a card as *caller* may see it."""
    beside = one.beside
    contact = None
    if beside.contact is not None:
        contact = Person(id=ids.public(ids.CONTACT, beside.contact), name=beside.contact_name, phone=beside.phone)
    chat = None
    if beside.chat is not None and caller.reads(beside.device, beside.team, beside.assignee):
        last = None
        if beside.last_id is not None and beside.last_at is not None:
            last = LastMessage(
                id=ids.public(ids.MESSAGE, beside.last_id),
                at=beside.last_at,
                kind=beside.last_kind or "text",
                text=beside.last_text,
                from_me=bool(beside.last_from_me),
            )
        chat = CardChat(
            id=ids.public(ids.CHAT, beside.chat),
            device_id=views.maybe(ids.DEVICE, beside.device) or "",
            name=beside.chat_name or beside.contact_name,
            status=beside.chat_status or "open",
            unread=beside.unread or 0,
            assignee_id=views.maybe(ids.USER, beside.assignee),
            last_message=last,
        )
    return LeadCard(**views.fields(one.lead), contact=contact, chat=chat, open_tasks=beside.tasks, next_task_at=beside.next_due)


async def filters(
    owner_id: Annotated[PublicUserId | None, Query(description="Of this person.")] = None,
    owned: Annotated[bool | None, Query(description="false: those that nobody owns.")] = None,
    tag_id: Annotated[PublicTagId | None, Query(description="That bear this tag.")] = None,
    value_min: Annotated[int | None, Query(ge=0, le=money.MOST, description="Worth at least so many minor units.")] = None,
    value_max: Annotated[int | None, Query(ge=0, le=money.MOST, description="Worth at most so many minor units.")] = None,
    currency: Annotated[Currency | None, Query(description="In this currency.")] = None,
    stuck: Annotated[bool | None, Query(description="Longer in their stage than it allows, or not.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Made then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Made before then.")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Stands in the title, the contact's name or phone.")] = None,
) -> Filter:
    """Read what leads are asked for."""
    text = (q or "").replace("\0", "").strip()
    return Filter(
        owner="none" if owned is False else owner_id,
        tag=tag_id,
        value_min=value_min,
        value_max=value_max,
        currency=currency,
        stuck=stuck,
        since=since,
        until=until,
        text=text or None,
    )


def given(body: Body, **names: str) -> dict[str, Any]:
    """Give the members that a body brought, by the names that they have inside."""
    return {names.get(name, name): getattr(body, name) for name in body.model_fields_set}


def uuid_of(principal: Principal) -> UUID:
    """Give a caller's id as a plain UUID."""
    return UUID(int=principal.id.int)
