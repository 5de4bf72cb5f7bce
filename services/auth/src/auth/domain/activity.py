"""Who did what: one line for each fact that somebody may want to look up later."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from contracts import ids
from contracts.envelope import Body, Envelope
from contracts.events import auth, conversations, devices
from contracts.ids import TenantId
from contracts.principal import Actor

#: A session that comes and goes by itself is no news; these are.
_STATES = {
    devices.DeviceState.PAIRING,
    devices.DeviceState.LOGGED_OUT,
    devices.DeviceState.BANNED,
    devices.DeviceState.REPLACED,
    devices.DeviceState.FAILED,
}

#: What the durable is about.
BODIES: tuple[type[Body], ...] = (
    auth.AccountRegistered,
    auth.AccountChanged,
    auth.UserCreated,
    auth.UserChanged,
    auth.PasswordChanged,
    auth.SessionOpened,
    auth.SessionRefused,
    auth.SessionClosed,
    auth.KeyCreated,
    auth.KeyChanged,
    auth.KeyRotated,
    auth.KeyRevoked,
    auth.TeamCreated,
    auth.TeamChanged,
    auth.TeamDeleted,
    auth.InvitationCreated,
    auth.InvitationRevoked,
    devices.DeviceChanged,
    devices.DeviceDeleted,
    conversations.MessageQueued,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One line.

    Attributes:
        id: The fact's.
        kind: What happened, such as ``user.created``.
        actor: The user's or the key's id; None where nobody did it.
        target: The public id of what it was done to.
    """

    id: UUID
    tenant: TenantId
    at: datetime
    kind: str
    actor_kind: Literal["user", "key"] | None = None
    actor: UUID | None = None
    target: str | None = None
    address: str | None = None


def deed(envelope: Envelope[Any]) -> Deed | None:
    """Tell what *envelope* says that somebody did; None: nothing worth a line."""
    body = envelope.data
    kind = f"{body.topic.entity}.{body.topic.happened}"
    actor: Actor | None = getattr(body, "actor", None)
    address: str | None = getattr(body, "address", None)
    match body:
        case auth.AccountRegistered() | auth.AccountChanged():
            target = ids.public(ids.ACCOUNT, envelope.tenant)
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
            actor = Actor(id=body.user) if body.reason == "logout" else None
            kind = f"{kind}.{body.reason}"
        case auth.KeyCreated() | auth.KeyChanged() | auth.KeyRotated() | auth.KeyRevoked():
            target = ids.public(ids.KEY, body.key)
        case auth.TeamCreated() | auth.TeamChanged() | auth.TeamDeleted():
            target = ids.public(ids.TEAM, body.team)
        case auth.InvitationCreated() | auth.InvitationRevoked():
            target = ids.public(ids.INVITATION, body.invitation)
        case devices.DeviceChanged():
            if body.revision > 1 and body.state not in _STATES:
                return None
            target, kind = body.id, "device.added" if body.revision == 1 else f"device.{body.state.value}"
        case devices.DeviceDeleted():
            target = body.id
        case conversations.MessageQueued():
            target, actor = body.id, _author(body.author_id)
        case _:
            return None
    return Deed(
        id=envelope.id,
        tenant=envelope.tenant,
        at=envelope.occurred_at,
        kind=kind,
        actor_kind=actor.kind if actor else None,
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
