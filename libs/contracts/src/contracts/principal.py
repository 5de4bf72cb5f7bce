"""Who asks: the claims of an access token, read once and passed on."""

from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from contracts.ids import DeviceId, TenantId, UserId


class Role(StrEnum):
    """What a user may do, from much to little."""

    OWNER = "owner"
    ADMIN = "admin"
    AGENT = "agent"


RANK = {Role.AGENT: 0, Role.ADMIN: 1, Role.OWNER: 2}


class Scope(StrEnum):
    """What an API key may do. A person may do all four, as far as the role goes."""

    READ = "read"
    SEND = "send"
    CONTROL = "control"
    SETTINGS = "settings"


class Actor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who did it, where a fact is the doing of somebody who was signed in.

    Attributes:
        id: The user's, or the API key's.
        address: The IP address that the request came from; a public fact leaves it out.
    """

    id: UUID
    kind: Literal["user", "key"] = "user"
    address: str | None = None


#: Which chats somebody sees: ``all`` of them, those in the queue of a ``team`` of theirs and those they answer, or just their ``own``.
Reach = Literal["all", "team", "own"]

REACH: dict[Reach, int] = {"own": 0, "team": 1, "all": 2}


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What of its account somebody sees, where that is not all; it stands in the bucket ``access`` and in no token.

    Attributes:
        devices: The numbers that it sees; None: all of them.
        teams: The teams that it belongs to.
        chats: Which chats of those numbers it sees; a chat in no team's queue that nobody answers is for who sees all.
    """

    devices: frozenset[DeviceId] | None = None
    teams: frozenset[UUID] = frozenset()
    chats: Reach = "all"

    def sees(self, device: DeviceId | None) -> bool:
        """Tell whether the number *device* (None: what is about no number) is among those seen."""
        return self.devices is None or device in self.devices

    def reads(self, who: UserId, device: DeviceId | None, team: UUID | None, assignee: UserId | None) -> bool:
        """Tell whether *who* reads a chat of *device* that is in the queue of *team* and answered by *assignee*."""
        mine = self.chats == "all" or assignee == who or (self.chats == "team" and team in self.teams)
        return mine and self.sees(device)


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """One caller, as its access token says.

    Attributes:
        id: The user (or the API key) that calls.
        tenant: The account it belongs to; every query is made for this one.
        scopes: What an API key may do; empty for a person, whose role decides.
        version: The user's token version; a token with a lower one than the user's is dead.
        installation: True for the owner of the installation, who stands above the tenants.
        session: The chain of refresh tokens that this access token came from.
        access: What it sees; looked up where the token is verified, so that a change is felt at once.
    """

    id: UserId
    tenant: TenantId
    role: Role
    kind: Literal["user", "key"] = "user"
    scopes: frozenset[str] = frozenset()
    version: int = 0
    installation: bool = False
    session: str = ""
    access: Access = Access()

    def sees(self, device: DeviceId) -> bool:
        """Tell whether this caller sees the number *device*; which of its chats, `reads` tells."""
        return self.access.sees(device)

    def reads(self, device: DeviceId | None, team: UUID | None, assignee: UserId | None) -> bool:
        """Tell whether this caller reads a chat of *device* that is in the queue of *team* and answered by *assignee*."""
        return self.access.reads(self.id, device, team, assignee)

    def allows(self, scope: Scope) -> bool:
        """Tell whether this caller may do what *scope* is about; a person's role decides the rest."""
        return self.kind == "user" or scope in self.scopes

    def may(self, role: Role) -> bool:
        """Tell whether this caller's role is *role* or stands above it."""
        return RANK[self.role] >= RANK[role]
