"""Who is there, as all replicas say together. Pure: the time is given."""

from dataclasses import dataclass

from contracts.ids import TenantId, UserId
from contracts.presence import Present


def merged(said: list[Present]) -> Present | None:
    """Sum up what is said of one user: online where any says so, with all open chats; None where nothing is."""
    if not said:
        return None
    online = any(one.state == "online" for one in said)
    chats = tuple(sorted({chat for one in said for chat in one.chats}))
    return Present(state="online" if online else "away", chats=chats)


@dataclass(slots=True)
class _Heard:
    present: Present
    at: float


class Roster:
    """Everybody who is there: by account, user and replica, each with the time at which it was last heard."""

    def __init__(self, gone: float) -> None:
        """A replica that says nothing of a user for *gone* seconds is taken for dead."""
        self._gone = gone
        self._heard: dict[TenantId, dict[UserId, dict[str, _Heard]]] = {}

    def hear(self, tenant: TenantId, user: UserId, replica: str, present: Present | None, at: float) -> bool:
        """Take what *replica* says of a user (None: gone); tell whether that changed what all say together."""
        before = self.of(tenant, user)
        users = self._heard.setdefault(tenant, {})
        replicas = users.setdefault(user, {})
        if present is None:
            replicas.pop(replica, None)
        else:
            replicas[replica] = _Heard(present, at)
        self._sweep(tenant, user)
        return self.of(tenant, user) != before

    def expire(self, now: float) -> list[tuple[TenantId, UserId]]:
        """Forget what nobody has repeated; name the users for whom that changed something."""
        changed = []
        for tenant, users in list(self._heard.items()):
            for user, replicas in list(users.items()):
                late = [replica for replica, heard in replicas.items() if now - heard.at >= self._gone]
                if not late:
                    continue
                before = self.of(tenant, user)
                for replica in late:
                    del replicas[replica]
                self._sweep(tenant, user)
                if self.of(tenant, user) != before:
                    changed.append((tenant, user))
        return changed

    def of(self, tenant: TenantId, user: UserId) -> Present | None:
        """Give what all say of a user; None when it is not there."""
        return merged([heard.present for heard in self._heard.get(tenant, {}).get(user, {}).values()])

    def everyone(self, tenant: TenantId) -> dict[UserId, Present]:
        """Give everybody of an account who is there."""
        there = {user: self.of(tenant, user) for user in self._heard.get(tenant, {})}
        return {user: present for user, present in there.items() if present is not None}

    def _sweep(self, tenant: TenantId, user: UserId) -> None:
        users = self._heard.get(tenant)
        if users is not None and not users.get(user):
            users.pop(user, None)
            if not users:
                del self._heard[tenant]
