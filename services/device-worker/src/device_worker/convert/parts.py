"""Addresses, ids, texts and times out of WhatsApp's own, checked and cut."""

from datetime import UTC, datetime
from typing import Any

from contracts.whatsapp import Address, AddressKind

#: Past this, a text is cut: WhatsApp's own limit, and well under what the bus carries in one message.
LONGEST_TEXT = 65_536

_SERVERS: dict[str, AddressKind] = {
    "s.whatsapp.net": "pn",
    "c.us": "pn",
    "hosted": "pn",
    "lid": "lid",
    "hosted.lid": "lid",
    "g.us": "group",
    "newsletter": "channel",
}


def address(jid: Any) -> Address | None:
    """Read a JID message; None for an empty one and for what is no person, group, status or channel."""
    return _address(jid.User, jid.Server)


def parse_address(text: str) -> Address | None:
    """Read a JID text such as ``5215550000:7@s.whatsapp.net``; the device part is dropped."""
    user, separator, server = text.rpartition("@")
    return _address(user, server) if separator else None


def jid_parts(address: Address) -> tuple[str, str]:
    """Write an address as WhatsApp's user and server.  Raises: ValueError: nothing can be sent there."""
    servers = {"pn": "s.whatsapp.net", "lid": "lid", "group": "g.us"}
    if address.kind not in servers:
        raise ValueError(f"Nothing is sent to an address of kind {address.kind}.")
    return address.value, servers[address.kind]


def _address(user: str, server: str) -> Address | None:
    value = user.partition(":")[0].partition(".")[0].strip()
    if not value:
        return None
    if server == "broadcast":
        return Address("status", value) if value == "status" else None
    kind = _SERVERS.get(server)
    if kind is None or (kind in ("pn", "lid") and not (value.isascii() and value.isdigit())):
        return None
    return Address(kind, clean(value)[:128])


def clean(text: str) -> str:
    """Cut what is over the limit, and take out NUL, which no Postgres text can hold."""
    return text[:LONGEST_TEXT].replace("\0", "")


def id_of(text: str) -> str:
    """Read an id of WhatsApp's; empty where there is none."""
    return clean(text)[:255]


def millis(value: int, fallback: datetime) -> datetime:
    """Read a time in milliseconds since 1970."""
    return _time(value / 1000, fallback)


def seconds(value: int, fallback: datetime) -> datetime:
    """Read a time in seconds since 1970."""
    return _time(value, fallback)


def _time(seconds: float, fallback: datetime) -> datetime:
    """Read a UTC time; one that WhatsApp left out (0, or Go's year 1) or that no calendar has is *fallback*."""
    if not 0 < seconds < 32_503_680_000:  # the year 3000
        return fallback
    return datetime.fromtimestamp(seconds, UTC)
