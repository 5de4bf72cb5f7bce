"""Access tokens: their claims, written and read in one place, and verified with auth's public keys alone.

`Tokens` is the pure part: keys, lowest versions and limits in memory, a bounded cache of what was verified. `Verifier` is the
same, fed by three buckets of the bus. Only EdDSA is accepted; what the token itself says of its algorithm decides nothing.

What a caller sees of its account stands in no token: it is looked up on each call, so that a change is felt at once.
"""

import base64
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID

import jwt
import msgspec
import structlog
from contracts import buckets
from contracts.errors import Forbidden, Unauthenticated
from contracts.ids import TenantId, UserId
from contracts.principal import Access, Principal, Role, Scope
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
#: What whoever has no entry in the bucket ACCESS sees: all of the account.
UNLIMITED = Access()
#: What whoever has an entry that cannot be read sees.
NOTHING = Access(devices=frozenset(), chats="own")

_access = msgspec.json.Decoder(Access)

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


class ScopeMissing(Forbidden):
    """The API key may not do this."""

    code = "scope-missing"

    def __init__(self, scope: Scope) -> None:
        """Name the scope that is needed."""
        super().__init__(f"This needs a key with the scope {scope.value}.", scope=scope.value)


def demand(principal: Principal, scope: Scope) -> None:
    """See that *principal* may do what *scope* is about.  Raises: ScopeMissing."""
    if not principal.allows(scope):
        raise ScopeMissing(scope)


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


def encode_access(access: Access) -> bytes:
    """Write what stands in the bucket ACCESS under the bare UUID of a user or an API key."""
    return msgspec.json.encode(access)


class _Verified(NamedTuple):
    principal: Principal
    kid: str
    expires: float
    change: int


class Tokens:
    """Verifies tokens with the keys, lowest versions and limits that it was told.

    Attributes:
        on_access: Called with whose limits have changed, after the change.
    """

    def __init__(self, clock: Callable[[], float] = time.time, *, kept: int = CACHE_MAX) -> None:
        """Know no key; at most *kept* tokens are remembered with what was read in them."""
        self._clock, self._kept = clock, kept
        self._limits: dict[UserId, Access] = {}
        self._change = 0
        self.on_access: list[Callable[[UserId], None]] = []
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

    def limit(self, id: UserId, access: Access) -> None:
        """The user or API key *id* sees no more than *access* from now on; with `UNLIMITED` all of its account."""
        if self.access_of(id) == access:
            return
        if access == UNLIMITED:
            del self._limits[id]
        else:
            self._limits[id] = access
        self._change += 1
        for tell in self.on_access:
            tell(id)

    def access_of(self, id: UserId) -> Access:
        """Give what the user or API key *id* sees at this moment."""
        return self._limits.get(id, UNLIMITED)

    def verify(self, token: str) -> Principal:
        """Give who *token* was made for and what it sees now; the signature is checked once, the rest each time.

        Raises:
            TokenExpired: It was good once.
            TokenInvalid: Anything else.
        """
        known = self._cache.get(token)
        if known is None:
            known = self._read(token)
            self._cache[token] = known
            if len(self._cache) > self._kept:
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
        if known.change != self._change:
            principal = msgspec.structs.replace(known.principal, access=self.access_of(known.principal.id))
            self._cache[token] = known = known._replace(principal=principal, change=self._change)
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
            return _Verified(read(claims), str(kid), float(claims["exp"]), -1)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise TokenInvalid("It was not made here.") from None


class Verifier(Tokens):
    """Verifies tokens with what stands in the buckets KEYS, VERSIONS and ACCESS, as it changes."""

    @classmethod
    @asynccontextmanager
    async def open(cls, bus: "Bus") -> AsyncIterator[Self]:
        """Know every key, version and limit that stands there now, and each change as it comes."""
        verifier = cls()
        heard = {buckets.ACCESS: verifier.on_limit, buckets.VERSIONS: verifier.on_version, buckets.KEYS: verifier.on_key}
        async with AsyncExitStack() as watches:
            for bucket, handler in heard.items():
                watch = await (await bus.bucket(bucket)).watch(handler)
                watches.push_async_callback(watch.close)
            yield verifier

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

    async def on_limit(self, id: str, entry: "Entry | None") -> None:
        """Take over a change of ACCESS; None when the entry was taken away. Who has one that cannot be read sees nothing."""
        try:
            whose = UserId(UUID(id))
        except ValueError:
            log.error("a limit of the bucket is nobody's")
            return
        try:
            self.limit(whose, UNLIMITED if entry is None else _access.decode(entry.value))
        except msgspec.DecodeError:
            log.error("a limit of the bucket cannot be read", user=id)
            self.limit(whose, NOTHING)
