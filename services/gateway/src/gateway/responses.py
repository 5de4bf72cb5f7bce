"""The bytes of what a client gets: heads, the gateway's own answers, problems. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from contracts.errors import Problem

from gateway.requests import HOP_BY_HOP, Request, tokens

Headers = list[tuple[bytes, bytes]]

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}

#: What the gateway says itself, so that a service's own word is left out.
_REPLACED = HOP_BY_HOP | {
    b"content-length", b"x-request-id", b"server", b"x-content-type-options", b"referrer-policy", b"x-frame-options",
    b"strict-transport-security",
}  # fmt: skip
_API_POLICY = b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
_ALWAYS = b"x-content-type-options: nosniff\r\nreferrer-policy: strict-origin-when-cross-origin\r\nx-frame-options: DENY\r\n"
_ALWAYS_OVER_TLS = _ALWAYS + b"strict-transport-security: max-age=31536000; includeSubDomains\r\n"
_EXPOSED = b"X-Request-Id, Retry-After, Idempotency-Replayed, RateLimit, RateLimit-Policy"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer that the gateway gives itself."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)


class Cors:
    """Which origins' pages may call, and the headers that say so."""

    def __init__(self, origins: Iterable[str]) -> None:
        """Allow *origins* (``https://host[:port]``, or ``*`` for all, which then go without cookies)."""
        allowed = frozenset(origins)
        self._every = "*" in allowed
        self._origins = {origin.encode("ascii") for origin in allowed}

    def allows(self, origin: bytes) -> bool:
        """Tell whether pages of *origin* may call."""
        return self._every or origin in self._origins

    def headers(self, origin: bytes | None) -> bytes:
        """Write the lines for an answer to a page of *origin*."""
        if not self._origins:
            return b""
        if origin is None or not self.allows(origin):
            return b"" if self._every else b"vary: Origin\r\n"
        exposed = b"access-control-expose-headers: " + _EXPOSED + b"\r\n"
        if self._every:
            return b"access-control-allow-origin: *\r\n" + exposed
        return b"access-control-allow-origin: " + origin + b"\r\naccess-control-allow-credentials: true\r\nvary: Origin\r\n" + exposed

    def preflight(self) -> Headers:
        """Say what an allowed page may send; `headers` names the origin."""
        return [
            (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
            (
                b"access-control-allow-headers",
                b"Authorization, Content-Type, Idempotency-Key, X-Api-Key, X-CSRF-Token, X-Request-Id, If-Match",
            ),
            (b"access-control-max-age", b"600"),
        ]


def status_line(status: int) -> bytes:
    """Write the first line, without the service's own words."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status


def passed(headers: Headers) -> bytes:
    """Write those of a service's *headers* that may pass: nothing of its hop, nothing that the gateway says itself."""
    dropped: frozenset[bytes] = _REPLACED
    for name, value in headers:
        if name == b"connection":
            dropped |= tokens(value)
    return lines([(name, value) for name, value in headers if name not in dropped and not name.startswith(b"access-control-")])


def lines(headers: Headers) -> bytes:
    """Write *headers* as they are."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def head(status: int, headers: bytes, request: Request, cors: Cors, *, framing: bytes, close: bool) -> bytes:
    """Write the head of an answer: header lines, the framing, and what every answer carries."""
    parts = [status_line(status), headers, framing]
    if b"content-security-policy: " not in headers:
        parts.append(_API_POLICY)
    parts.append(_ALWAYS_OVER_TLS if request.scheme == "https" else _ALWAYS)
    parts.append(cors.headers(request.fields.get(b"origin")))
    parts.append(request.rate)
    if close:
        parts.append(b"connection: close\r\n")
    elif request.version == "1.0":
        parts.append(b"connection: keep-alive\r\n")
    parts.append(b"x-request-id: %b\r\n\r\n" % request.id.encode("ascii"))
    return b"".join(parts)


def switching(headers: Headers, request: Request) -> bytes:
    """Write the head of a 101: the connection is another protocol's from here on."""
    upgrade = [header for header in headers if header[0] == b"upgrade"]
    return (
        status_line(101)
        + lines(upgrade)
        + passed(headers)
        + b"connection: Upgrade\r\nx-request-id: %b\r\n\r\n" % request.id.encode("ascii")
    )


def json(value: object, status: int = 200, headers: Headers | None = None) -> Answer:
    """Answer with a JSON value."""
    return Answer(status, msgspec.json.encode(value), [(b"content-type", b"application/json"), *(headers or [])])


def html(body: bytes, status: int = 200, *, policy: bytes) -> Answer:
    """Answer with a page under its own content security policy."""
    return Answer(
        status,
        body,
        [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy), (b"cache-control", b"no-cache")],
    )


def problem(error: Problem, request_id: str) -> Answer:
    """Answer with an RFC 9457 problem."""
    body = {
        "type": f"/docs/problems#{error.code}",
        "title": error.title().rstrip("."),
        "status": error.status,
        "detail": error.detail or error.title(),
        "code": error.code,
        "request_id": request_id,
        **error.members,
    }
    headers: Headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    headers += [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in error.headers.items()]
    if error.status == 401 and not any(name == b"www-authenticate" for name, _ in headers):
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status == 503 and not any(name == b"retry-after" for name, _ in headers):
        headers.append((b"retry-after", b"1"))
    return Answer(error.status, msgspec.json.encode(body), headers)


def bug(incident: str) -> Answer:
    """Answer 500 with nothing but where to look in the log."""
    body = {
        "type": "/docs/problems#internal",
        "title": "Something went wrong",
        "status": 500,
        "detail": f"The log has it under {incident}.",
        "code": "internal",
        "request_id": incident,
    }
    return Answer(500, msgspec.json.encode(body), [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")])
