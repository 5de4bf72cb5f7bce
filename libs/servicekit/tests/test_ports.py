"""Ports are named once among all who ask on this machine."""

import socket
import subprocess
import sys
from pathlib import Path

from servicekit.embedded import claim, free_port, is_free

ASKS = "import sys; from servicekit.embedded import claim; print(claim(int(sys.argv[1])))"


def elsewhere(port: int) -> str:
    """What a process beside this one is told of *port*."""
    return subprocess.run([sys.executable, "-c", ASKS, str(port)], capture_output=True, text=True, check=True).stdout.strip()


def test_no_port_is_named_twice_and_none_is_one_of_those_for_outgoing_connections():
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    assert all(is_free(port) for port in ports)
    given_away = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if given_away.exists():
        assert max(ports) < int(given_away.read_text().split()[0])


def test_what_was_named_here_is_refused_elsewhere_until_this_process_ends():
    port = free_port()
    assert claim(port), "its own is still its own"
    assert elsewhere(port) == "False"
    other = subprocess.run(
        [sys.executable, "-c", "from servicekit.embedded import free_port; print(free_port())"], capture_output=True, text=True, check=True
    )
    assert claim(int(other.stdout)), "the process that it was named for has ended"


def test_a_port_that_somebody_listens_on_is_nobodys():
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not claim(port)
        assert elsewhere(port) == "False"
    assert claim(port)


def test_however_many_are_named_few_descriptors_are_held():
    first = free_port()
    for _ in range(300):
        free_port()
    assert elsewhere(first) == "True", "the oldest are let go"
