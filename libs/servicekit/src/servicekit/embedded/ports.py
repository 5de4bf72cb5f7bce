"""Loopback ports for servers that are started on this machine, each given to one of those who ask at the same time."""

import os
import random
import socket
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST, _TRIES = 10_240, 2_000

# What says to the processes beside this one that a port is spoken for, from being named to being listened on, and while
# its server restarts. Descriptors: the system ends each with the process; the oldest go first, so that they stay few.
_claims: dict[int, int] = {}
_order: deque[int] = deque()
_MOST = 256


def free_port() -> int:
    """Name a loopback port that nobody listens on, and `claim` it.

    It lies below the ports that the system gives to outgoing connections: none of those can take it before its server does.

    Raises: OSError: there is none.
    """
    return next(port for port in _candidates() if port not in _claims and claim(port))


def claim(port: int) -> bool:
    """Tell whether a server of this process may listen on *port*; nobody else who asks is told so while this process lives."""
    if port not in _claims:
        if not is_free(port):
            return False
        held = _mark(port)
        if held is None:
            return False
        _claims[port] = held
        _order.append(port)
        while len(_order) > _MOST:
            os.close(_claims.pop(_order.popleft()))
    return is_free(port)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on *port*."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _candidates() -> Iterable[int]:
    low = _lowest_given_away()
    for _ in range(_TRIES):
        yield random.randrange(_FIRST, low)  # noqa: S311  (no secret)
    raise OSError(f"No port between {_FIRST} and {low} is free.")


def _lowest_given_away() -> int:
    """Give the first port of those for outgoing connections, or where most systems have it."""
    try:
        low = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        low = 32_768
    return low if low > _FIRST + _TRIES else 65_536


def _mark(port: int) -> int | None:
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if sys.platform != "linux":
        return mark.detach()  # no names that end with their process: chance has to do
    try:
        mark.bind(f"\0clarin-port-{port}")
    except OSError:
        mark.close()
        return None
    return mark.detach()
