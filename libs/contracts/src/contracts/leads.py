"""Shapes of the pipeline that the HTTP API, the socket and the webhooks share, field for field."""

from datetime import date, datetime
from typing import Literal

import msgspec

StageKind = Literal["open", "won", "lost"]

#: What moved or made a lead: a person or a program, a rule, or the removal of its stage.
Way = Literal["manual", "rule", "merge"]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a board.

    Attributes:
        id: ``stg_…``
        probability: Percent of the value of its leads that is expected to come in.
        rotting_days: A lead that is here for longer is stuck; None: never.
    """

    id: str
    name: str
    kind: StageKind
    color: str
    probability: int
    rotting_days: int | None = None


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """The stages that a lead goes through, in their order.

    Attributes:
        id: ``pip_…``
        currency: ISO 4217, of leads that do not say theirs.
        default: Where a lead goes that names no pipeline.
        owner_follows_chat: Who is given the chat owns its lead.
        chat_follows_owner: Who is given the lead answers its chat.
        revision: Grows by one with each change of this pipeline: a lower one than the last seen is old news.
    """

    id: str
    name: str
    currency: str
    default: bool
    stages: tuple[Stage, ...]
    revision: int
    owner_follows_chat: bool = True
    chat_follows_owner: bool = True


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may buy, and where they stand.

    Attributes:
        id: ``led_…``
        pipeline_id: ``pip_…``
        stage_id: ``stg_…``
        status: The kind of its stage.
        value: In minor units of *currency* (ISO 4217): 12.50 USD is 1250.
        version: Grows by one with each change of this lead: a lower one than the last seen is old news.
        rank: Its place in its stage: leads stand in the order of their ranks, compared byte by byte.
        at: When it was last changed, UTC.
        stage_since: When it came into its stage, UTC.
        contact_id: ``cnt_…``
        device_id: ``dev_…``: the number of its first chat.
        chat_ids: ``cht_…`` each; the first one is shown on its card.
        owner_id: ``usr_…``
        source: Where it came from, in the words of who entered it; ``chat`` where a rule made it.
        tags: ``tag_…`` each.
        closed_at: When it came into a stage that is won or lost, UTC.
    """

    id: str
    pipeline_id: str
    stage_id: str
    title: str
    status: StageKind
    value: int
    currency: str
    version: int
    rank: str
    at: datetime
    created_at: datetime
    stage_since: datetime
    contact_id: str | None = None
    device_id: str | None = None
    chat_ids: tuple[str, ...] = ()
    owner_id: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    expected_close: date | None = None
    lost_reason: str | None = None
    closed_at: datetime | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do about a lead.

    Attributes:
        id: ``tsk_…``
        lead_id: ``led_…``
        assignee_id: ``usr_…``; None: whoever owns the lead.
        remind_at: When people are reminded of it, UTC.
    """

    id: str
    lead_id: str
    title: str
    created_at: datetime
    assignee_id: str | None = None
    due_at: datetime | None = None
    remind_at: datetime | None = None
    done_at: datetime | None = None
