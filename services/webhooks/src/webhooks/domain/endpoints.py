"""What an endpoint is, and which events it gets. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Self
from uuid import UUID

from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Principal

from webhooks.domain import types
from webhooks.domain.problems import SeesLess, WebhookMissing

MOST = 50  # endpoints of an account
OVERLAP_MAX = timedelta(days=7)

Format = Literal["clarin", "waha"]


class State(StrEnum):
    """Whether anything is sent.

    ``paused``: by hand; what happens meanwhile waits. ``disabled``: by what the endpoint answered; what happens meanwhile is not
    kept for it, and a replay brings it.
    """

    ENABLED = "enabled"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address that events are sent to.

    Attributes:
        types: ``*``, ``message.*`` or types as they are.
        devices: The numbers whose events it gets; None: all, and what is about no number.
        ordered: Of one chat, an event waits until those before it were taken or given up.
        rate_per_minute: No more than so many; None: as fast as it answers.
        headers: Sealed.
        secret: Sealed; the one before signs beside it until *previous_until*.
        reason: Why it is disabled.
    """

    tenant: TenantId
    id: UUID
    url: str
    types: tuple[str, ...]
    secret: bytes
    created_by: UserId
    created_at: datetime
    description: str = ""
    devices: frozenset[DeviceId] | None = None
    format: Format = "clarin"
    ordered: bool = False
    rate_per_minute: int | None = None
    concurrency: int = 4
    header_names: tuple[str, ...] = ()
    headers: bytes | None = None
    previous_secret: bytes | None = None
    previous_until: datetime | None = None
    state: State = State.ENABLED
    reason: str | None = None
    revision: int = 0

    def wants(self, type: str, device: DeviceId | None) -> bool:
        """Tell whether an event of *type* about *device* is for this endpoint; the state says whether it is kept for it."""
        return (self.devices is None or device in self.devices) and types.matches(self.types, type)

    def seen_by(self, caller: Principal) -> bool:
        """Tell whether *caller*, who may manage endpoints, sees this one: it gets nothing that he does not see."""
        return _within(self.devices, caller)

    def rotated(self, secret: bytes, now: datetime, overlap: timedelta) -> Self:
        """Have another secret; the present one signs beside it for *overlap*."""
        if not overlap:
            return replace(self, secret=secret, previous_secret=None, previous_until=None, revision=self.revision + 1)
        return replace(self, secret=secret, previous_secret=self.secret, previous_until=now + overlap, revision=self.revision + 1)

    def secrets(self, now: datetime) -> tuple[bytes, ...]:
        """Give the sealed secrets that sign at *now*, the newest first."""
        if self.previous_secret is not None and self.previous_until is not None and now < self.previous_until:
            return self.secret, self.previous_secret
        return (self.secret,)


def demand_sight(endpoint: Endpoint, caller: Principal) -> Endpoint:
    """Give *endpoint* back.  Raises: WebhookMissing: *caller* does not see it."""
    if not endpoint.seen_by(caller):
        raise WebhookMissing
    return endpoint


def may_send(caller: Principal, devices: Iterable[DeviceId] | None) -> None:
    """Let *caller* have the events of these numbers sent somewhere.  Raises: SeesLess."""
    if not _within(devices, caller):
        raise SeesLess("Name numbers all of whose chats you see yourself.")


def _within(devices: Iterable[DeviceId] | None, caller: Principal) -> bool:
    access = caller.access
    if access.chats != "all":
        return False
    return access.devices is None or (devices is not None and access.devices.issuperset(devices))
