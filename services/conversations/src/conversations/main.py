"""The process ``python -m conversations``: wiring, and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts import asks
from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import create_app
from servicekit.outbox import Relay
from servicekit.run import Service, service

from conversations import api, timers
from conversations.consumers import accounts, answers, erasures, figures, media, orders, people, typing, whatsapp
from conversations.files import Files
from conversations.settings import ConversationsSettings
from conversations.store import released

SCHEMA = "conversations"


async def start(settings: ConversationsSettings, process: Service) -> None:
    """Everything runs."""
    db = await process.enter(Database.open(settings.database_url, application=SCHEMA, pool=settings.database_pool))
    system = await process.enter(Database.open(settings.system_database_url, application=f"{SCHEMA}-system", pool=3))
    bus = await process.enter(Bus.open(settings.nats_url, name=SCHEMA))
    verifier = await process.enter(Verifier.open(bus))
    process.health.check("database", db.ping)
    process.health.check("bus", bus.ping)
    process.background("relay", Relay(system, bus, schema=SCHEMA).run)
    durable = whatsapp.consumer(db, batch=settings.consumer_batch, concurrency=settings.consumer_concurrency)
    process.background(whatsapp.DURABLE, bus.consumer(durable))
    process.background(media.DURABLE, bus.consumer(media.consumer(db)))
    process.background(accounts.DURABLE, bus.consumer(accounts.consumer(db)))
    process.background(people.DURABLE, bus.consumer(people.consumer(db)))
    process.background(figures.DURABLE, bus.consumer(figures.consumer(db)))
    told = orders.consumer(db, expiry=settings.send_expiry, sees=lambda user, chat: verifier.access_of(user).sees(chat.device))
    process.background(orders.DURABLE, bus.consumer(told))
    await process.enter(_answering(bus, db))
    await process.enter(typing.passing_on(bus, db))
    presence = await timers.Presence.of(bus)
    process.background("assigner", timers.assigning(db, system, presence, verifier.access_of))
    process.background("attending", timers.attending(db, bus, presence))
    process.background("wake", timers.wake(db, system))
    process.background("scheduled", timers.send_scheduled(db, system, expiry=settings.send_expiry))
    process.background("imports", timers.importing(db, system, settings.objects, most=settings.import_rows))
    process.background("sweep", timers.sweep(system, pending_receipts=settings.pending_receipts))
    process.background(erasures.DURABLE, bus.consumer(erasures.consumer(db)))
    process.background("erasures", timers.erase(db, system, bus))
    process.background("exports", timers.export(db, system, bus, settings.objects))
    process.background("retention", timers.keep(db, system))
    process.background("released", timers.delete_released(db, system, settings.objects))
    process.serve(
        create_app(
            title="Clarin conversations",
            service=process,
            verifier=verifier,
            routers=api.ROUTERS,
            cursor_secret=settings.cursor_secret,
            body_limits=api.BODY_LIMITS,
            state={"db": db, "bus": bus, "settings": settings, "files": Files(settings.objects, hold=released.holder(db))},
        ),
        settings.http_host,
        settings.http_port,
    )


@asynccontextmanager
async def _answering(bus: Bus, db: Database) -> AsyncIterator[None]:
    subscription = await bus.answer(asks.CHATS, answers.chats(db), queue=SCHEMA)
    try:
        yield
    finally:
        await subscription.close()


def main() -> None:
    """Run until SIGTERM."""
    service(SCHEMA, ConversationsSettings, start)
