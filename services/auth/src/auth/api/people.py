"""What of the account somebody sees, and the teams that they are in: said when they come and when it changes."""

from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Access, Reach
from servicekit.bus import BusAway
from servicekit.db import Tx

from auth import limits, store
from auth.api.parts import Parts
from auth.domain import TeamMissing, User
from auth.store.access import SEES_ALL


async def place(tx: Tx, user: User, devices: Collection[DeviceId] | None, chats: Reach, teams: Collection[UUID]) -> Access:
    """Somebody new sees *devices* and those *chats*, and is in *teams*, as far as those are still there."""
    gone = await store.teams.missing(tx, user.tenant, teams) if teams else set()
    joined = frozenset(teams) - gone
    seen = Access(devices=None if devices is None else frozenset(devices), teams=joined, chats=chats)
    if seen == SEES_ALL:
        return SEES_ALL
    await store.teams.put(tx, user.tenant, user.id, joined)
    await store.access.limit(tx, user.tenant, user.id, devices, chats)
    return seen


async def demand_teams(tx: Tx, tenant: TenantId, teams: Collection[UUID]) -> None:
    """Every one of *teams* is there, until *tx* ends.  Raises: TeamMissing."""
    if teams and await store.teams.missing(tx, tenant, teams):
        raise TeamMissing("No team of this account has one of these ids.")


async def tell(parts: Parts, user: UserId, seen: Access) -> None:
    """The bus knows what somebody sees before they hold a token; where it is away it learns it later."""
    if seen != SEES_ALL:
        with suppress(BusAway, OSError, TimeoutError):
            await limits.level(parts.access, parts.system, user)
        parts.limited.set()
