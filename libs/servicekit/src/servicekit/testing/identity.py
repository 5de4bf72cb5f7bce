"""Signed-in callers for tests, without the service that signs people in."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from contracts import ids
from contracts.ids import TenantId, UserId
from contracts.principal import Principal, Role, Scope
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from servicekit.auth import encode_jwk, sign


@dataclass(frozen=True, slots=True)
class SignedIn:
    """One caller and its token."""

    principal: Principal
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What a request of this caller carries."""
        return {"Authorization": f"Bearer {self.token}"}


class SignIn:
    """Signs tokens with a key of its own; whoever should accept them must know ``public_jwk`` by ``kid``."""

    kid = "test"

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()

    @property
    def public_jwk(self) -> bytes:
        """The public half as JSON Web Key."""
        return encode_jwk(self.key.public_key(), self.kid)

    def __call__(
        self,
        role: Role = Role.OWNER,
        tenant: TenantId | None = None,
        *,
        user: UserId | None = None,
        version: int = 0,
        installation: bool = False,
        scopes: Collection[Scope] | None = None,
        lifetime: timedelta = timedelta(minutes=10),
    ) -> SignedIn:
        """Sign someone in, of a new tenant where none is named; with *scopes* it is an API key."""
        principal = Principal(
            id=user or UserId(ids.new()),
            tenant=tenant or TenantId(ids.new()),
            role=role,
            kind="user" if scopes is None else "key",
            scopes=frozenset(scopes or ()),
            version=version,
            installation=installation,
            session=str(ids.new()),
        )
        return SignedIn(principal, sign(principal, self.key, self.kid, lifetime))
