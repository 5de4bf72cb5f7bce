"""Leads, pipelines and tasks as the HTTP API, the socket and the webhooks show them."""

from typing import Any
from uuid import UUID

from contracts import ids, leads
from contracts.envelope import Audience

from pipeline.domain.leads import Lead, Stage
from pipeline.store.pipelines import Pipeline


def fields(lead: Lead) -> dict[str, Any]:
    """Give the fields of the public lead."""
    return {
        "id": ids.public(ids.LEAD, lead.id),
        "pipeline_id": ids.public(ids.PIPELINE, lead.pipeline),
        "stage_id": ids.public(ids.STAGE, lead.stage),
        "title": lead.title,
        "status": lead.kind,
        "value": lead.value,
        "currency": lead.currency,
        "version": lead.version,
        "rank": lead.rank,
        "at": lead.at,
        "created_at": lead.created_at,
        "stage_since": lead.stage_since,
        "contact_id": maybe(ids.CONTACT, lead.contact),
        "device_id": maybe(ids.DEVICE, lead.device),
        "chat_ids": tuple(ids.public(ids.CHAT, chat) for chat in lead.chats),
        "owner_id": maybe(ids.USER, lead.owner),
        "source": lead.source,
        "tags": tuple(ids.public(ids.TAG, tag) for tag in lead.tags),
        "expected_close": lead.expected_close,
        "lost_reason": lead.lost_reason,
        "closed_at": lead.closed_at,
    }


def view(lead: Lead) -> leads.Lead:
    """Show a lead."""
    return leads.Lead(**fields(lead))


def audience(lead: Lead) -> Audience:
    """Name who may see the lead."""
    return Audience(device=lead.device, team=lead.team, assignee=lead.owner or lead.assignee)


def stage(one: Stage) -> leads.Stage:
    """Show a stage."""
    return leads.Stage(
        id=ids.public(ids.STAGE, one.id),
        name=one.name,
        kind=one.kind,
        color=one.color,
        probability=one.probability,
        rotting_days=one.rotting_days,
    )


def pipeline_fields(one: Pipeline) -> dict[str, Any]:
    """Give the fields of the public pipeline."""
    return {
        "id": ids.public(ids.PIPELINE, one.id),
        "name": one.name,
        "currency": one.currency,
        "default": one.default,
        "stages": tuple(map(stage, one.stages)),
        "revision": one.revision,
        "owner_follows_chat": one.owner_follows_chat,
        "chat_follows_owner": one.chat_follows_owner,
    }


def pipeline(one: Pipeline) -> leads.Pipeline:
    """Show a pipeline with its stages."""
    return leads.Pipeline(**pipeline_fields(one))


def maybe(prefix: str, id: UUID | None) -> str | None:
    """Write an id, if there is one."""
    return None if id is None else ids.public(prefix, id)
