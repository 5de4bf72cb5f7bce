"""What the auth service tells. Internal: nothing of it reaches a webhook.

*actor* is who did it; None where nobody who was signed in did: the operator, time, or the person themselves while signing in.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from contracts.envelope import Body, event
from contracts.ids import UserId
from contracts.principal import Actor, Role, Scope


@event("auth.account.registered", 1)
class AccountRegistered(Body, frozen=True, kw_only=True):
    """A tenant exists; the envelope's tenant is its id."""

    name: str
    locale: str
    time_zone: str
    currency: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much an account may have; None: as much as it likes.

    Attributes:
        devices: Numbers, whatever their state; enforced by the device-worker.
        agents: Active people of any role; enforced by auth.
        messages_per_day: Messages sent from here in one day of the account's time zone; enforced by conversations.
    """

    devices: int | None = None
    agents: int | None = None
    messages_per_day: int | None = None


@event("auth.account.changed", 1)
class AccountChanged(Body, frozen=True, kw_only=True):
    """The account is now this, as a whole; an account of which no such fact is known has no limits and is not suspended.

    Attributes:
        suspended: Nobody of it can do anything: no sign-in, no token, nothing is sent.
        revision: Grows by one with each change of this account: a lower one than the last seen is old news.
    """

    name: str
    locale: str
    time_zone: str
    currency: str
    limits: Limits
    suspended: bool
    revision: int
    actor: Actor | None = None


@event("auth.user.created", 1)
class UserCreated(Body, frozen=True, kw_only=True):
    """A person can sign in.

    Attributes:
        invitation: The one that they came by.
    """

    user: UserId
    name: str
    role: Role
    invitation: UUID | None = None
    actor: Actor | None = None


@event("auth.user.changed", 1)
class UserChanged(Body, frozen=True, kw_only=True):
    """A person's name, role or standing is now this; *version* grows with each change."""

    user: UserId
    name: str
    role: Role
    active: bool
    version: int
    actor: Actor | None = None


@event("auth.password.changed", 1)
class PasswordChanged(Body, frozen=True, kw_only=True):
    """A person has another password: their ``own`` doing, ``set`` by somebody else, or ``reset`` by a link that was mailed."""

    user: UserId
    way: Literal["own", "set", "reset"]
    address: str | None = None
    actor: Actor | None = None


@event("auth.session.opened", 1)
class SessionOpened(Body, frozen=True, kw_only=True):
    """Somebody signed in."""

    user: UserId
    session: UUID
    client: Literal["cookie", "token"]
    address: str | None = None


@event("auth.session.refused", 1)
class SessionRefused(Body, frozen=True, kw_only=True):
    """Somebody tried to sign in as this user and could not."""

    user: UserId
    reason: Literal["password", "disabled", "locked"]
    address: str | None = None


@event("auth.session.closed", 1)
class SessionClosed(Body, frozen=True, kw_only=True):
    """A chain of refresh tokens is at its end.

    ``reused``: an old refresh token came back, so that every token of the chain is dead.
    """

    user: UserId
    session: UUID
    reason: Literal["logout", "reused", "revoked", "expired"]
    actor: Actor | None = None


@event("auth.key.created", 1)
class KeyCreated(Body, frozen=True, kw_only=True):
    """An API key is good."""

    key: UUID
    name: str
    role: Role
    scopes: tuple[Scope, ...]
    actor: Actor | None = None


@event("auth.key.changed", 1)
class KeyChanged(Body, frozen=True, kw_only=True):
    """An API key has another name, other scopes, or sees other numbers."""

    key: UUID
    name: str
    role: Role
    scopes: tuple[Scope, ...]
    actor: Actor | None = None


@event("auth.key.rotated", 1)
class KeyRotated(Body, frozen=True, kw_only=True):
    """An API key has another secret; the one before is good until *overlap_until*."""

    key: UUID
    name: str
    overlap_until: datetime
    actor: Actor | None = None


@event("auth.key.revoked", 1)
class KeyRevoked(Body, frozen=True, kw_only=True):
    """An API key is dead."""

    key: UUID
    name: str
    actor: Actor | None = None


@event("auth.team.created", 1)
class TeamCreated(Body, frozen=True, kw_only=True):
    """A team is there."""

    team: UUID
    name: str
    members: tuple[UserId, ...]
    actor: Actor | None = None


@event("auth.team.changed", 1)
class TeamChanged(Body, frozen=True, kw_only=True):
    """A team has another name or other members; *members* are all of them."""

    team: UUID
    name: str
    members: tuple[UserId, ...]
    actor: Actor | None = None


@event("auth.team.deleted", 1)
class TeamDeleted(Body, frozen=True, kw_only=True):
    """A team is no more; its members stay in the account."""

    team: UUID
    name: str
    actor: Actor | None = None


@event("auth.invitation.created", 1)
class InvitationCreated(Body, frozen=True, kw_only=True):
    """Somebody is invited into the account."""

    invitation: UUID
    role: Role
    actor: Actor | None = None


@event("auth.invitation.revoked", 1)
class InvitationRevoked(Body, frozen=True, kw_only=True):
    """An invitation lets nobody in any more."""

    invitation: UUID
    actor: Actor | None = None


@event("auth.dead_letter.replayed", 1)
class DeadLettersReplayed(Body, frozen=True, kw_only=True):
    """The installation's owner gave dead letters back to the durable that could not handle them. The tenant is the owner's own.

    Attributes:
        count: How many.
        letter: Which, where it was one; None: all that there were.
    """

    durable: str
    count: int
    letter: int | None = None
    actor: Actor | None = None


@event("auth.dead_letter.dropped", 1)
class DeadLettersDropped(Body, frozen=True, kw_only=True):
    """The installation's owner deleted dead letters of a durable: what they say is not handled any more."""

    durable: str
    count: int
    letter: int | None = None
    actor: Actor | None = None
