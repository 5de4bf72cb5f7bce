"""The servers of one installation, and what must stand in them before a service starts."""

import asyncio
import os
import resource
import shutil
from urllib.parse import urlsplit

import asyncpg
from servicekit import bus
from servicekit.bus.permissions import MIGRATOR, permissions
from servicekit.embedded import Member, Nats, PgBouncer, Postgres, Server, User, Valkey, pgbouncer
from servicekit.migrations import provision

from clarin.folder import Folder
from clarin.processes import BUS_USERS, DATABASE, SCHEMAS, WHATSAPP, Addresses, dsn, migrations

#: Who may do everything on the bus: the person at the machine.
ADMIN = "admin"


class Servers:
    """PostgreSQL, NATS and Valkey over one data folder, and PgBouncer where the machine has one; not started yet."""

    def __init__(self, folder: Folder, *, pooler: bool = True, nodes: int = 1) -> None:
        """Know what there will be.

        Args:
            pooler: whatsmeow's many connections go through PgBouncer, if there is one.
            nodes: How many servers keep the streams, each all of them.
        """
        self._folder = folder
        self.pooler: PgBouncer | None = None
        self.postgres = Postgres(folder.root / "postgres", port=folder.port("postgres"), log=folder.logs / "postgres.log")
        known = {name: User(password=folder.password(f"nats.{name}"), permissions=permissions(name)) for name in (MIGRATOR, *BUS_USERS)}
        known[ADMIN] = User(password=folder.password(f"nats.{ADMIN}"))
        self.nats = [self._node(name, known, nodes) for name in node_names(nodes)]
        self.valkey = Valkey(
            folder.root / "valkey", port=folder.port("valkey"), log=folder.logs / "valkey.log", password=folder.password("valkey")
        )

        if pooler and (program := pgbouncer.find()) is not None:
            self.pooler = PgBouncer(
                folder.root / "pgbouncer",
                program=program,
                database_url=dsn(folder, self.addresses, WHATSAPP, WHATSAPP),
                port=folder.port("pgbouncer"),
                log=folder.logs / "pgbouncer.log",
            )

    @property
    def every(self) -> list[Server]:
        """All that run."""
        return [self.postgres, *self.nats, self.valkey, *([self.pooler] if self.pooler else [])]

    def bus(self, user: str) -> str:
        """Give the address of the bus as *user*; of several servers, by comma."""
        return ",".join(node.url_as(user) for node in self.nats)

    def _node(self, name: str, users: dict[str, User], nodes: int) -> Nats:
        log = self._folder.logs / f"{name}.log"
        if nodes == 1:
            return Nats(self._folder.root / name, port=self._folder.port(name), log=log, users=users, admin=ADMIN)
        ports = tuple(self._folder.port(f"{node}.route") for node in node_names(nodes))
        member = Member(name=name, port=self._folder.port(f"{name}.route"), ports=ports, password=self._folder.password("nats.route"))
        # Of what a server that stops dead had not written, the others have a copy: three waits for the disk would add nothing.
        return Nats(self._folder.root / name, port=self._folder.port(name), log=log, users=users, admin=ADMIN, durable=False, member=member)

    @property
    def addresses(self) -> Addresses:
        """Where they are."""
        return Addresses(
            postgres_port=self.postgres.port,
            nats_ports=tuple(node.port for node in self.nats),
            redis_url=self.valkey.url,
            pooler_port=self.pooler.port if self.pooler else None,
        )

    async def provision(self) -> None:
        """Databases, roles, tables, streams and buckets are there and of this version; safe to repeat."""
        free = shutil.disk_usage(self._folder.root).free
        declared = bus.declare(
            self.bus(MIGRATOR),
            events_bytes=min(8 << 30, free // 4) // len(self.nats),
            commands_bytes=min(1 << 30, free // 16) // len(self.nats),
            dead_bytes=min(1 << 30, free // 16) // len(self.nats),
            replicas=len(self.nats),
        )
        await asyncio.gather(declared, migrate(self._folder, self.postgres.url))


def node_names(count: int) -> list[str]:
    """Name the servers of the bus."""
    return ["nats"] if count == 1 else [f"nats-{number}" for number in range(1, count + 1)]


async def migrate(folder: Folder, admin_url: str) -> None:
    """Databases, roles and tables are there and of this version; safe to repeat."""
    await make_databases(folder, _within(admin_url, "postgres"))
    for schema in SCHEMAS:
        passwords = {role: folder.password(f"postgres.{role}") for role in (schema, f"{schema}_system")}
        await provision(_within(admin_url, DATABASE), schema, migrations(schema), passwords)


async def make_databases(folder: Folder, admin_url: str) -> None:
    """Both databases are there, and the role that owns whatsmeow's; safe to repeat."""
    connection = await asyncpg.connect(admin_url)
    try:
        known = {row["datname"] for row in await connection.fetch("select datname from pg_database")}
        # whatsmeow makes its own tables, so its role owns its database, and sees none other.
        made = await connection.fetchval("select count(*) from pg_roles where rolname = $1", WHATSAPP)
        await connection.execute(
            f"{'alter' if made else 'create'} role {WHATSAPP} login password '{folder.password(f'postgres.{WHATSAPP}')}'"
        )
        for name, owner in ((DATABASE, "postgres"), (WHATSAPP, WHATSAPP)):
            if name not in known:
                await connection.execute(f"create database {name} owner {owner}")
        await connection.execute(f"revoke connect, temporary on database {WHATSAPP} from public")
    finally:
        await connection.close()


def _within(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def allow_many_files() -> None:
    """Every process started from here may hold as many files and sockets as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.umask(0o077)
