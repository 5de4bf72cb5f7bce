"""The one table of what runs: every process, what it is given, and when it is stopped."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from clarin.folder import Folder, Running


class Stage(IntEnum):
    """The order in which parts are stopped: who asks before who answers."""

    EDGE = 0
    SERVICE = 1
    WORKER = 2
    NETWORK = 3
    SERVER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the table.

    Attributes:
        module: What `python -m` runs, with its arguments.
        database: The schema whose two roles it connects as.
        bus: Its user on the bus.
        redis: Whether it uses Valkey.
        given: Which of the shared variables it is given.
    """

    name: str
    module: tuple[str, ...]
    stage: Stage = Stage.SERVICE
    database: str | None = None
    bus: str | None = None
    redis: bool = False
    given: tuple[str, ...] = ()


AUTH = Kind(
    name="auth",
    module=("auth",),
    database="auth",
    bus="auth",
    redis=True,
    given=("CLARIN_CURSOR_SECRET", "CLARIN_ENCRYPTION_KEY", "CLARIN_MAIL_DIR", "CLARIN_PUBLIC_URL"),
)
DEVICES = Kind(
    name="devices",
    module=("device_worker", "api"),
    database="devices",
    bus="devices",
    given=("CLARIN_CURSOR_SECRET", "CLARIN_ENCRYPTION_KEY"),
)
WORKER = Kind(
    name="worker",
    module=("device_worker", "worker"),
    stage=Stage.WORKER,
    database="devices",
    bus="devices",
    given=("CLARIN_WHATSAPP_DATABASE_URL", "CLARIN_WHATSAPP_POOLER_URL", "CLARIN_DATA_DIR", "CLARIN_ENCRYPTION_KEY", "CLARIN_MEDIA_URL"),
)
CONVERSATIONS = Kind(
    name="conversations",
    module=("conversations",),
    database="conversations",
    bus="conversations",
    given=("CLARIN_CURSOR_SECRET", "CLARIN_MEDIA_URL"),
)
BOT = Kind(name="bot", module=("bot",), database="bot", bus="bot", given=("CLARIN_CURSOR_SECRET",))
PIPELINE = Kind(
    name="pipeline",
    module=("pipeline",),
    database="pipeline",
    bus="pipeline",
    given=("CLARIN_CURSOR_SECRET",),
)
WEBHOOKS = Kind(
    name="webhooks",
    module=("webhooks",),
    database="webhooks",
    bus="webhooks",
    given=("CLARIN_CURSOR_SECRET", "CLARIN_ENCRYPTION_KEY"),
)
REALTIME = Kind(name="realtime", module=("realtime",), bus="realtime", redis=True)
GATEWAY = Kind(
    name="gateway",
    module=("gateway",),
    stage=Stage.EDGE,
    bus="gateway",
    redis=True,
    given=("CLARIN_PANEL_DIR", "CLARIN_SIM_URL", "CLARIN_MAIL"),
)

#: Started in this order, all at once; the workers, of which there are several, come after.
KINDS = (AUTH, DEVICES, CONVERSATIONS, PIPELINE, BOT, WEBHOOKS, REALTIME, GATEWAY)

#: Everyone who signs in to the bus.
BUS_USERS = tuple(dict.fromkeys(kind.bus for kind in (*KINDS, WORKER) if kind.bus))

#: The schemas, with the package beside whose `src` their migrations lie.
SCHEMAS = {
    "auth": "auth",
    "devices": "device_worker",
    "conversations": "conversations",
    "pipeline": "pipeline",
    "bot": "bot",
    "webhooks": "webhooks",
}

#: Where the gateway finds each service, as `contracts.routes` calls it.
UPSTREAMS = {
    "auth": AUTH,
    "device-worker": DEVICES,
    "conversations": CONVERSATIONS,
    "pipeline": PIPELINE,
    "bot": BOT,
    "webhooks": WEBHOOKS,
    "realtime": REALTIME,
}

#: Seconds in which a replica that ends tells so: the gateway asks each once a second whether it is ready.
GOODBYE = 2.5

DATABASE = "clarin"
WHATSAPP = "whatsapp"

PANEL = Path(__file__).parents[3] / "web" / "dist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process, ready to be started.

    Attributes:
        inside: The port where it tells of its health, if that is another one.
        listener: The descriptor of a socket that it is given, and shares with others: what comes to it waits for any of them.
    """

    name: str
    command: tuple[str, ...]
    stage: Stage
    port: int
    environment: Mapping[str, str] = field(repr=False)
    host: str = "127.0.0.1"
    inside: int | None = None
    listener: int | None = None

    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return f"http://{'127.0.0.1' if self.host == '0.0.0.0' else self.host}:{self.port}"

    @property
    def health(self) -> str:
        """Where it, and no other one, answers how it is."""
        return self.url if self.inside is None else f"http://127.0.0.1:{self.inside}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the servers are, and the panel, and how many there are of what."""

    postgres_port: int
    nats_ports: tuple[int, ...]
    redis_url: str = field(repr=False)
    sim_url: str | None = None
    pooler_port: int | None = None
    replicas: int = 1
    realtimes: int = 1
    public_url: str | None = None

    @property
    def nats_port(self) -> int:
        """The first server of the bus."""
        return self.nats_ports[0]

    def bus(self, user: str, password: str) -> str:
        """Give the address of the bus for somebody."""
        return ",".join(f"nats://{user}:{password}@127.0.0.1:{port}" for port in self.nats_ports)

    @classmethod
    def of(cls, running: Running) -> Self:
        """Read them from what runs."""
        return cls(
            postgres_port=urlsplit(running.postgres).port or 0,
            nats_ports=tuple(urlsplit(url).port or 0 for url in running.nats.split(",")),
            redis_url=running.redis,
            sim_url=running.sim_url,
        )


def process(kind: Kind, folder: Folder, at: Addresses, *, name: str, port: int, host: str = "127.0.0.1") -> Process:
    """Give the process *name* of this *kind* all that it must know."""
    own = {"CLARIN_HTTP_HOST": host, "CLARIN_HTTP_PORT": str(port)}
    if kind is WORKER:
        own["CLARIN_WORKER_ID"] = name
    if kind.database:
        own["CLARIN_DATABASE_URL"] = dsn(folder, at, kind.database, DATABASE)
        own["CLARIN_SYSTEM_DATABASE_URL"] = dsn(folder, at, f"{kind.database}_system", DATABASE)
    if kind.bus:
        own["CLARIN_NATS_URL"] = at.bus(kind.bus, folder.password(f"nats.{kind.bus}"))
    if kind.redis:
        own["CLARIN_REDIS_URL"] = at.redis_url
    if kind is GATEWAY:
        counts = {upstream.name: at.realtimes if upstream is REALTIME else at.replicas for upstream in UPSTREAMS.values()}
        own |= {
            f"CLARIN_URL_{service.upper().replace('-', '_')}": _urls(folder, upstream, counts[upstream.name])
            for service, upstream in UPSTREAMS.items()
        }
    if at.replicas > 1 and kind not in (REALTIME, WORKER):  # which take leave of their sockets and sessions in a way of their own
        own["CLARIN_HTTP_DRAIN"] = str(GOODBYE)
    shared = _shared(folder, at)
    own |= {variable: shared[variable] for variable in kind.given if variable in shared}
    return Process(
        name=name,
        command=(sys.executable, "-m", *kind.module),
        stage=kind.stage,
        port=port,
        host=host,
        environment=inherited() | own,
    )


def replicas(kind: Kind, count: int) -> list[str]:
    """Name *count* processes of a kind: the first as the kind itself."""
    return [kind.name, *(f"{kind.name}-{number}" for number in range(2, count + 1))]


def dsn(folder: Folder, at: Addresses, role: str, database: str) -> str:
    """Give the address of *database* as *role*."""
    return f"postgresql://{role}:{folder.password(f'postgres.{role}')}@127.0.0.1:{at.postgres_port}/{database}"


def migrations(schema: str) -> Path:
    """Find the version files of *schema*."""
    spec = find_spec(SCHEMAS[schema])
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"The package {SCHEMAS[schema]} is missing: run `make setup`.")
    return Path(spec.origin).parents[2] / "migrations"


def inherited() -> dict[str, str]:
    """Give this process's environment; what a shell set for tools of its own (a proxy, a path to modules) stays outside."""
    foreign = {"PYTHONPATH", "PYTHONHOME", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy"}
    # Without its cache of bytecode each process compiles everything anew: 2 s of processor time each.
    foreign |= {"PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in foreign} | {"PYTHONUNBUFFERED": "1", "TZ": "UTC"}


def _urls(folder: Folder, kind: Kind, count: int) -> str:
    return ",".join(f"http://127.0.0.1:{folder.port(replica)}" for replica in replicas(kind, count))


def _shared(folder: Folder, at: Addresses) -> dict[str, str]:
    shared = {
        "CLARIN_CURSOR_SECRET": folder.password("cursors"),
        "CLARIN_ENCRYPTION_KEY": folder.key("encryption"),
        # Mail is kept here instead of sent: the link to a new password, an invitation.
        "CLARIN_MAIL_DIR": str(folder.root / "mail"),
        "CLARIN_MAIL": "true",
        "CLARIN_WHATSAPP_DATABASE_URL": dsn(folder, at, WHATSAPP, WHATSAPP),
        # One folder for all of them: each locks its own journal there and publishes those that a dead one left.
        "CLARIN_DATA_DIR": str(folder.root / "worker"),
        "CLARIN_MEDIA_URL": (folder.root / "media").absolute().as_uri(),
    }
    if at.pooler_port:
        through = replace(at, postgres_port=at.pooler_port)
        shared["CLARIN_WHATSAPP_POOLER_URL"] = dsn(folder, through, WHATSAPP, WHATSAPP)
    if at.sim_url:
        shared["CLARIN_SIM_URL"] = at.sim_url
    if at.public_url:
        # What links in mails begin with, where the shell names no other.
        shared["CLARIN_PUBLIC_URL"] = os.environ.get("CLARIN_PUBLIC_URL", at.public_url)
    if (PANEL / "index.html").exists():
        shared["CLARIN_PANEL_DIR"] = str(PANEL)
    return shared
