"""Where nothing is sent to: what is not the public internet, unless the installation's operator allows it. Pure.

Judged is the address that a connection really goes to, not the name: a name may lead elsewhere a moment later. An IPv4 address
inside an IPv6 one (mapped, compatible, NAT64) is judged as what it is; the other ways to hide one (6to4, Teredo, ISATAP, NAT64 with
a prefix of its own) lead into networks that nobody vouches for and are refused.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from webhooks.domain.problems import AddressRefused

IP = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_TUNNELS = tuple(
    map(
        IPv6Network,
        (
            "64:ff9b:1::/48",  # NAT64 with a local prefix, RFC 8215
            "2001::/32",  # Teredo
            "2002::/16",  # 6to4
            "fec0::/10",  # site-local, deprecated
            "5f00::/16",  # segment routing
            "3fff::/20",  # documentation
        ),
    )
)
_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
_ISATAP = (0x00005EFE, 0x02005EFE)
#: Said here as well: what Python calls global differs from version to version.
_NOWHERE = tuple(map(IPv4Network, ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4")))
URL_LONGEST = 2000


def unwrapped(address: IP) -> IP:
    """Give the IPv4 address that an IPv6 one stands for, or the address as it is."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def public(address: IP) -> bool:
    """Tell whether *address* is one of the public internet."""
    real = unwrapped(address)
    if isinstance(real, IPv6Address):
        isatap = int(real) >> 32 & 0xFFFFFFFF in _ISATAP
        if isatap or any(real in network for network in _TUNNELS):
            return False
    elif any(real in network for network in _NOWHERE):
        return False
    return real.is_global and not real.is_multicast and not real.is_reserved and not real.is_loopback and not real.is_link_local


class Allowed:
    """What the operator allows besides: networks, and hosts whatever they resolve to.

    ``10.0.0.0/8,n8n,192.168.1.20,*.internal``
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        """Read the entries.  Raises: ValueError: one is neither a network nor the name of a host."""
        self.networks: list[IPv4Network | IPv6Network] = []
        self.hosts: set[str] = set()
        self.domains: tuple[str, ...] = ()
        for entry in entries:
            try:
                self.networks.append(ip_network(entry, strict=False))
            except ValueError:
                host = entry.lower().rstrip(".")
                if not _HOST.fullmatch(host):
                    raise ValueError(f"{entry!r} is neither a network nor a host.") from None
                if host.startswith("*."):
                    self.domains += (host[1:],)
                else:
                    self.hosts.add(host)

    @classmethod
    def of(cls, text: str) -> "Allowed":
        """Read a list by comma.  Raises: ValueError."""
        return cls(part.strip() for part in text.split(",") if part.strip())

    def host(self, host: str) -> bool:
        """Tell whether this name may lead anywhere."""
        host = host.lower().rstrip(".")
        return host in self.hosts or host.endswith(self.domains or ("\n",))

    def address(self, address: IP) -> bool:
        """Tell whether a connection may go to *address*."""
        real = unwrapped(address)
        return public(address) or any(real in network or address in network for network in self.networks)

    def judge(self, host: str, addresses: Iterable[str]) -> None:
        """See that every one of *addresses* may be connected to.  Raises: AddressRefused."""
        if self.host(host):
            return
        for text in addresses:
            if not self.address(ip_address(text.partition("%")[0])):
                raise AddressRefused("This leads into a network that nothing is sent to.")


def literal(host: str) -> IP | None:
    """Read a host that is an address; None when it is a name."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def url(text: str, allowed: Allowed, *, production: bool) -> str:
    """Give the URL of an endpoint as it is kept.

    Raises:
        AddressRefused: No URL, one with a user or a fragment, one into a network that is not allowed, or, in production, one
            without TLS to a host that the operator has not named.
    """
    try:
        parts = urlsplit(text.strip())
        host, scheme, port = parts.hostname or "", parts.scheme.lower(), parts.port
    except ValueError:
        raise _refused("This is no URL.") from None
    if scheme not in ("http", "https") or not host or port == 0 or len(text) > URL_LONGEST or not text.strip().isprintable():
        raise _refused("Give a URL such as https://example.com/hook.")
    if any(character.isspace() or character in '\\"<>^`{|}' for character in text.strip()):
        raise _refused("Give a URL such as https://example.com/hook.")
    if parts.username is not None or parts.password is not None:
        raise _refused("Put credentials into a header, not into the URL.")
    if parts.fragment:
        raise _refused("A URL that is called has no fragment.")
    named = allowed.host(host)
    address = literal(host)
    if address is not None and not named and not allowed.address(address):
        raise _refused("This leads into a network that nothing is sent to.")
    local = address is None and f".{host.lower().rstrip('.')}".endswith(".localhost")
    if local and not named and not any(allowed.address(loop) for loop in _LOOPBACK):
        raise _refused("This leads into a network that nothing is sent to.")
    if scheme == "http" and production and not named and (address is None or public(address)):
        raise _refused("Use https: the messages of your customers are in it.")
    return text.strip()


def _refused(detail: str) -> AddressRefused:
    return AddressRefused(detail, errors=[{"at": "body.url", "message": detail}])
