"""Who asks: the claims of an access token, read once and passed on."""

from enum import StrEnum
from typing import Literal

import msgspec

from contracts.ids import TenantId, UserId


class Role(StrEnum):
    """What a user may do, from much to little."""

    OWNER = "owner"
    ADMIN = "admin"
    AGENT = "agent"


RANK = {Role.AGENT: 0, Role.ADMIN: 1, Role.OWNER: 2}


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """One caller, as its access token says.

    Attributes:
        id: The user (or the API key) that calls.
        tenant: The account it belongs to; every query is made for this one.
        scopes: What an API key may do; empty for a person, whose role decides.
        version: The user's token version; a token with a lower one than the user's is dead.
        installation: True for the owner of the installation, who stands above the tenants.
        session: The chain of refresh tokens that this access token came from.
    """

    id: UserId
    tenant: TenantId
    role: Role
    kind: Literal["user", "key"] = "user"
    scopes: frozenset[str] = frozenset()
    version: int = 0
    installation: bool = False
    session: str = ""

    def may(self, role: Role) -> bool:
        """Tell whether this caller's role is *role* or stands above it."""
        return RANK[self.role] >= RANK[role]
