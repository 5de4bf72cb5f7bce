"""A lead and what may become of it."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

from contracts.ids import ChatId, ContactId, DeviceId, LeadId, PipelineId, StageId, TenantId, UserId
from contracts.leads import StageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One column of a pipeline."""

    id: StageId
    pipeline: PipelineId
    name: str
    kind: StageKind
    color: str
    probability: int
    rotting_days: int | None
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Somebody who may buy.

    Attributes:
        chat: The first of *chats*, shown on the card.
        device: That chat's number; *team* and *assignee* are that chat's too, as far as they are known. They decide who sees it.
        owner_at: When its owner was last decided on.
        version: Grows by one with each change.
    """

    tenant: TenantId
    id: LeadId
    pipeline: PipelineId
    stage: StageId
    kind: StageKind
    title: str
    value: int
    currency: str
    rank: str
    version: int
    created_at: datetime
    at: datetime
    stage_since: datetime
    contact: ContactId | None = None
    chat: ChatId | None = None
    chats: tuple[ChatId, ...] = ()
    device: DeviceId | None = None
    team: UUID | None = None
    assignee: UserId | None = None
    owner: UserId | None = None
    owner_at: datetime | None = None
    source: str | None = None
    tags: tuple[UUID, ...] = ()
    expected_close: date | None = None
    lost_reason: str | None = None
    closed_at: datetime | None = None

    def changed(self, at: datetime, **changes: Any) -> tuple[Self, tuple[str, ...]]:
        """Give the lead with *changes* and the names of those that are any; without one it is the same lead."""
        names = tuple(sorted(name for name, value in changes.items() if getattr(self, name) != value))
        if not names:
            return self, ()
        if "owner" in names:
            changes["owner_at"] = at
        return replace(self, **changes, version=self.version + 1, at=at), names

    def moved(self, stage: Stage, rank: str, at: datetime, lost_reason: str | None = None) -> Self:
        """Give the lead at *rank* of *stage*: it is closed by a stage that is won or lost, and open again by one that is open."""
        here = stage.id == self.stage
        closed = None if stage.kind == "open" else self.closed_at if self.kind == stage.kind else at
        reason = (lost_reason or self.lost_reason) if stage.kind == "lost" else None
        return replace(
            self,
            pipeline=stage.pipeline,
            stage=stage.id,
            kind=stage.kind,
            rank=rank,
            stage_since=self.stage_since if here else at,
            closed_at=closed,
            lost_reason=reason,
            version=self.version + 1,
            at=at,
        )
