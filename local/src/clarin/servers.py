"""The servers of one installation, and what must stand in them before a service starts."""

import asyncio
import os
import resource
import shutil
from urllib.parse import urlsplit

import asyncpg
from servicekit import bus
from servicekit.bus.permissions import MIGRATOR, permissions
from servicekit.embedded import Nats, PgBouncer, Postgres, Server, User, Valkey, pgbouncer
from servicekit.migrations import provision

from clarin.folder import Folder
from clarin.processes import BUS_USERS, DATABASE, SCHEMAS, WHATSAPP, Addresses, dsn, migrations

#: Who may do everything on the bus: the person at the machine.
ADMIN = "admin"


class Servers:
    """PostgreSQL, NATS and Valkey over one data folder, and PgBouncer where the machine has one; not started yet."""

    def __init__(self, folder: Folder, *, pooler: bool = True) -> None:
        """*pooler*: whatsmeow's many connections go through PgBouncer, if there is one."""
        self._folder = folder
        self.pooler: PgBouncer | None = None
        self.postgres = Postgres(folder.root / "postgres", port=folder.port("postgres"), log=folder.logs / "postgres.log")
        known = {name: User(password=folder.password(f"nats.{name}"), permissions=permissions(name)) for name in (MIGRATOR, *BUS_USERS)}
        known[ADMIN] = User(password=folder.password(f"nats.{ADMIN}"))
        self.nats = Nats(folder.root / "nats", port=folder.port("nats"), log=folder.logs / "nats.log", users=known, admin=ADMIN)
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
        return [self.postgres, self.nats, self.valkey, *([self.pooler] if self.pooler else [])]

    @property
    def addresses(self) -> Addresses:
        """Where they are."""
        return Addresses(
            postgres_port=self.postgres.port,
            nats_port=self.nats.port,
            redis_url=self.valkey.url,
            pooler_port=self.pooler.port if self.pooler else None,
        )

    async def provision(self) -> None:
        """Databases, roles, tables, streams and buckets are there and of this version; safe to repeat."""
        free = shutil.disk_usage(self._folder.root).free
        declared = bus.declare(
            self.nats.url_as(MIGRATOR),
            events_bytes=min(8 << 30, free // 4),
            commands_bytes=min(1 << 30, free // 16),
            dead_bytes=min(1 << 30, free // 16),
        )
        await asyncio.gather(declared, migrate(self._folder, self.postgres.url))


async def migrate(folder: Folder, admin_url: str) -> None:
    """Databases, roles and tables are there and of this version; safe to repeat."""
    await _databases(folder, _within(admin_url, "postgres"))
    for schema in SCHEMAS:
        passwords = {role: folder.password(f"postgres.{role}") for role in (schema, f"{schema}_system")}
        await provision(_within(admin_url, DATABASE), schema, migrations(schema), passwords)


async def _databases(folder: Folder, admin_url: str) -> None:
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
