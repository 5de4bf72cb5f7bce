"""Who is there, as all replicas say together. Pure: the time is given."""

from collections.abc import Callable
from functools import partial

from contracts.ids import TenantId, UserId
from contracts.presence import Present

Key = tuple[TenantId, UserId]


def merged(said: list[Present]) -> Present | None:
    """Sum up what is said of one user: online where any says so, with all open chats; None where nothing is."""
    if not said:
        return None
    online = any(one.state == "online" for one in said)
    chats = tuple(sorted({chat for one in said for chat in one.chats}))
    return Present(state="online" if online else "away", chats=chats)


class Roster:
    """Everybody who is there: by account, user and replica. What a replica said holds while it lives."""

    def __init__(self, gone: float, forgotten: float = 900.0) -> None:
        """A replica that is not heard of for *gone* seconds is taken for dead; what it said is kept *forgotten* seconds more."""
        self._gone, self._forgotten = gone, forgotten
        self._said: dict[TenantId, dict[UserId, dict[str, Present]]] = {}
        self._people: dict[str, set[Key]] = {}
        self._live: dict[str, float] = {}
        self._silent: dict[str, float] = {}

    def beat(self, replica: str, at: float) -> list[Key]:
        """*replica* lived at that time; name the users for whom that changed something."""
        if replica in self._live:
            self._live[replica] = max(at, self._live[replica])
            return []
        return self._turned(replica, lambda: self._wake(replica, at))

    def hear(self, tenant: TenantId, user: UserId, replica: str, present: Present | None, at: float) -> bool:
        """Take what *replica* says of a user (None: gone); tell whether that changed what all say together."""
        before = self.of(tenant, user)
        replicas = self._said.setdefault(tenant, {}).setdefault(user, {})
        if replica not in self._live:
            self._silent.setdefault(replica, at)
        if present is None:
            replicas.pop(replica, None)
            self._people.get(replica, set()).discard((tenant, user))
        else:
            replicas[replica] = present
            self._people.setdefault(replica, set()).add((tenant, user))
        self._sweep(tenant, user)
        return self.of(tenant, user) != before

    def expire(self, now: float) -> list[Key]:
        """Take for dead who was not heard of; name the users for whom that changed something."""
        changed: dict[Key, None] = {}
        for replica in [replica for replica, at in self._live.items() if now - at >= self._gone]:
            changed |= dict.fromkeys(self._turned(replica, partial(self._sleep, replica, now)))
        for replica in [replica for replica, since in self._silent.items() if now - since >= self._forgotten]:
            self._forget(replica)
        return list(changed)

    def of(self, tenant: TenantId, user: UserId) -> Present | None:
        """Give what all say of a user; None when it is not there."""
        said = self._said.get(tenant, {}).get(user, {})
        return merged([present for replica, present in said.items() if replica in self._live])

    def everyone(self, tenant: TenantId) -> dict[UserId, Present]:
        """Give everybody of an account who is there."""
        there = {user: self.of(tenant, user) for user in self._said.get(tenant, {})}
        return {user: present for user, present in there.items() if present is not None}

    def _turned(self, replica: str, turn: Callable[[], None]) -> list[Key]:
        people = self._people.get(replica, set())
        before = {key: self.of(*key) for key in people}
        turn()
        return [key for key in people if self.of(*key) != before[key]]

    def _wake(self, replica: str, at: float) -> None:
        self._silent.pop(replica, None)
        self._live[replica] = at

    def _sleep(self, replica: str, now: float) -> None:
        del self._live[replica]
        self._silent[replica] = now

    def _forget(self, replica: str) -> None:
        for tenant, user in self._people.pop(replica, ()):
            self._said[tenant][user].pop(replica, None)
            self._sweep(tenant, user)
        del self._silent[replica]

    def _sweep(self, tenant: TenantId, user: UserId) -> None:
        users = self._said.get(tenant)
        if users is not None and not users.get(user):
            users.pop(user, None)
            if not users:
                del self._said[tenant]
