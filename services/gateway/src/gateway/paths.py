"""One reading of a request's target, or none. Pure.

What two programs could read in two ways (dot segments, doubled or encoded slashes, backslashes, NUL) is refused, and
what is written in a needlessly encoded way is written plainly, so that routing, the token check and the service that
answers all see the same path.
"""

import re

from gateway.domain import BadTarget

_SEGMENT = rb"[A-Za-z0-9\-._~!$&'()*+,;=:@]"
_PLAIN = re.compile(rb"(?:/(?!\.{1,2}(?:/|$))" + _SEGMENT + rb"+)*/?")
_ENCODED = re.compile(rb"(?:/(?!\.{1,2}(?:/|$))(?:" + _SEGMENT + rb"|%[0-9A-F]{2})+)*/?")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_STRAY = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_QUERY = re.compile(rb"[\x21\x22\x24-\x7e]*")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_FORBIDDEN = frozenset({0x2F, 0x5C, 0x7F, *range(0x20)})


def normalise(target: bytes, host: bytes | None) -> tuple[str, bytes]:
    """Read *target* into a path and a query (without its question mark).

    Raises:
        BadTarget: Not origin-form (nor absolute-form of this very *host*), or a path of more than one reading.
    """
    if not target.startswith(b"/"):
        target = _origin_form(target, host)
    path, _, query = target.partition(b"?")
    if not _QUERY.fullmatch(query):
        raise BadTarget("The query has a character that must be encoded.")
    if _PLAIN.fullmatch(path):
        return path.decode("ascii"), query
    if _STRAY.search(path):
        raise BadTarget("A percent sign is not followed by two hexadecimal digits.")
    path = _ESCAPE.sub(_plainly, path)
    if not _ENCODED.fullmatch(path):
        raise BadTarget("The path has an empty or a dot segment, or a character that must be encoded.")
    return path.decode("ascii"), query


def _plainly(escape: re.Match[bytes]) -> bytes:
    value = int(escape[1], 16)
    if value in _FORBIDDEN:
        raise BadTarget("The path has an encoded slash, backslash or control character.")
    return bytes((value,)) if value in _UNRESERVED else b"%%%02X" % value


def _origin_form(target: bytes, host: bytes | None) -> bytes:
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise BadTarget("The target is neither a path nor an address of this host.")
    authority, slash, tail = rest.partition(b"/")
    if b"?" in authority or not host or authority.lower() != host.lower():
        raise BadTarget("The target names another host than the Host header.")
    return slash + tail if slash else b"/"
