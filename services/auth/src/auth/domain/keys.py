"""An API key: who a program is."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from contracts.ids import TenantId, UserId
from contracts.principal import Principal, Role, Scope

#: A token that a key was exchanged for lives this long: what is done to the key is felt soon even where the bus is away.
TOKEN_LIFETIME = timedelta(seconds=60)
OVERLAP_MAX = timedelta(days=7)
#: One write a key and minute, however often it is used.
USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A program's way in.

    Attributes:
        prefix: The secret's beginning, by which people tell keys apart.
        secret_hash: SHA-256 of the secret; the secret itself is nowhere.
        role: Never an owner's.
        version: Grows with each change that tokens from before must not outlive.
        previous_hash: The secret before the last rotation, good until *previous_until*.
        last_used_at: Exact to a minute.
    """

    id: UUID
    tenant: TenantId
    name: str
    prefix: str
    secret_hash: bytes
    role: Role
    scopes: frozenset[Scope]
    created_by: UserId
    created_at: datetime
    version: int = 0
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    previous_hash: bytes | None = None
    previous_until: datetime | None = None
    last_used_at: datetime | None = None

    def rotated(self, prefix: str, secret_hash: bytes, now: datetime, overlap: timedelta) -> Self:
        """Give this key another secret; the present one is good for *overlap*, the one before no more."""
        lasting = overlap > timedelta(0)
        return replace(
            self,
            prefix=prefix,
            secret_hash=secret_hash,
            previous_hash=self.secret_hash if lasting else None,
            previous_until=now + overlap if lasting else None,
            version=self.version + 1,
        )

    def changed(self, *, name: str | None, role: Role | None, scopes: Collection[Scope] | None) -> Self:
        """Give this key another name, role or scopes; None leaves what is."""
        moved = replace(self, name=name or self.name, role=role or self.role, scopes=self.scopes if scopes is None else frozenset(scopes))
        narrower = (moved.role, moved.scopes) != (self.role, self.scopes)
        return replace(moved, version=self.version + 1) if narrower else moved

    def good_until(self, presented: bytes, now: datetime) -> datetime | None:
        """Tell how long a token for who presented the secret with this hash may live; None: the secret is not good (any more)."""
        ends = [now + TOKEN_LIFETIME]
        if presented != self.secret_hash:
            if presented != self.previous_hash or self.previous_until is None:
                return None
            ends.append(self.previous_until)
        if self.expires_at is not None:
            ends.append(self.expires_at)
        until = min(ends)
        return until if until > now and self.revoked_at is None else None

    def principal(self) -> Principal:
        """Tell who calls with it."""
        scopes = frozenset(scope.value for scope in self.scopes)
        return Principal(id=UserId(self.id), tenant=self.tenant, role=self.role, kind="key", scopes=scopes, version=self.version)
