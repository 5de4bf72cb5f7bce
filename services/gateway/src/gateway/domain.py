"""What the gateway itself refuses, and the limits that it refuses by. Pure."""

from dataclasses import dataclass

from contracts.errors import Conflict, Forbidden, Malformed, NotFound, Problem, RateLimited, TooLarge, Unauthenticated, Unavailable

KIB = 1024
MIB = 1024 * KIB

#: The names that a public path may start with and that the panel never answers for.
RESERVED = ("/api", "/ws", "/.well-known", "/health", "/metrics", "/openapi.json", "/docs")

#: Methods that anybody may use; a safe one changes nothing and needs no proof against forged requests.
METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT", b"PATCH", b"DELETE"})
SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})

#: Paths that take a large body, by prefix.
LARGE = ("/api/messages/send/media", "/api/media", "/api/contacts/imports")

#: Anonymous paths that act by a cookie all the same: a forged request could sign a person out.
COOKIE_GUARDED = frozenset({"/api/auth/refresh", "/api/auth/logout"})

MAX_HEADERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much and how long.

    Attributes:
        head_bytes: Request line and headers together.
        target_bytes: The request's target alone.
        body_bytes: A body, where the path takes no large one.
        media_bytes: A body on a path of `LARGE`.
        idle_s: A connection without a request.
        head_s: From a request's first byte to the end of its headers.
        body_s: What a body may take besides the time its size grants at ``body_rate``.
        body_rate: Bytes per second below which a body is taken for an attack.
        upstream_s: Until a service begins to answer, and between two pieces of its answer.
        connect_s: Until a service takes a connection.
        write_s: A client that takes nothing of its answer.
        linger_s: How long an early answer waits for a client that is still sending, and …
        linger_bytes: … how much of that is thrown away before it gives up.
        per_address: Connections that one address may have open, a trusted proxy excepted; 0 for any number.
    """

    head_bytes: int = 32 * KIB
    target_bytes: int = 8 * KIB
    body_bytes: int = MIB
    media_bytes: int = 104 * MIB
    idle_s: float = 75
    head_s: float = 10
    body_s: float = 30
    body_rate: int = KIB
    upstream_s: float = 30
    connect_s: float = 2
    write_s: float = 60
    linger_s: float = 5
    linger_bytes: int = 64 * MIB
    per_address: int = 0

    def body(self, path: str) -> int:
        """Say how many bytes a body on *path* may have."""
        return self.media_bytes if path.startswith(LARGE) else self.body_bytes


class BadRequest(Malformed):
    """The request is not valid HTTP."""


class BadTarget(Malformed):
    """The path of the request cannot be read in one way only."""

    code = "bad-target"


class HeadersTooLarge(Problem):
    """The headers of the request are too large."""

    status = 431
    code = "headers-too-large"


class TargetTooLong(Problem):
    """The address of the request is too long."""

    status = 414
    code = "target-too-long"


class BodyTooLarge(TooLarge):
    """The body is too large."""


class MethodNotAllowed(Problem):
    """This method is not allowed here."""

    status = 405
    code = "method-not-allowed"


class VersionNotSupported(Problem):
    """Only HTTP/1.0 and HTTP/1.1 are spoken here."""

    status = 505
    code = "http-version"


class ExpectationFailed(Problem):
    """Nothing but 100-continue can be expected here."""

    status = 417
    code = "expectation-failed"


class TooSlow(Problem):
    """The request did not arrive in time."""

    status = 408
    code = "request-timeout"


class NoSuchPath(NotFound):
    """Nothing is here."""


class CsrfMismatch(Forbidden):
    """The request does not carry the session's CSRF token."""

    code = "csrf"


class KeyInvalid(Unauthenticated):
    """The API key is not valid."""

    code = "key-invalid"


class KeyExpired(Unauthenticated):
    """The API key has expired."""

    code = "key-expired"


class AccountSuspended(Forbidden):
    """The account is suspended."""

    code = "account-suspended"


class TooManyConnections(RateLimited):
    """This address has too many connections open."""

    code = "too-many-connections"


class OriginRefused(Forbidden):
    """Pages of this origin may not call the API."""

    code = "cors"


class NotAnUpgrade(Conflict):
    """Only a WebSocket is here."""

    status = 426
    code = "upgrade-required"


class UpstreamAway(Unavailable):
    """The service for this is away; try again."""


class UpstreamTimeout(Unavailable):
    """The service for this did not answer in time."""

    code = "upstream-timeout"


class UpstreamBroken(Unavailable):
    """The service for this broke off or answered what cannot be read."""

    code = "upstream-broken"
