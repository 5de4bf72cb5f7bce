"""The process ``python -m webhooks``: wiring, and nothing else."""

import ssl
from datetime import timedelta

from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import create_app
from servicekit.outbox import Relay
from servicekit.run import Service, service

from webhooks import api, consumers, replaying, timers
from webhooks.sender.dispatcher import Dispatcher
from webhooks.sender.target import Lookup, Target
from webhooks.settings import WebhooksSettings

SCHEMA = "webhooks"
_SYSTEM_POOL = 4


async def start(settings: WebhooksSettings, process: Service, *, lookup: Lookup | None = None, tls: ssl.SSLContext | None = None) -> int:
    """Everything runs; give the port that is served. *lookup* and *tls* are the system's where they are not given."""
    db = await process.enter(Database.open(settings.database_url, application=SCHEMA, pool=settings.database_pool))
    system = await process.enter(Database.open(settings.system_database_url, application=f"{SCHEMA}-system", pool=_SYSTEM_POOL))
    bus = await process.enter(Bus.open(settings.nats_url, name=SCHEMA))
    verifier = await process.enter(Verifier.open(bus))
    target = await process.enter(Target.open(settings.allowed, seconds=settings.webhook_timeout, lookup=lookup, tls=tls))
    vault = settings.vault
    process.health.check("database", db.ping)
    process.health.check("bus", bus.ping)
    process.background("relay", Relay(system, bus, schema=SCHEMA).run)
    process.background("sender", Dispatcher(db, system, target, vault, most=settings.webhook_lanes).run)
    process.background(consumers.DURABLE, consumers.run(db, system, bus))
    process.background("replays", replaying.run(db, system, bus))
    process.background("sweep", timers.sweep(system, kept=timedelta(days=settings.webhook_kept_days)))
    if settings.encryption_key_previous is not None:
        process.background("reseal", timers.reseal(system, vault))
    return process.serve(
        create_app(
            title="Clarin webhooks",
            service=process,
            verifier=verifier,
            routers=api.ROUTERS,
            body_limit=64 * 1024,
            cursor_secret=settings.cursor_secret,
            state={"db": db, "bus": bus, "settings": settings, "vault": vault},
        ),
        settings.http_host,
        settings.http_port,
    )


async def _begin(settings: WebhooksSettings, process: Service) -> None:
    await start(settings, process)


def main() -> None:
    """Run until SIGTERM."""
    service(SCHEMA, WebhooksSettings, _begin)
