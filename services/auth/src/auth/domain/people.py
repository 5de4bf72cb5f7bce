"""An account and the people in it."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self
from uuid import UUID

from contracts.events.auth import Limits
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import RANK, REACH, Principal, Reach, Role

from auth.domain.problems import AccountSuspended, LimitReached, OwnStanding, RoleTooHigh, SeesLess


class Registration(StrEnum):
    """Who may register an account. ``first``: the first one to come, and nobody after."""

    OPEN = "open"
    INVITE = "invite"
    FIRST = "first"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One tenant.

    Attributes:
        time_zone: IANA; "today" is this zone's day.
        currency: ISO 4217.
        suspended_at: UTC; None while its people may do things.
        revision: Grows by one with each change.
    """

    id: TenantId
    name: str
    time_zone: str
    locale: str
    currency: str
    created_at: datetime
    suspended_at: datetime | None = None
    limits: Limits = field(default_factory=Limits)
    revision: int = 0

    def changed(self, **changes: Any) -> Self:
        """Give this account other values; the same one where nothing is different."""
        moved = replace(self, **changes)
        return self if moved == self else replace(moved, revision=self.revision + 1)

    def admit(self) -> None:
        """Let its people and keys act.  Raises: AccountSuspended."""
        if self.suspended_at is not None:
            raise AccountSuspended("Ask the installation's owner.")

    def make_room(self, agents: int) -> None:
        """Let one more active person in beside *agents*.  Raises: LimitReached."""
        if self.limits.agents is not None and agents >= self.limits.agents:
            raise LimitReached.of("agents", self.limits.agents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People of an account who work together."""

    id: UUID
    tenant: TenantId
    name: str
    created_at: datetime
    members: tuple[UserId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link that lets one person into an account.

    Attributes:
        email: Whom it lets in; None: whoever has the link.
        devices: The numbers that they will see; None: all.
        chats: Which of their chats they will see.
        used_by: Who came by it.
    """

    id: UUID
    tenant: TenantId
    email: str | None
    role: Role
    teams: tuple[UUID, ...]
    devices: tuple[DeviceId, ...] | None
    created_by: UUID
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    used_by: UserId | None = None
    revoked_at: datetime | None = None
    chats: Reach = "all"

    def stands(self, now: datetime) -> Literal["open", "used", "revoked", "expired"]:
        """Tell whether somebody may still come by it, and if not, why."""
        if self.used_at is not None:
            return "used"
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "open"

    def lets_in(self, email: str, now: datetime) -> bool:
        """Tell whether who has this address may come by it."""
        return self.stands(now) == "open" and self.email in (None, email)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person of an account.

    Attributes:
        email: Normalised and in lower case; one user of the whole installation has it.
        password_hash: bcrypt's; None: cannot sign in (yet).
        version: Grows with each change. Access tokens carry it; those with a lower one than was last announced are dead.
        installation: Owns the installation and stands above the tenants.
    """

    id: UserId
    tenant: TenantId
    email: str
    name: str
    role: Role
    created_at: datetime
    password_hash: str | None = None
    active: bool = True
    installation: bool = False
    version: int = 0

    def changed(
        self,
        by: Principal,
        *,
        role: Role | None = None,
        active: bool | None = None,
        name: str | None = None,
        password_hash: str | None = None,
    ) -> Self:
        """Give this user another role, standing, name or password; None leaves what is.

        Raises:
            RoleTooHigh: Somebody below an owner touches an owner or makes one.
            OwnStanding: *by* is this user, and it is not only about the name.
        """
        if by.role is not Role.OWNER and Role.OWNER in (self.role, role):
            raise RoleTooHigh("Ask an owner of the account.")
        moved = replace(
            self,
            role=role or self.role,
            active=self.active if active is None else active,
            name=name or self.name,
            password_hash=password_hash or self.password_hash,
        )
        if by.id == self.id and moved.stands_elsewhere(self):
            raise OwnStanding("Ask another owner or admin of the account.")
        return self if moved == self else replace(moved, version=self.version + 1)

    def stands_elsewhere(self, before: "User") -> bool:
        """Tell whether role, standing or password are no longer what they were *before*: access tokens from then must die."""
        return (self.role, self.active, self.password_hash) != (before.role, before.active, before.password_hash)

    def must_sign_in_again(self, before: "User") -> bool:
        """Tell whether the sessions from *before* are over as well."""
        return (before.active and not self.active) or self.password_hash != before.password_hash

    def owns(self) -> bool:
        """Tell whether this is one of the account's active owners."""
        return self.active and self.role is Role.OWNER


def may_show(by: Principal, devices: Collection[DeviceId] | None, chats: Reach = "all") -> None:
    """Let *by* have somebody see these numbers (None: all) and of their chats those.  Raises: SeesLess."""
    own = by.access.devices
    if own is not None and (devices is None or not own.issuperset(devices)):
        raise SeesLess("Name numbers that you see yourself.")
    if REACH[chats] > REACH[by.access.chats]:
        raise SeesLess("Name chats that you see yourself.")


def may_join(by: Principal, teams: Collection[UUID]) -> None:
    """Let *by* have somebody join these teams, whose chats they may see by it.  Raises: SeesLess."""
    own = by.access
    if own.chats != "all" and not (own.teams if own.chats == "team" else frozenset()).issuperset(teams):
        raise SeesLess("Name teams whose chats you see yourself.")


def may_make(by: Principal, role: Role) -> None:
    """Let *by* make a user with *role*.  Raises: RoleTooHigh."""
    if RANK[role] > RANK[by.role]:
        raise RoleTooHigh(f"Your role is {by.role}.")
