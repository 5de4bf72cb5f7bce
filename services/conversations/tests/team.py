"""The people of an account, as auth tells of them, and who of them is there, as realtime does."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from contracts import buckets, ids
from contracts.envelope import wrap
from contracts.events.auth import TeamChanged, TeamCreated, TeamDeleted, UserChanged, UserCreated
from contracts.ids import TenantId, UserId
from contracts.presence import Present
from contracts.principal import Access, Role
from conversations.consumers import people
from conversations.timers import Presence, assigner
from servicekit.bus import Bus

from .facts import later


class Team:
    """An account whose people come, go, and are given chats."""

    def __init__(self, world: Any, bus: Bus, tenant: TenantId, signed_in: Callable[..., Any]) -> None:
        self.world = world
        self.bus = bus
        self.tenant = tenant
        self.signed_in = signed_in
        self.handle = people.handler(world.db)
        self.access: dict[UserId, Access] = {}

    async def hire(self, name: str, role: Role = Role.AGENT) -> Any:
        """Somebody of the account can sign in."""
        someone = self.signed_in(role, self.tenant)
        await self.handle([wrap(self.tenant, UserCreated(user=someone.principal.id, name=name, role=role))])
        return someone

    async def change(self, someone: Any, version: int = 1, *, active: bool = True, name: str = "Otra") -> None:
        user = someone.principal.id
        await self.handle([wrap(self.tenant, UserChanged(user=user, name=name, role=Role.AGENT, active=active, version=version))])

    async def found(self, *some: Any, seconds: float = 0) -> Any:
        """There is a team of these."""
        team = ids.new()
        members = tuple(one.principal.id for one in some)
        await self.handle([wrap(self.tenant, TeamCreated(team=team, name="Ventas", members=members), occurred_at=later(seconds))])
        return team

    async def regroup(self, team: Any, *some: Any, seconds: float) -> None:
        members = tuple(one.principal.id for one in some)
        await self.handle([wrap(self.tenant, TeamChanged(team=team, name="Ventas", members=members), occurred_at=later(seconds))])

    async def dissolve(self, team: Any, seconds: float) -> None:
        await self.handle([wrap(self.tenant, TeamDeleted(team=team, name="Ventas"), occurred_at=later(seconds))])

    async def comes(self, someone: Any, state: Any = "online", replica: str = "r1") -> None:
        bucket = await self.bus.bucket(buckets.PRESENCE)
        key = f"{self.tenant}.{someone.principal.id}.{replica}"
        await bucket.put(key, msgspec.json.encode(Present(state=state)))
        await (await self.bus.bucket(buckets.REPLICAS)).put(replica, b"")

    async def leaves(self, someone: Any, seconds_ago: int = 0) -> None:
        bucket = await self.bus.bucket(buckets.PRESENCE)
        await bucket.delete(f"{self.tenant}.{someone.principal.id}.r1")
        await self.world.admin.execute(
            "update agents set last_seen_at = now() - make_interval(secs => $2) where id = $1", someone.principal.id, float(seconds_ago)
        )

    async def give_out(self, at: Any = None) -> int:
        """The assigner runs once; returns how many chats it gave."""
        there = await assigner.who_is_there(await Presence.of(self.bus))
        mine = {user: state for (tenant, user), state in there.items() if tenant == self.tenant}
        sights = lambda user: self.access.get(user, Access())  # noqa: E731
        return await assigner.give_out(self.world.db, self.tenant, mine, sights, at or datetime.now(UTC))

    async def has(self, someone: Any) -> int:
        """Count the open chats that somebody answers."""
        rows = await self.world.rows("select count(*) from chats where assignee = $1 and status = 'open'", someone.principal.id)
        return int(rows[0]["count"])
