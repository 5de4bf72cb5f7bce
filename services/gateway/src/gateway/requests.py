"""A request's head as it was read, and the bytes of the head that a service gets. Pure."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from contracts import ids
from contracts.principal import Principal
from servicekit import tracing

from gateway.domain import MAX_HEADERS, BadRequest, ExpectationFailed, HeadersTooLarge

Network = IPv4Network | IPv6Network

#: Headers that belong to one hop (RFC 9110, 7.6.1) …
HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
        b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings",
    }
)  # fmt: skip
#: … and those that the gateway writes itself, so that nobody outside can.
_OWN = frozenset(
    {
        b"host", b"content-length", b"expect", b"cookie", b"authorization", b"x-api-key", b"x-request-id", b"forwarded",
        b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix", b"x-real-ip",
    }
)  # fmt: skip
_NOT_FORWARDED = HOP_BY_HOP | _OWN

#: Two of one of these would be read in two ways.
_ONCE = frozenset(
    {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"authorization",
        b"content-type",
        b"x-api-key",
        b"x-csrf-token",
        b"origin",
        b"upgrade",
    }
)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{8,128}")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_DIGITS = re.compile(rb"[0-9]{1,18}")


class Request:
    """One request.

    Attributes:
        method, target, version: As they came.
        headers: Every header, its name in lower case, in order.
        fields: The same by name; what may come twice is joined.
        path, query: What `paths.normalise` read from the target.
        length: Bytes of the body when the client said so; None for a chunked body.
        chunked: True when the body's length is not known before.
        size: Bytes of the headers so far.
        upgrade: The protocol that the client wants to change to, in lower case; empty for none.
        keep_alive: True when the client wants to go on with this connection.
        id: The request's id: the client's when it is a decent one.
        address, scheme, host: Who asks and what was asked for, seen through trusted proxies.
        principal: Who the token says it is; None on an anonymous path.
        rate: The header lines that tell the client how much it may ask for.
        span: What the service's own part of the request's trace is found below.
    """

    __slots__ = (
        "address", "chunked", "fields", "headers", "host", "id", "keep_alive", "length", "method", "path", "principal",
        "query", "rate", "scheme", "size", "span", "target", "upgrade", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.version = "1.1"
        self.headers: list[tuple[bytes, bytes]] = []
        self.fields: dict[bytes, bytes] = {}
        self.path = ""
        self.query = b""
        self.length: int | None = 0
        self.chunked = False
        self.upgrade = b""
        self.keep_alive = True
        self.size = 0
        self.id = ""
        self.address = ""
        self.scheme = "http"
        self.host = ""
        self.principal: Principal | None = None
        self.rate = b""
        self.span = tracing.NOTHING

    def add(self, name: bytes, value: bytes) -> None:
        """Take one header.  Raises: BadRequest: a second one where one is allowed; HeadersTooLarge."""
        name = name.lower()
        self.headers.append((name, value))
        before = self.fields.get(name)
        if before is None:
            self.fields[name] = value
            return
        if name in _ONCE:
            raise BadRequest(f"There is more than one {name.decode('latin-1')} header.")
        if len(self.headers) > MAX_HEADERS:
            raise HeadersTooLarge(f"There are more than {MAX_HEADERS} headers.")
        self.fields[name] = before + (b"; " if name == b"cookie" else b", ") + value

    def settle(self) -> None:
        """Fill in what follows from the headers.  Raises: Problem for whatever could be read in two ways."""
        fields = self.fields
        if len(self.headers) > MAX_HEADERS:
            raise HeadersTooLarge(f"There are more than {MAX_HEADERS} headers.")
        given = fields.get(b"x-request-id", b"")
        self.id = given.decode("ascii") if _REQUEST_ID.fullmatch(given) else str(ids.new())
        host = fields.get(b"host")
        if host is None:
            if self.version == "1.1":
                raise BadRequest("The Host header is missing.")
        elif not _HOST.fullmatch(host):
            raise BadRequest("The Host header is not a host.")
        coding = fields.get(b"transfer-encoding")
        length = fields.get(b"content-length")
        if coding is not None:
            if length is not None:
                raise BadRequest("Content-Length and Transfer-Encoding exclude each other.")
            if coding.lower() != b"chunked" or self.version != "1.1":
                raise BadRequest("The only transfer coding here is chunked, over HTTP/1.1.")
            self.chunked, self.length = True, None
        elif length is not None:
            if not _DIGITS.fullmatch(length):
                raise BadRequest("The Content-Length is not a number.")
            self.length = int(length)
        expect = fields.get(b"expect")
        if expect is not None and expect.lower() != b"100-continue":
            raise ExpectationFailed("Nothing but 100-continue can be expected here.")
        upgrade = fields.get(b"upgrade")
        if upgrade is not None and b"upgrade" in tokens(fields.get(b"connection", b"")):
            self.upgrade = upgrade.lower()

    def bodyless(self) -> bool:
        """Tell whether no body follows."""
        return self.length == 0

    def see_through(self, peer: str, trusted: tuple[Network, ...]) -> None:
        """Fill in address, scheme and host; what a header says counts only when *peer* is a trusted proxy."""
        self.address = peer
        self.host = self.fields.get(b"host", b"").decode("latin-1")
        if not trusted or not within(peer, trusted):
            return
        chain = self.fields.get(b"x-forwarded-for", b"").decode("latin-1")
        for hop in reversed([part.strip() for part in chain.split(",")] if chain else []):
            if _address(hop) is None:
                break
            self.address = hop
            if not within(hop, trusted):
                break
        scheme = self.fields.get(b"x-forwarded-proto", b"").lower()
        if scheme in (b"http", b"https"):
            self.scheme = scheme.decode("ascii")
        host = self.fields.get(b"x-forwarded-host", b"")
        if _HOST.fullmatch(host):
            self.host = host.decode("ascii")

    def upstream_head(self, authority: bytes, *, authorization: bytes | None, cookie: bytes | None) -> bytes:
        """Write the head that a service gets: nothing of this hop, and who asked."""
        dropped = _NOT_FORWARDED
        connection = self.fields.get(b"connection")
        if connection is not None:
            dropped = dropped | tokens(connection)
        if self.span.trace is not None:
            dropped = dropped | {b"traceparent"}
        path = self.path.encode("ascii")
        parts = [self.method, b" ", path, b"?" + self.query if self.query else b"", b" HTTP/1.1\r\nhost: ", authority, b"\r\n"]
        for name, value in self.headers:
            if name not in dropped and b"_" not in name:
                parts += (name, b": ", value, b"\r\n")
        if self.upgrade:
            parts.append(b"connection: Upgrade\r\nupgrade: " + self.upgrade + b"\r\n")
        if self.chunked:
            parts.append(b"transfer-encoding: chunked\r\n")
        elif self.length or b"content-length" in self.fields:
            parts.append(b"content-length: %d\r\n" % (self.length or 0))
        if self.span.trace is not None:
            parts.append(f"traceparent: {self.span.trace}\r\n".encode("ascii"))
        if authorization is not None:
            parts.append(b"authorization: " + authorization + b"\r\n")
        if cookie is not None:
            parts.append(b"cookie: " + cookie + b"\r\n")
        parts.append(
            f"x-request-id: {self.id}\r\nx-forwarded-for: {self.address}\r\nx-real-ip: {self.address}\r\n"
            f"x-forwarded-proto: {self.scheme}\r\nx-forwarded-host: {self.host}\r\n\r\n".encode("latin-1")
        )
        return b"".join(parts)


def tokens(value: bytes) -> frozenset[bytes]:
    """Read a comma-separated list of names, in lower case."""
    return frozenset(part.strip().lower() for part in value.split(b","))


def cookies(header: bytes) -> dict[str, str]:
    """Read a Cookie header; of two with one name the first counts, being the one with the longer path."""
    found: dict[str, str] = {}
    for part in header.decode("latin-1").split(";"):
        name, separator, value = part.strip().partition("=")
        if separator:
            found.setdefault(name, value.strip('"'))
    return found


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def within(text: str, networks: tuple[Network, ...]) -> bool:
    """Tell whether an address is in one of *networks*."""
    address = _address(text)
    return address is not None and any(address in network for network in networks)
