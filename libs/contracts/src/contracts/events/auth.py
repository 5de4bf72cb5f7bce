"""What the auth service tells. Internal: nothing of it reaches a webhook."""

from typing import Literal
from uuid import UUID

from contracts.envelope import Body, event
from contracts.ids import UserId
from contracts.principal import Role


@event("auth.account.registered", 1)
class AccountRegistered(Body, frozen=True, kw_only=True):
    """A tenant exists; the envelope's tenant is its id."""

    name: str
    locale: str
    time_zone: str
    currency: str


@event("auth.user.created", 1)
class UserCreated(Body, frozen=True, kw_only=True):
    """A person can sign in."""

    user: UserId
    name: str
    role: Role


@event("auth.user.changed", 1)
class UserChanged(Body, frozen=True, kw_only=True):
    """A person's name, role or standing is now this; *version* grows with each change."""

    user: UserId
    name: str
    role: Role
    active: bool
    version: int


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
