"""Wiring of the API."""

from datetime import timedelta

from servicekit.auth import Verifier
from servicekit.bus import Bus
from servicekit.db import Database
from servicekit.http import create_app
from servicekit.outbox import Relay
from servicekit.run import Service
from servicekit.timers import every

from device_worker import api, consumers, ops, timers
from device_worker.settings import ApiSettings

SCHEMA = "devices"


async def start(settings: ApiSettings, process: Service) -> None:
    """Answer HTTP and take orders."""
    db = await process.enter(Database.open(settings.database_url, application="devices-api", pool=settings.database_pool))
    system = await process.enter(Database.open(settings.system_database_url, application="devices-api-system", pool=4))
    bus = await process.enter(Bus.open(settings.nats_url, name="devices-api"))
    verifier = await process.enter(Verifier.open(bus))
    process.health.check("database", db.ping)
    process.health.check("bus", bus.ping)
    process.background("relay", Relay(system, bus, schema=SCHEMA).run)
    process.background("orders", bus.consumer(consumers.orders(db)))
    process.background("accounts", bus.consumer(consumers.known_accounts(db)))
    process.background("sweep", every(timedelta(hours=1), lambda: timers.sweep(system), name="sweep"))
    if settings.encryption_key_previous is not None:
        process.background("reseal", every(timedelta(hours=6), lambda: timers.reseal(system, settings.vault), name="reseal"))
    await bus.answer(consumers.DEVICE, consumers.answer_device(db), queue="devices")
    app = create_app(
        title="Clarin devices",
        service=process,
        verifier=verifier,
        routers=[api.router, api.alias, ops.router],
        cursor_secret=settings.cursor_secret,
        state={
            "bus": bus,
            "system": system,
            "db": db,
            "vault": settings.vault,
            "private_proxies": settings.private_proxies or settings.env != "production",
        },
    )
    process.serve(app, settings.http_host, settings.http_port)
