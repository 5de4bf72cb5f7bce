"""The process ``python -m bot``: wiring, and nothing else."""

import asyncio

from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import create_app
from servicekit.outbox import Relay
from servicekit.run import Service, service

from bot import api, consumers, timers
from bot.settings import BotSettings

SCHEMA = "bot"
#: As much as the gateway lets through: 2,000 rules of 500 bytes each.
BODY_LIMIT = 1024 * 1024


async def start(settings: BotSettings, process: Service) -> None:
    """Everything runs."""
    db = await process.enter(Database.open(settings.database_url, application=SCHEMA, pool=settings.database_pool))
    system = await process.enter(Database.open(settings.system_database_url, application=f"{SCHEMA}-system", pool=3))
    bus = await process.enter(Bus.open(settings.nats_url, name=SCHEMA))
    verifier = await process.enter(Verifier.open(bus))
    woken = asyncio.Event()
    process.health.check("database", db.ping)
    process.health.check("bus", bus.ping)
    process.background("relay", Relay(system, bus, schema=SCHEMA).run)
    process.background(consumers.DURABLE, bus.consumer(consumers.consumer(db, batch=settings.consumer_batch, wake=woken.set)))
    process.background("speak", timers.speaking(db, system, woken))
    process.background("sweep", timers.sweep(system))
    process.serve(
        create_app(
            title="Clarin bot",
            service=process,
            verifier=verifier,
            routers=api.ROUTERS,
            body_limit=BODY_LIMIT,
            cursor_secret=settings.cursor_secret,
            state={"db": db, "bus": bus},
        ),
        settings.http_host,
        settings.http_port,
    )


def main() -> None:
    """Run until SIGTERM."""
    service(SCHEMA, BotSettings, start)
