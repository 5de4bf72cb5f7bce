"""PostgreSQL, NATS and Valkey from their wheels: no Docker, no root, no package manager; PgBouncer where the machine has it.

Every server listens on loopback alone, keeps its port over a restart and dies with the process that started it, even
when that is killed with -9.
"""

from servicekit.embedded.child import Child
from servicekit.embedded.nats import Member, Nats, User
from servicekit.embedded.pgbouncer import PgBouncer
from servicekit.embedded.ports import claim, free_port, is_free
from servicekit.embedded.postgres import Postgres
from servicekit.embedded.server import Server, StartFailed
from servicekit.embedded.valkey import Valkey

__all__ = ["Child", "Member", "Nats", "PgBouncer", "Postgres", "Server", "StartFailed", "User", "Valkey", "claim", "free_port", "is_free"]
