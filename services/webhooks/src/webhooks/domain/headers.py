"""Headers that an endpoint may ask for besides ours. Pure."""

import re
from collections.abc import Mapping

from webhooks.domain.problems import HeaderRefused

MOST = 20
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,998}[\x21-\x7e])?")
#: Of the connection (RFC 9110, 7.6.1), of the body, or ours.
_OURS = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "accept-encoding",
        "http2-settings",
        "cookie",
        "forwarded",
        "via",
        "user-agent",
        "date",
    ]
)
_PREFIXES = ("webhook-", "x-webhook-", "proxy-", "sec-", "x-forwarded-", ":")


def checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Give the headers as they are sent.

    Raises:
        HeaderRefused: Too many, not a header, one of the connection or the body, or one that says whose delivery it is.
    """
    if len(headers) > MOST:
        raise _refused("headers", f"{MOST} headers at most.")
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if not _NAME.fullmatch(name) or lower in seen:
            raise _refused(name, "This is no header's name, or it is there twice.")
        if lower in _OURS or lower.startswith(_PREFIXES):
            raise _refused(name, "This header is not yours to set.")
        if not _VALUE.fullmatch(value):
            raise _refused(name, "A header's value is 1 to 1000 characters of ASCII.")
        seen.add(lower)
    return dict(headers)


def _refused(name: str, detail: str) -> HeaderRefused:
    return HeaderRefused(detail, errors=[{"at": f"body.headers.{name[:100]}", "message": detail}])
