"""The process ``python -m pipeline``: wiring, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts import asks
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import create_app
from servicekit.outbox import Relay
from servicekit.run import Service, service

from pipeline import api, timers
from pipeline.consumers import answers, automations, facts
from pipeline.settings import PipelineSettings

SCHEMA = "pipeline"


async def start(settings: PipelineSettings, process: Service) -> None:
    """Everything runs."""
    db = await process.enter(Database.open(settings.database_url, application=SCHEMA, pool=settings.database_pool))
    system = await process.enter(Database.open(settings.system_database_url, application=f"{SCHEMA}-system", pool=3))
    bus = await process.enter(Bus.open(settings.nats_url, name=SCHEMA))
    verifier = await process.enter(Verifier.open(bus))
    process.health.check("database", db.ping)
    process.health.check("bus", bus.ping)
    process.background("relay", Relay(system, bus, schema=SCHEMA).run)
    process.background(facts.DURABLE, bus.consumer(facts.consumer(db, batch=settings.consumer_batch)))
    process.background(automations.DURABLE, bus.consumer(automations.consumer(db)))
    await process.enter(_answering(bus, db))
    process.background("remind", timers.remind(system))
    process.background("sweep", timers.sweep(system))
    process.serve(
        create_app(
            title="Clarin pipeline",
            service=process,
            verifier=verifier,
            routers=api.ROUTERS,
            cursor_secret=settings.cursor_secret,
            state={"db": db, "bus": bus},
        ),
        settings.http_host,
        settings.http_port,
    )


@asynccontextmanager
async def _answering(bus: Bus, db: Database) -> AsyncIterator[None]:
    subscription = await bus.answer(asks.PERSON, answers.person(db), queue=SCHEMA)
    try:
        yield
    finally:
        await subscription.close()


def main() -> None:
    """Run until SIGTERM."""
    service(SCHEMA, PipelineSettings, start)
