"""Who did what: one line for each fact that somebody may want to look up later."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from contracts import ids
from contracts.envelope import REGISTRY, Body, Envelope
from contracts.events import auth, conversations, devices
from contracts.ids import TenantId
from contracts.principal import Actor
from contracts.views import Origin

#: A session that comes and goes by itself is no news; these are.
_STATES = {
    devices.DeviceState.LOGGED_OUT,
    devices.DeviceState.BANNED,
    devices.DeviceState.REPLACED,
    devices.DeviceState.FAILED,
}

#: Reasons of a state that somebody ordered: the order has a line of its own.
_ORDERED = {"by-user", "logging-out"}

#: Facts that name no actor, and are somebody's doing or worth knowing of all the same.
_BESIDES: tuple[type[Body], ...] = (
    auth.AccountRegistered,
    auth.SessionOpened,
    auth.SessionRefused,
    devices.DeviceChanged,
    conversations.MessageQueued,
)

#: What the durable is about: besides those every fact that names who did it, whoever tells it.
BODIES: tuple[type[Body], ...] = _BESIDES + tuple(
    body
    for body in REGISTRY.values()
    if body.topic.kind == "evt" and body not in _BESIDES and any(field.name == "actor" for field in msgspec.structs.fields(body))
)

#: What is ordered of a number, in the words of the other lines.
_ORDERS = {"add": "added", "rename": "renamed", "delete": "deleted"}

#: The kinds of line after which there is nothing left to look at.
ENDS = ("contact.erased", "device.deleted", "lead.deleted", "pipeline.deleted", "team.deleted")

#: Who did it: a person, a program with a key, or a part of Clarin that follows rules.
Doer = Literal["user", "key", "bot", "automation", "schedule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One line.

    Attributes:
        id: The fact's.
        kind: What happened, such as ``user.created``.
        actor: The user's or the key's id; None where nobody who has one did it.
        target: The public id of what it was done to; of dead letters their durable.
    """

    id: UUID
    tenant: TenantId
    at: datetime
    kind: str
    actor_kind: Doer | None = None
    actor: UUID | None = None
    target: str | None = None
    address: str | None = None


def deed(envelope: Envelope[Any]) -> Deed | None:
    """Tell what *envelope* says that somebody did; None: nothing worth a line."""
    body = envelope.data
    kind = f"{body.topic.entity}.{body.topic.happened}"
    actor: Actor | None = getattr(body, "actor", None)
    address: str | None = getattr(body, "address", None)
    doer: Doer | None = None
    match body:
        case auth.AccountRegistered() | auth.AccountChanged():
            target = ids.public(ids.ACCOUNT, envelope.tenant)
        case auth.UserCreated() if actor is None:
            target, actor, kind = ids.public(ids.USER, body.user), Actor(id=body.user), "user.joined"
        case auth.UserCreated() | auth.UserChanged():
            target = ids.public(ids.USER, body.user)
        case auth.PasswordChanged():
            target = ids.public(ids.USER, body.user)
            actor = actor or Actor(id=body.user)
        case auth.SessionOpened() | auth.SessionRefused():
            target = ids.public(ids.USER, body.user)
            actor = Actor(id=body.user)
        case auth.SessionClosed():
            target = ids.public(ids.USER, body.user)
            actor = actor or (Actor(id=body.user) if body.reason == "logout" else None)
            kind = f"{kind}.{body.reason}"
        case auth.KeyCreated() | auth.KeyChanged() | auth.KeyRotated() | auth.KeyRevoked():
            target = ids.public(ids.KEY, body.key)
        case auth.TeamCreated() | auth.TeamChanged() | auth.TeamDeleted():
            target = ids.public(ids.TEAM, body.team)
        case auth.InvitationCreated() | auth.InvitationRevoked():
            target = ids.public(ids.INVITATION, body.invitation)
        case auth.DeadLettersReplayed() | auth.DeadLettersDropped():
            target = body.durable
        case devices.DeviceChanged():
            if body.state not in _STATES or body.reason in _ORDERED:
                return None
            target, kind = body.id, f"device.{body.state.value}"
        case devices.DeviceOrdered():
            target, kind = body.id, f"device.{_ORDERS.get(body.order, body.order)}"
        case conversations.MessageQueued():
            target, actor, doer = body.id, _author(body.author_id), _origin(body.origin)
        case conversations.ContactChanged():
            if actor is None:
                return None
            target, kind = body.id, f"contact.{body.deed or 'changed'}"
        case conversations.ImportChanged():
            if actor is None:
                return None
            target, kind = body.id, f"import.{body.state}"
        case conversations.ChatAssigned():
            target, doer = body.id, "automation" if body.way != "manual" else None
        case _:
            if actor is None:
                return None
            target = getattr(body, "id", None) or getattr(body, "chat_id", None) or ids.public(ids.ACCOUNT, envelope.tenant)
    return Deed(
        id=envelope.id,
        tenant=envelope.tenant,
        at=envelope.occurred_at,
        kind=kind,
        actor_kind=actor.kind if actor else doer,
        actor=actor.id if actor else None,
        target=target,
        address=(actor.address if actor else None) or address,
    )


def _author(text: str | None) -> Actor | None:
    kind: Literal["user", "key"]
    for prefix, kind in ((ids.USER, "user"), (ids.KEY, "key")):
        if text is not None and text.startswith(prefix + "_"):
            return Actor(id=ids.parse(prefix, text), kind=kind)
    return None


def _origin(origin: Origin | None) -> Doer | None:
    return origin if origin in ("bot", "automation", "schedule") else None
