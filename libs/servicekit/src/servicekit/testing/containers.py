"""The same servers in containers, for machines on which a Docker engine is the better way."""

import contextlib
from collections.abc import Iterator

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

_PASSWORD = "of-the-tests"  # noqa: S105


@contextlib.contextmanager
def contained(name: str) -> Iterator[str]:
    """Run one server in a container, and give its URL."""
    with _CONTAINERS[name]() as running:
        place = f"{running.get_container_host_ip()}:{running.get_exposed_port(_PORTS[name])}"
        yield {"postgres": f"postgresql://postgres:{_PASSWORD}@{place}/postgres", "nats": f"nats://{place}", "redis": f"redis://{place}/0"}[
            name
        ]


def _postgres() -> DockerContainer:
    return (
        DockerContainer("postgres:18-alpine")
        .with_env("POSTGRES_PASSWORD", _PASSWORD)
        .with_command("postgres -c fsync=off -c max_connections=1000")
        .with_exposed_ports(_PORTS["postgres"])
        .waiting_for(LogMessageWaitStrategy("ready to accept connections", times=2))
    )


def _nats() -> DockerContainer:
    started = LogMessageWaitStrategy("Server is ready")
    return DockerContainer("nats:2").with_command("-js").with_exposed_ports(_PORTS["nats"]).waiting_for(started)


def _redis() -> DockerContainer:
    started = LogMessageWaitStrategy("Ready to accept connections")
    return DockerContainer("valkey/valkey:9-alpine").with_exposed_ports(_PORTS["redis"]).waiting_for(started)


_PORTS = {"postgres": 5432, "nats": 4222, "redis": 6379}
_CONTAINERS = {"postgres": _postgres, "nats": _nats, "redis": _redis}
