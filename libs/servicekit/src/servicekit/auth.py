"""Access tokens: their claims, written and read in one place, and verified with auth's public keys alone.

`Tokens` is the pure part: keys and lowest versions in memory, a bounded cache of what was verified. `Verifier` is the same,
fed by two buckets of the bus. Only EdDSA is accepted; what the token itself says of its algorithm decides nothing.
"""

import base64
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID

import jwt
import structlog
from contracts import buckets
from contracts.errors import Unauthenticated
from contracts.ids import TenantId, UserId
from contracts.principal import Principal, Role
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from servicekit.bus import Bus
    from servicekit.bus.keyvalue import Entry

ALGORITHM = "EdDSA"
ISSUER = "clarin"
AUDIENCE = "clarin"
REQUIRED = ["iss", "aud", "sub", "tenant", "exp", "iat"]
LEEWAY_SECONDS = 2
TOKEN_MAX = 4096
CACHE_MAX = 10_000
#: How long a lowest version is kept: longer than any token that it forbids can live.
VERSION_SECONDS = 15 * 60.0

log = structlog.get_logger()


class TokenMissing(Unauthenticated):
    """Nobody is signed in."""

    def __init__(self, detail: str = "") -> None:
        """Ask for a bearer token."""
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class TokenExpired(Unauthenticated):
    """The access token has expired."""

    code = "token-expired"

    def __init__(self, detail: str = "") -> None:
        """Ask for a fresh token."""
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token", error_description="expired"'})


class TokenInvalid(Unauthenticated):
    """The access token is not valid."""

    code = "token-invalid"

    def __init__(self, detail: str = "") -> None:
        """Ask for another token."""
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def sign(principal: Principal, key: Ed25519PrivateKey, kid: str, lifetime: timedelta) -> str:
    """Write an access token for *principal* that lives for *lifetime*."""
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(principal.id),
        "tenant": str(principal.tenant),
        "role": principal.role.value,
        "kind": principal.kind,
        "scopes": sorted(principal.scopes),
        "ver": principal.version,
        "ins": principal.installation,
        "ses": principal.session,
        "iat": now,
        "exp": now + lifetime,
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid})


def read(claims: Mapping[str, Any]) -> Principal:
    """Make the principal of verified claims.  Raises: TokenInvalid: a claim is missing or has another kind."""
    try:
        kind = claims.get("kind", "user")
        version, scopes, session = claims.get("ver", 0), claims.get("scopes", []), claims.get("ses", "")
        if kind not in ("user", "key") or type(version) is not int or not isinstance(session, str) or not isinstance(scopes, list):
            raise ValueError("a claim has another type")
        return Principal(
            id=UserId(UUID(claims["sub"])),
            tenant=TenantId(UUID(claims["tenant"])),
            role=Role(claims["role"]),
            kind=kind,
            scopes=frozenset(str(scope) for scope in scopes),
            version=version,
            installation=claims.get("ins") is True,
            session=session,
        )
    except (KeyError, ValueError, AttributeError, TypeError):
        raise TokenInvalid("The token's claims are not ours.") from None


def jwk(key: Ed25519PublicKey, kid: str) -> dict[str, str]:
    """Write a public key as a JWK (RFC 8037)."""
    x = base64.urlsafe_b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": ALGORITHM}


def encode_jwk(key: Ed25519PublicKey, kid: str) -> bytes:
    """Write what stands in the bucket KEYS under *kid*."""
    return json.dumps(jwk(key, kid)).encode()


def decode_jwk(value: bytes) -> Ed25519PublicKey:
    """Read what stands in the bucket KEYS.  Raises: ValueError."""
    data = json.loads(value)
    if data.get("kty") != "OKP" or data.get("crv") != "Ed25519":
        raise ValueError("This is no Ed25519 key.")
    x = str(data["x"])
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))


def encode_version(version: int) -> bytes:
    """Write what stands in the bucket VERSIONS under a user's bare UUID."""
    return str(version).encode()


class _Verified(NamedTuple):
    principal: Principal
    kid: str
    expires: float


class Tokens:
    """Verifies tokens with the keys and lowest versions that it was told."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._versions: OrderedDict[UserId, tuple[int, float]] = OrderedDict()
        self._cache: OrderedDict[str, _Verified] = OrderedDict()

    def learn(self, kid: str, key: Ed25519PublicKey) -> None:
        """Accept what *key* signed as *kid* from now on."""
        if kid in self._keys:
            self._cache.clear()
        self._keys[kid] = key

    def forget(self, kid: str) -> None:
        """Accept nothing of *kid* any more."""
        self._keys.pop(kid, None)

    def raise_version(self, user: UserId, version: int) -> None:
        """Refuse the tokens of *user* that are older than *version*."""
        now = self._clock()
        known, _ = self._versions.get(user, (0, 0.0))
        self._versions[user] = (max(known, version), now)
        self._versions.move_to_end(user)
        while self._versions:
            oldest, (_, at) = next(iter(self._versions.items()))
            if now - at < VERSION_SECONDS:
                break
            del self._versions[oldest]

    def verify(self, token: str) -> Principal:
        """Give who *token* was made for; the signature is checked once, the rest each time.

        Raises:
            TokenExpired: It was good once.
            TokenInvalid: Anything else.
        """
        known = self._cache.get(token)
        if known is None:
            known = self._read(token)
            self._cache[token] = known
            if len(self._cache) > CACHE_MAX:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(token)
        if known.expires <= self._clock() - LEEWAY_SECONDS:
            self._cache.pop(token, None)
            raise TokenExpired("Refresh it.")
        if known.kid not in self._keys:
            raise TokenInvalid("Its key is not known.")
        if self.revoked(known.principal):
            raise TokenInvalid("It was revoked.")
        return known.principal

    def revoked(self, principal: Principal) -> bool:
        """Tell whether the tokens that *principal* was read from are dead by now."""
        lowest, _ = self._versions.get(principal.id, (0, 0.0))
        return principal.version < lowest

    def _read(self, token: str) -> _Verified:
        if len(token) > TOKEN_MAX:
            raise TokenInvalid("It is too long.")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise TokenInvalid("Its key is not known.")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED, "verify_exp": False},  # the time is this object's own, and checked on every call
            )
            return _Verified(read(claims), str(kid), float(claims["exp"]))
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise TokenInvalid("It was not made here.") from None


class Verifier(Tokens):
    """Verifies tokens with what stands in the buckets KEYS and VERSIONS, as it changes."""

    @classmethod
    @asynccontextmanager
    async def open(cls, bus: "Bus") -> AsyncIterator[Self]:
        """Know every key and version that stands there now, and each change as it comes."""
        verifier = cls()
        keys = await bus.bucket(buckets.KEYS)
        versions = await bus.bucket(buckets.VERSIONS)
        watches = [await keys.watch(verifier.on_key), await versions.watch(verifier.on_version)]
        try:
            yield verifier
        finally:
            for watch in watches:
                await watch.close()

    async def on_key(self, kid: str, entry: "Entry | None") -> None:
        """Take over a change of KEYS; None when the key was taken away."""
        if entry is None:
            self.forget(kid)
            return
        try:
            self.learn(kid, decode_jwk(entry.value))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("a key of the bucket cannot be read", kid=kid, reason=type(error).__name__)

    async def on_version(self, user: str, entry: "Entry | None") -> None:
        """Take over a change of VERSIONS; an entry that died of age changes nothing."""
        try:
            if entry is not None:
                self.raise_version(UserId(UUID(user)), int(entry.value))
        except ValueError:
            log.error("a version of the bucket cannot be read")
